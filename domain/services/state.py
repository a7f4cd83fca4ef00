"""Kept values: what may be kept, how much of it, and how two writers both keep their write."""

from collections.abc import Callable
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
    checked_key,
    encoded,
)
from domain.ports.repositories import StateRepository

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateService:
    async def change(
        self, repository: StateRepository[Owner], owner: Owner, changes: Changes
    ) -> Entries:
        """Sets and removes the named keys and leaves the others as they are; answers all of them afterwards.
        Raises StateInvalid."""
        for key, value in changes.items():
            if not isinstance(value, Removed):
                encoded(checked_key(key), value)
        before = await repository.read(owner, locked=True)
        after = _applied(before, changes)
        _must_fit(after)
        await repository.write(owner, changes)
        return after

    async def update(
        self,
        repository: StateRepository[Owner],
        owner: Owner,
        key: str,
        fn: Callable[[JsonValue], JsonValue],
        default: JsonValue = None,
    ) -> tuple[JsonValue, Entries]:
        """Replaces the stored value (or `default`) by what `fn` makes of it; nobody writes in between.
        Answers the new value and all entries. `fn` has to be pure and quick: others wait."""
        before = await repository.read(owner, locked=True)
        entry = before.get(checked_key(key))
        value = fn(default if entry is None else entry.value)
        encoded(key, value)
        after = _applied(before, {key: value})
        _must_fit(after)
        await repository.write(owner, {key: value})
        return value, after


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
            f"Together the kept values have {total} bytes; at most {LARGEST_TOTAL} are kept."
        )
