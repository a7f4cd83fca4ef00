"""Promises of every storage about the encrypted tokens that a provider gave at the sign-in of a session."""

import asyncio
from datetime import datetime, timedelta

import pytest

from domain.errors import SessionEnded
from domain.model.provider_tokens import SealedTokens
from domain.model.session import Session
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import NOON, a_session, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTE = timedelta(minutes=1)


async def kept(units: UnitsOfWork, session: Session) -> SealedTokens | None:
    async with units.reading() as work:
        return await work.provider_tokens.find(session.id)


async def adds(units: UnitsOfWork, session: Session, sealed: bytes = b"sealed") -> None:
    async with units.writing() as work:
        await work.provider_tokens.add(session.id, sealed)
        await work.commit()


async def begins(
    units: UnitsOfWork, session: Session, *, now: datetime = NOON, until: datetime = NOON + MINUTE
) -> bool:
    async with units.writing() as work:
        begun = await work.provider_tokens.begin_refresh(session.id, now=now, until=until)
        await work.commit()
    return begun


@pytest.fixture
def session() -> Session:
    return a_session(of=a_user())


async def has(storage: Storage, *sessions: Session) -> None:
    for session in sessions:
        await storage.has(a_user(id=session.user_id), session)
        await adds(storage.units, session)


async def test_tokens_are_kept_for_a_session_that_exists(
    storage: Storage, session: Session
) -> None:
    with pytest.raises(SessionEnded):
        await adds(storage.units, session)

    await has(storage, session)

    assert await kept(storage.replica, session) == SealedTokens(sealed=b"sealed")
    assert await kept(storage.units, a_session(of=a_user())) is None


async def test_tokens_are_gone_with_the_session(storage: Storage, session: Session) -> None:
    await has(storage, session)

    async with storage.units.writing() as work:
        await work.sessions.remove([session.id])
        await work.commit()

    assert await kept(storage.units, session) is None


async def test_tokens_are_gone_with_an_expired_session(storage: Storage, session: Session) -> None:
    await has(storage, session)

    async with storage.units.writing() as work:
        await work.sessions.remove_dead(
            ended_by=session.ends_at, idle_since=NOON - MINUTE, spares_remembered=False
        )
        await work.commit()

    assert await kept(storage.units, session) is None


async def test_saving_updates_and_never_inserts_and_ends_the_refresh(
    storage: Storage, session: Session
) -> None:
    await has(storage, session)
    await begins(storage.units, session)
    gone = a_session(of=a_user())

    async with storage.units.writing() as work:
        assert await work.provider_tokens.save(session.id, b"new")
        assert not await work.provider_tokens.save(gone.id, b"new")
        await work.commit()

    assert await kept(storage.units, session) == SealedTokens(sealed=b"new")
    assert await kept(storage.units, gone) is None


async def test_one_of_all_processes_refreshes_until_its_time_is_over(
    storage: Storage, session: Session
) -> None:
    await has(storage, session)
    both = [storage.units, storage.replica] * 5

    begun = await asyncio.gather(*(begins(units, session) for units in both))
    later = await begins(storage.replica, session, now=NOON + MINUTE - timedelta(seconds=1))
    at_the_end = await begins(storage.replica, session, now=NOON + MINUTE, until=NOON + 2 * MINUTE)

    assert (begun.count(True), later, at_the_end) == (1, False, True)
    found = await kept(storage.units, session)
    assert found == SealedTokens(sealed=b"sealed", refreshing_until=NOON + 2 * MINUTE)


async def test_nobody_refreshes_tokens_that_are_gone(storage: Storage, session: Session) -> None:
    assert not await begins(storage.units, session)


async def test_a_refresh_that_has_ended_lets_another_begin(
    storage: Storage, session: Session
) -> None:
    await has(storage, session)
    assert await begins(storage.units, session)

    async with storage.units.writing() as work:
        await work.provider_tokens.end_refresh(session.id)
        await work.commit()

    assert await begins(storage.replica, session)


async def test_removing_takes_one_sessions_tokens_or_those_of_an_account(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    first, second, third, of_bob = (a_session(of=user) for user in (ada, ada, ada, bob))
    await storage.has(ada, bob, first, second, third, of_bob)
    for session in (first, second, third, of_bob):
        await adds(storage.units, session)

    async with storage.units.writing() as work:
        await work.provider_tokens.remove(first.id)
        await work.provider_tokens.remove(first.id)
        removed = await work.provider_tokens.remove_of_user(ada.id)
        await work.commit()

    left = [await kept(storage.units, one) for one in (first, second, third, of_bob)]
    assert removed == 2
    assert left == [None, None, None, SealedTokens(sealed=b"sealed")]
