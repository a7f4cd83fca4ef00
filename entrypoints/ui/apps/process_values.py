"""Replace a value that Python has once in a process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True, kw_only=True)
class ProcessValue(Generic[Value]):
    """Holds the latest of the values that replace the original one now. They may end in any order: several services may
    be in one process."""

    get: Callable[[], Value]
    put: Callable[[Value], None]
    _values: list[Value] = field(default_factory=list)
    """The original value, then those that replace it, the latest last. Empty while nothing is replaced."""

    @property
    def original(self) -> Value:
        return self._values[0] if self._values else self.get()

    @contextmanager
    def replaced(self, by: Value) -> Iterator[None]:
        """Replace the value inside the block."""
        if not self._values:
            self._values.append(self.get())
        self._values.append(by)
        self.put(by)
        try:
            yield
        finally:
            self._values[:] = [value for value in self._values if value is not by]
            self.put(self._values[-1])
            if len(self._values) == 1:
                self._values.clear()
