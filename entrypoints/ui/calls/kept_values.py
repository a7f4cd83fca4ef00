"""Session data and account state as mappings that record what an event has changed."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, overload

from domain.model.state import REMOVED, Entries, JsonValue, Removed, checked_key, encoded

Update = Callable[[Any], Any]
"""Takes the stored value, or None if there is none, and returns the new value."""


class SessionData(dict[str, Any]):
    """The values of one session. Setting a value that cannot be stored raises StateInvalid at that line. Changes are
    stored when the callback returns, and discarded if it raises."""

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
        """Return the changed values and, as REMOVED, the removed keys. Changes inside a value count too."""
        changed: dict[str, JsonValue | Removed] = {
            key: value
            for key, value in self.items()
            if key not in self._kept or self._kept[key] != value
        }
        return changed | dict.fromkeys(self._kept.keys() - self.keys(), REMOVED)

    def are_kept(self) -> None:
        self._kept = deepcopy(dict(self))


class State(SessionData):
    """The values of one account, on all its devices. They are read when an event begins; changed keys are written when
    the callback returns, or at each step of a generator. Keys that have not changed are not written."""

    def __init__(self, kept: Mapping[str, JsonValue]) -> None:
        super().__init__(kept)
        self._updates: dict[str, list[Update]] = {}
        self._provisional: dict[str, Any] = {}

    @overload
    def update(self, key: str, fn: Update, /) -> Any: ...
    @overload
    def update(self, *args: Any, **values: Any) -> None: ...
    def update(self, *args: Any, **values: Any) -> Any:
        """Update like a dict, or update one key atomically with `update(key, fn)`: when the value is written, `fn` is
        applied again, to the value stored at that time. `fn` must be pure and quick. The result here is provisional."""
        if len(args) == 2 and callable(args[1]) and not values:
            return self._update(checked_key(args[0]), args[1])
        return super().update(*args, **values)

    def _update(self, key: str, fn: Update) -> Any:
        is_untouched = key in self._updates or self.get(key) == self._kept.get(key)
        value = fn(deepcopy(self.get(key)))
        self[key] = value
        # A value that this event has set itself is not stored yet, so `fn` cannot be applied to it at write time.
        if is_untouched:
            self._updates.setdefault(key, []).append(fn)
            self._provisional[key] = deepcopy(value)
        return value

    def updates(self) -> dict[str, list[Update]]:
        """Return the update functions of each key, without keys that were set to another value afterwards."""
        return {
            key: list(fns)
            for key, fns in self._updates.items()
            if key in self and self[key] == self._provisional[key]
        }

    def changes(self) -> dict[str, JsonValue | Removed]:
        updated = self.updates()
        return {key: value for key, value in super().changes().items() if key not in updated}

    def are_stored(self, entries: Entries) -> None:
        """Replace all values by the stored entries, which may include other events' writes."""
        self.clear()
        for key, entry in entries.items():
            super(SessionData, self).__setitem__(key, deepcopy(entry.value))
        self._updates.clear()
        self._provisional.clear()
        self.are_kept()
