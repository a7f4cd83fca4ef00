"""Promises of every storage about sessions."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.system.clock import StoppedClock
from adapters.system.ids import RandomIds
from domain.errors import SessionEnded, UserNotFound
from domain.model.session import Device, Session, SessionId, SessionPolicy
from domain.model.signed_token import Claims, Purpose
from domain.model.state import Entry
from domain.ports.security import SignedTokenCodec
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.sessions import SessionService
from tests.builders import NOON, a_session, a_user
from tests.contracts.conftest import Storage, removed_by_two

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTHING = SessionId(UUID(int=2**127))
MINUTE = timedelta(minutes=1)


async def of_store(units: UnitsOfWork, session: Session) -> Session | None:
    async with units.reading() as work:
        return await work.sessions.find(session.id)


async def test_an_added_session_comes_back_as_it_was(storage: Storage) -> None:
    ada = a_user()
    session = a_session(
        of=ada,
        seen_at=NOON + timedelta(microseconds=1),
        device=Device(address="2001:db8::1", agent="Ünïcode/1.0"),
    )

    await storage.has(ada, session)

    assert await of_store(storage.units, session) == session


async def test_adding_raises_user_not_found_when_the_account_is_gone(units: UnitsOfWork) -> None:
    session = a_session(of=a_user())

    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.sessions.add(session)
        await work.commit()

    assert await of_store(units, session) is None


async def test_saving_updates_when_it_was_seen_and_nothing_else(storage: Storage) -> None:
    ada = a_user()
    session = a_session(of=ada)
    await storage.has(ada, session)
    changed = a_session(of=ada, id=session.id, seen_at=NOON + MINUTE, ends_at=NOON + 99 * MINUTE)

    async with storage.units.writing() as work:
        await work.sessions.save(changed)
        await work.commit()

    assert await of_store(storage.units, session) == session.seen(NOON + MINUTE)


async def test_a_confirmation_is_stored_and_changes_nothing_else(storage: Storage) -> None:
    ada = a_user()
    session, other = a_session(of=ada), a_session(of=ada, confirmed_at=NOON)
    await storage.has(ada, session, other)
    at = NOON + timedelta(minutes=1, microseconds=1)

    async with storage.units.writing() as work:
        await work.sessions.confirm(session.id, at)
        await work.commit()

    assert await of_store(storage.units, session) == replace(session, confirmed_at=at)
    assert await of_store(storage.units, other) == other
    async with storage.units.reading() as work:
        found = await work.sessions.find_with_user(session.secret_hash)
    assert found is not None
    assert found[0].confirmed_at == at


async def test_saving_a_session_that_was_read_before_keeps_its_confirmation(
    storage: Storage,
) -> None:
    ada = a_user()
    session = a_session(of=ada)
    await storage.has(ada, session)

    async with storage.units.writing() as work:
        await work.sessions.confirm(session.id, NOON + MINUTE)
        await work.sessions.save(session.seen(NOON + 2 * MINUTE))
        await work.commit()

    stored = await of_store(storage.units, session)
    assert stored is not None
    assert (stored.confirmed_at, stored.seen_at) == (NOON + MINUTE, NOON + 2 * MINUTE)


async def test_a_removed_session_stays_removed_when_confirmed(storage: Storage) -> None:
    ada = a_user()
    session = a_session(of=ada)
    await storage.has(ada, session)

    async with storage.units.writing() as work:
        await work.sessions.remove([session.id])
        with pytest.raises(SessionEnded):
            await work.sessions.confirm(session.id, NOON)
        await work.commit()

    assert await of_store(storage.units, session) is None


async def test_a_removed_session_stays_removed_when_saved(storage: Storage) -> None:
    ada = a_user()
    session = a_session(of=ada)
    await storage.has(ada, session)

    async with storage.units.writing() as work:
        await work.sessions.remove([session.id])
        with pytest.raises(SessionEnded):
            await work.sessions.save(session.seen(NOON + MINUTE))
        await work.commit()

    assert await of_store(storage.units, session) is None


async def test_a_touch_does_not_restore_a_session_that_is_ended_at_the_same_time(
    storage: Storage,
) -> None:
    ada = a_user()
    sessions = [a_session(of=ada) for _ in range(10)]
    await storage.has(ada, *sessions)

    async def touch(session: Session) -> None:
        async with storage.units.writing() as work:
            await work.sessions.save(session.seen(NOON + MINUTE))
            await work.commit()

    async def end(session: Session) -> None:
        async with storage.units.writing() as work:
            await work.sessions.remove([session.id])
            await work.commit()

    race = [meet(session) for session in sessions for meet in (touch, end, touch)]
    results = await asyncio.gather(*race, return_exceptions=True)

    assert {type(result) for result in results} == {type(None), SessionEnded}
    async with storage.units.reading() as work:
        assert await work.sessions.of_user(ada.id) == []


async def test_finding_an_unknown_session_returns_none(units: UnitsOfWork) -> None:
    async with units.reading() as work:
        assert await work.sessions.find(NOTHING) is None
        assert await work.sessions.find_with_user(b"\0" * 32) is None


async def test_a_secret_finds_its_session_with_the_account_and_the_data(storage: Storage) -> None:
    ada, grace = a_user(roles={"admin", "analyst"}), a_user()
    hers, other = a_session(of=ada), a_session(of=ada)
    await storage.has(ada, grace, hers, other, a_session(of=grace))
    async with storage.units.writing() as work:
        await work.session_data.write(hers.id, {"a": {"b": [1, None]}, "c": "d"})
        await work.commit()

    async with storage.units.reading() as work:
        with_data = await work.sessions.find_with_user(hers.secret_hash)
        without = await work.sessions.find_with_user(other.secret_hash)

    entries = {"a": Entry(value={"b": [1, None]}, version=1), "c": Entry(value="d", version=1)}
    assert with_data == (hers, ada, entries)
    assert without == (other, ada, {})


async def test_the_sessions_of_an_account_are_returned_most_recently_seen_first(
    storage: Storage,
) -> None:
    ada, grace = a_user(), a_user()
    first = a_session(of=ada, seen_at=NOON + 3 * MINUTE)
    second = a_session(of=ada, seen_at=NOON + 2 * MINUTE)
    third = a_session(of=ada, seen_at=NOON + 1 * MINUTE)
    await storage.has(ada, grace, second, third, first, a_session(of=grace))

    async with storage.units.reading() as work:
        assert list(await work.sessions.of_user(ada.id)) == [first, second, third]


async def test_removing_sessions_returns_how_many_existed_and_removes_their_data(
    storage: Storage,
) -> None:
    ada = a_user()
    session, other, kept = a_session(of=ada), a_session(of=ada), a_session(of=ada)
    await storage.has(ada, session, other, kept)

    async with storage.units.writing() as work:
        await work.session_data.write(session.id, {"key": "value"})
        removed = await work.sessions.remove([session.id, NOTHING, other.id, session.id])
        none = await work.sessions.remove([])
        await work.sessions.add(session)
        await work.commit()

    async with storage.units.reading() as work:
        assert (removed, none) == (2, 0)
        assert await work.session_data.read(session.id) == {}
        assert await work.sessions.find(kept.id) == kept


async def test_more_sessions_than_fit_into_one_statement_are_found_and_removed_at_once(
    storage: Storage,
) -> None:
    ada = a_user()
    first = a_session(of=ada)
    last = a_session(of=ada, id=SessionId(UUID(int=2**127 + first.id.int)))
    await storage.has(ada, first, last)
    between = [SessionId(UUID(int=2**100 + number)) for number in range(33_000)]

    async with storage.units.writing() as work:
        found = await work.sessions.find_many([first.id, *between, last.id])
        removed = await work.sessions.remove([first.id, *between[:1200], last.id])
        await work.commit()

    assert {session.id for session in found} == {first.id, last.id}
    assert removed == 2


async def test_two_transactions_that_remove_the_same_sessions_in_opposite_order_both_finish(
    storage: Storage,
) -> None:
    ada = a_user()
    ids = [SessionId(UUID(int=2**100 + number)) for number in range(1201)]
    first, middle, last = (a_session(of=ada, id=ids[place]) for place in (0, 600, 1200))
    await storage.has(ada, first, middle, last)

    removed = await removed_by_two(storage, lambda work: work.sessions.remove, ids, middle.id)

    assert sorted(removed) == [0, 3]


async def test_sessions_past_their_idle_or_absolute_timeout_are_removed_and_their_ids_returned(
    storage: Storage,
) -> None:
    ada = a_user()
    moment = timedelta(microseconds=1)
    ended = a_session(of=ada, seen_at=NOON + MINUTE, ends_at=NOON)
    idle = a_session(of=ada, seen_at=NOON - MINUTE, ends_at=NOON + MINUTE)
    live = a_session(of=ada, seen_at=NOON - MINUTE + moment, ends_at=NOON + moment)
    await storage.has(ada, ended, idle, live)

    async with storage.units.writing() as work:
        removed = await work.sessions.remove_dead(
            ended_by=NOON, idle_since=NOON - MINUTE, spares_remembered=True
        )
        await work.commit()

    assert set(removed) == {ended.id, idle.id}
    async with storage.units.reading() as work:
        assert list(await work.sessions.of_user(ada.id)) == [live]


@pytest.mark.parametrize("spares", [True, False])
async def test_remembered_sessions_are_spared_from_the_idle_timeout_on_request(
    storage: Storage, *, spares: bool
) -> None:
    ada = a_user()
    idle = a_session(of=ada, seen_at=NOON - MINUTE, is_remembered=True)
    ended = a_session(of=ada, seen_at=NOON - MINUTE, ends_at=NOON, is_remembered=True)
    await storage.has(ada, idle, ended)

    async with storage.units.writing() as work:
        removed = await work.sessions.remove_dead(
            ended_by=NOON, idle_since=NOON - MINUTE, spares_remembered=spares
        )
        await work.commit()

    assert set(removed) == ({ended.id} if spares else {ended.id, idle.id})
    async with storage.units.reading() as work:
        assert list(await work.sessions.of_user(ada.id)) == ([idle] if spares else [])


async def test_a_page_of_all_sessions_has_the_newest_sign_in_first(
    storage: Storage,
) -> None:
    ada, grace = a_user(roles={"admin"}), a_user()
    oldest = a_session(of=ada, created_at=NOON)
    twins = [a_session(of=user, created_at=NOON + MINUTE) for user in (ada, grace, ada)]
    newest = a_session(of=grace, created_at=NOON + 2 * MINUTE, seen_at=NOON)
    await storage.has(ada, grace, oldest, newest, *twins)

    async with storage.units.reading() as work:
        everything = await work.sessions.page(limit=10)
        paged = list(await work.sessions.page(limit=2))
        while page := await work.sessions.page(limit=2, after=paged[-1][0].id):
            paged.extend(page)

    assert everything[0] == (newest, grace)
    assert everything[-1] == (oldest, ada)
    assert paged == list(everything)
    assert len(paged) == 5


class PlainCodec(SignedTokenCodec):
    def encode(self, purpose: Purpose, claims: Claims) -> str:
        return claims.secret_id

    def decode(self, purpose: Purpose, signed_token: str) -> Claims:
        return Claims(subject="", secret_id=signed_token, issued_at=NOON, expires_at=NOON)


async def test_twenty_concurrent_sign_ins_leave_exactly_the_limit_of_sessions(
    storage: Storage,
) -> None:
    ada = a_user()
    await storage.has(ada)
    policy = SessionPolicy(idle=MINUTE, absolute=MINUTE, per_user=5)
    service = SessionService(
        codec=PlainCodec(), clock=StoppedClock(), ids=RandomIds(), policy=policy
    )

    async def sign_in() -> None:
        async with storage.units.writing() as work:
            user = await work.users.get_locked(ada.id)
            await service.open(work.sessions, user, Device(address="192.0.2.1", agent=""))
            await work.commit()

    await asyncio.gather(*(sign_in() for _ in range(20)))

    async with storage.units.reading() as work:
        assert len(await work.sessions.of_user(ada.id)) == 5
