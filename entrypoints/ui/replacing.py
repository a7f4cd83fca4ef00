"""Functions of libraries that are replaced while a service is mounted, in the whole process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Replacement:
    """As long as one of perhaps several services in the process needs it; afterwards everything is as it was."""

    owner: Any
    """A module or class."""
    name: str
    by: Callable[[Any], Any]
    """Makes the new function of the original one."""
    _services: int = 0
    _original: Any = field(default=None)

    def begin(self) -> None:
        if self._services == 0:
            self._original = getattr(self.owner, self.name)
            setattr(self.owner, self.name, self.by(self._original))
        self._services += 1

    def end(self) -> None:
        self._services -= 1
        if self._services == 0:
            setattr(self.owner, self.name, self._original)
