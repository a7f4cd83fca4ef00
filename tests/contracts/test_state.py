"""Promises of every storage about stored values of sessions, accounts and access tokens."""

import asyncio
from typing import Any, cast
from uuid import UUID

import pytest
import pytest_asyncio

from domain.errors import AccessTokenEnded, DomainError, SessionEnded, UserNotFound
from domain.model.state import REMOVED, Entry, JsonValue
from domain.ports.repositories import StateRepository
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from domain.services.state import StateService
from tests.builders import a_session, a_token, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

GONE = UUID(int=2**127)

KINDS = ["session_data", "account_state", "token_data"]


class Owned:
    """One owner of each kind under one name; the promises are the same."""

    def __init__(self, kind: str, storage: Storage) -> None:
        self.kind = kind
        self.storage = storage
        self.ada = a_user()
        self.session = a_session(of=self.ada)
        self.token = a_token(of=self.ada)
        owners: dict[str, tuple[UUID, type[DomainError]]] = {
            "session_data": (self.session.id, SessionEnded),
            "account_state": (self.ada.id, UserNotFound),
            "token_data": (self.token.id, AccessTokenEnded),
        }
        self.owner, self.refusal = owners[kind]

    def of(self, work: UnitOfWork) -> StateRepository[Any]:
        return cast("StateRepository[Any]", getattr(work, self.kind))

    async def write(self, changes: dict[str, Any]) -> None:
        async with self.storage.units.writing() as work:
            await self.of(work).write(self.owner, changes)
            await work.commit()

    async def read(self) -> dict[str, Entry]:
        async with self.storage.units.reading() as work:
            return dict(await self.of(work).read(self.owner))


@pytest_asyncio.fixture(loop_scope="session", params=KINDS)
async def state(request: pytest.FixtureRequest, storage: Storage) -> Owned:
    owned = Owned(request.param, storage)
    await storage.has(owned.ada, owned.session, owned.token)
    return owned


async def test_values_come_back_as_they_were(state: Owned) -> None:
    values: dict[str, JsonValue] = {
        "nothing": None,
        "true": True,
        "zero": 0,
        "larger than the database's numbers": 2**70,
        "broken": -1.5,
        "empty": "",
        "text": "Ärger \N{SNOWMAN} 'quoted' \\ %",
        "no list": [],
        "nested": [[1], {"a": None}],
        "an empty key": {"": {}},
    }
    await state.write(values)

    entries = await state.read()

    assert entries == {key: Entry(value=value, version=1) for key, value in values.items()}
    assert entries["true"].value is True


async def test_writing_sets_the_named_keys_and_leaves_the_others(state: Owned) -> None:
    await state.write({"a": 1, "b": 1})

    await state.write({"b": 2, "c": 3})

    assert await state.read() == {
        "a": Entry(value=1, version=1),
        "b": Entry(value=2, version=2),
        "c": Entry(value=3, version=1),
    }


async def test_removed_removes_a_key_which_starts_at_version_one_when_written_again(
    state: Owned,
) -> None:
    await state.write({"a": 1, "b": 1})
    await state.write({"a": 2})

    await state.write({"a": REMOVED, "never there": REMOVED})
    after_removal = await state.read()
    await state.write({"a": 3})

    assert after_removal == {"b": Entry(value=1, version=1)}
    assert (await state.read())["a"] == Entry(value=3, version=1)


async def test_changing_a_value_that_was_read_or_written_does_not_change_the_store(
    state: Owned,
) -> None:
    value = {"list": [1]}
    await state.write({"key": value})

    value["list"].append(2)
    cast("dict[str, list[int]]", (await state.read())["key"].value)["list"].append(3)

    assert (await state.read())["key"].value == {"list": [1]}


async def test_each_owner_has_values_of_its_own(state: Owned) -> None:
    other = Owned(state.kind, state.storage)
    await state.storage.has(other.ada, other.session, other.token)

    await state.write({"key": 1})
    await other.write({"key": 2})
    await other.write({"key": REMOVED})

    assert await state.read() == {"key": Entry(value=1, version=1)}
    assert await other.read() == {}


async def test_reading_an_unknown_owner_without_a_lock_returns_nothing(state: Owned) -> None:
    async with state.storage.units.reading() as work:
        assert await state.of(work).read(GONE) == {}


async def test_writing_and_locked_reading_are_refused_when_the_owner_is_gone(
    state: Owned,
) -> None:
    async with state.storage.units.writing() as work:
        with pytest.raises(state.refusal):
            await state.of(work).read(GONE, locked=True)
        with pytest.raises(state.refusal):
            await state.of(work).write(GONE, {"key": 1})
        with pytest.raises(state.refusal):
            await state.of(work).write(GONE, {"key": REMOVED})
        with pytest.raises(state.refusal):
            await state.of(work).write(GONE, {})


async def test_data_written_while_its_session_ends_is_not_stored(
    storage: Storage,
) -> None:
    ada = a_user()
    session = a_session(of=ada)
    await storage.has(ada, session)

    async with storage.units.writing() as work:
        await work.sessions.remove([session.id])
        with pytest.raises(SessionEnded):
            await work.session_data.write(session.id, {"key": 1})
        await work.commit()

    async with storage.units.reading() as work:
        assert await work.session_data.read(session.id) == {}


def one_more(runs: JsonValue) -> JsonValue:
    return cast("int", runs or 0) + 1


async def test_no_concurrent_update_of_one_key_is_lost(state: Owned) -> None:
    # The three kinds share their code, so one of them gets many updates and the others few. All wait in one queue, for five
    # seconds at most.
    times = 120 if state.kind == "account_state" else 40
    service = StateService()

    async def count(units: UnitsOfWork) -> None:
        async with units.writing() as work:
            await service.change(state.of(work), state.owner, {}, {"runs": [one_more]})
            await work.commit()

    both = (state.storage.units, state.storage.replica)
    await asyncio.gather(*(count(units) for units in both for _ in range(times // 2)))

    assert await state.read() == {"runs": Entry(value=times, version=times)}


async def test_two_writers_of_different_keys_both_keep_their_write(state: Owned) -> None:
    changes = [{f"key{n}": n, "shared": n} for n in range(20)]

    await asyncio.gather(*(state.write(change) for change in changes))

    entries = await state.read()
    assert {entries[f"key{n}"].value for n in range(20)} == set(range(20))
    assert entries["shared"].version == 20


async def test_many_keys_are_written_and_removed_at_once(state: Owned) -> None:
    await state.write({f"key{n}": n for n in range(1001)})
    written = await state.read()

    await state.write({f"key{n}": REMOVED for n in range(1001)})

    assert len(written) == 1001
    assert await state.read() == {}
