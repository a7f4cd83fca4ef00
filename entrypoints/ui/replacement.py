"""Replace functions of libraries in the whole process while a service is mounted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import getattr_static
from typing import Any


@dataclass(slots=True, kw_only=True)
class Replacement:
    """Replaces one function from the first `begin()` to the last `end()`, and then restores the original. Several
    services in one process may need it at once."""

    owner: Any
    """A module or class."""
    name: str
    by: Callable[[Any], Any]
    """Takes the original function and returns the new one."""
    _services: int = 0
    _original: Any = field(default=None)

    def begin(self) -> None:
        if self._services == 0:
            self._original = getattr_static(
                self.owner, self.name
            )  # As `staticmethod`, if it is one.
            setattr(self.owner, self.name, self.by(getattr(self.owner, self.name)))
        self._services += 1

    @property
    def is_used(self) -> bool:
        return self._services > 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Replace the function inside the block."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        self._services -= 1
        if self._services == 0:
            setattr(self.owner, self.name, self._original)
