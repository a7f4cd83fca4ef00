"""What an author keeps, as a mapping: session data and account state, with what an event has changed of them."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, overload

from domain.model.state import REMOVED, Entries, JsonValue, Removed, checked_key, encoded

Update = Callable[[Any], Any]
"""What becomes of a stored value; None stands for one that is not there."""


class SessionData(dict[str, Any]):
    """The values of one sign-in. Setting what cannot be kept is refused at the line that sets it; what changed is kept
    when the callback returns, and nothing when it raises."""

    def __init__(self, kept: Mapping[str, JsonValue]) -> None:
        super().__init__(deepcopy(dict(kept)))
        self._kept = deepcopy(dict(kept))

    def __setitem__(self, key: str, value: Any) -> None:
        encoded(checked_key(key), value)
        super().__setitem__(key, value)

    def update(self, *args: Any, **values: Any) -> None:
        for key, value in dict(*args, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> "SessionData":  # type: ignore[override,misc]
        self.update(other)
        return self

    def changes(self) -> dict[str, JsonValue | Removed]:
        """Also finds what was changed inside a value."""
        changed: dict[str, JsonValue | Removed] = {
            key: value
            for key, value in self.items()
            if key not in self._kept or self._kept[key] != value
        }
        return changed | dict.fromkeys(self._kept.keys() - self.keys(), REMOVED)

    def are_kept(self) -> None:
        self._kept = deepcopy(dict(self))


class State(SessionData):
    """The values of one account, on every device: read when an event begins, and what it changed is written when the
    callback returns (of a generator, at each step). Other keys stay as they are stored."""

    def __init__(self, kept: Mapping[str, JsonValue]) -> None:
        super().__init__(kept)
        self._updates: dict[str, list[Update]] = {}
        self._provisional: dict[str, Any] = {}

    @overload
    def update(self, key: str, fn: Update, /) -> Any: ...
    @overload
    def update(self, *args: Any, **values: Any) -> None: ...
    def update(self, *args: Any, **values: Any) -> Any:
        """As of a dict; or `update(key, fn)`, which nobody else's write comes between: the pure, quick `fn` is applied
        once more when the value is written, to the one stored then. What it answers here is provisional."""
        if len(args) == 2 and callable(args[1]) and not values:
            return self._update(checked_key(args[0]), args[1])
        return super().update(*args, **values)

    def _update(self, key: str, fn: Update) -> Any:
        is_untouched = key in self._updates or self.get(key) == self._kept.get(key)
        value = fn(deepcopy(self.get(key)))
        self[key] = value
        if (
            is_untouched
        ):  # What this event has set itself is not stored yet: there is nothing to apply `fn` to.
            self._updates.setdefault(key, []).append(fn)
            self._provisional[key] = deepcopy(value)
        return value

    def updates(self) -> dict[str, list[Update]]:
        """Of those keys that were not set to something else afterwards."""
        return {
            key: list(fns)
            for key, fns in self._updates.items()
            if key in self and self[key] == self._provisional[key]
        }

    def changes(self) -> dict[str, JsonValue | Removed]:
        updated = self.updates()
        return {key: value for key, value in super().changes().items() if key not in updated}

    def are_stored(self, entries: Entries) -> None:
        """As they are now, what others have written meanwhile included."""
        self.clear()
        for key, entry in entries.items():
            super(SessionData, self).__setitem__(key, deepcopy(entry.value))
        self._updates.clear()
        self._provisional.clear()
        self.are_kept()
