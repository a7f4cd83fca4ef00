"""Rules for stored values: what may be stored, how much, and how two concurrent writers both keep their writes."""

from dataclasses import dataclass
from typing import TypeVar

from domain.errors import StateInvalid
from domain.model.state import (
    LARGEST_TOTAL,
    Changes,
    Entries,
    Entry,
    JsonValue,
    Removed,
    Updates,
    checked_key,
    encoded,
)
from domain.ports.repositories import StateRepository

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateService:
    async def change(
        self,
        repository: StateRepository[Owner],
        owner: Owner,
        changes: Changes,
        updates: Updates | None = None,
    ) -> Entries:
        """Set and remove the named keys, apply the update functions to the stored values (None if there is none), and
        leave other keys unchanged; nobody writes in between. Return all values afterwards. The functions must be pure
        and quick, because other writers wait. Raises StateInvalid."""
        for key, value in changes.items():
            if not isinstance(value, Removed):
                encoded(checked_key(key), value)
        before = await repository.read(owner, locked=True)
        written = {**changes, **_updated(before, updates or {})}
        after = _applied(before, written)
        _must_fit(after)
        await repository.write(owner, written)
        return after


def _updated(before: Entries, updates: Updates) -> dict[str, JsonValue]:
    values: dict[str, JsonValue] = {}
    for key, functions in updates.items():
        entry = before.get(checked_key(key))
        value = None if entry is None else entry.value
        for function in functions:
            value = function(value)
        encoded(key, value)
        values[key] = value
    return values


def _applied(before: Entries, changes: Changes) -> Entries:
    after = dict(before)
    for key, value in changes.items():
        if isinstance(value, Removed):
            after.pop(key, None)
        else:
            version = before[key].version if key in before else 0
            after[key] = Entry(value=value, version=version + 1)
    return after


def _must_fit(entries: Entries) -> None:
    total = sum(len(encoded(key, entry.value).encode()) for key, entry in entries.items())
    if total > LARGEST_TOTAL:
        raise StateInvalid(
            f"All values together have {total} bytes as JSON; the limit is {LARGEST_TOTAL}."
        )
