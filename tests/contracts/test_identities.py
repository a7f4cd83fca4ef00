"""Promises of every storage about identities at providers, and the sessions that began there."""

import asyncio
from datetime import timedelta

import pytest

from domain.errors import IdentityTaken, UserNotFound
from domain.model.identity import Identity, Origin
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import NOON, a_session, a_user, an_identity
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ISSUER = "https://id.example.org"
OTHER = "https://other.example.org"
KEY = b"\1" * 32
MINUTE = timedelta(minutes=1)


async def of_store(units: UnitsOfWork, issuer: str, subject: str) -> Identity | None:
    async with units.reading() as work:
        return await work.identities.find(issuer, subject)


async def test_an_identity_is_found_by_exactly_its_issuer_and_subject(storage: Storage) -> None:
    ada = a_user()
    identity = an_identity(of=ada, subject="a Subject")
    await storage.has(ada, identity)

    assert await of_store(storage.units, ISSUER, "a Subject") == identity
    for issuer, subject in [
        (ISSUER, "a subject"),
        (OTHER, "a Subject"),
        (ISSUER, "a Subject "),
        (ISSUER.upper(), "a Subject"),
        ("a Subject", ISSUER),
    ]:
        assert await of_store(storage.units, issuer, subject) is None


async def test_adding_raises_user_not_found_when_the_account_is_gone(units: UnitsOfWork) -> None:
    identity = an_identity(of=a_user())

    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.identities.add(identity)
        await work.commit()

    assert await of_store(units, identity.issuer, identity.subject) is None


async def test_issuer_and_subject_belong_to_one_account_and_an_account_to_one_subject_of_an_issuer(
    storage: Storage,
) -> None:
    ada, bob = a_user(), a_user()
    identity = an_identity(of=ada, subject="1")
    await storage.has(ada, bob, identity)

    async with storage.units.writing() as work:
        for taken in (an_identity(of=bob, subject="1"), an_identity(of=ada, subject="2")):
            with pytest.raises(IdentityTaken):
                await work.identities.add(taken)
        await work.identities.add(an_identity(of=bob, subject="2"))
        await work.commit()

    found = [await of_store(storage.units, ISSUER, subject) for subject in ("1", "2")]
    assert [one and one.user_id for one in found] == [ada.id, bob.id]


async def test_of_two_first_sign_ins_at_once_one_is_refused(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)

    async def links(units: UnitsOfWork, identity: Identity) -> str:
        async with units.writing() as work:
            try:
                await work.identities.add(identity)
            except IdentityTaken:
                return "refused"
            await work.commit()
        return "linked"

    done = await asyncio.gather(
        links(storage.units, an_identity(of=ada, subject="1")),
        links(storage.replica, an_identity(of=bob, subject="1")),
    )

    assert sorted(done) == ["linked", "refused"]


async def test_an_account_has_its_identities_and_loses_them_all(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    hers = [an_identity(of=ada, issuer=issuer) for issuer in (ISSUER, OTHER)]
    his = an_identity(of=bob)
    await storage.has(ada, bob, hers[1], hers[0], his)

    async with storage.units.writing() as work:
        before = await work.identities.of_user(ada.id)
        removed = await work.identities.remove_of_user(ada.id)
        again = await work.identities.remove_of_user(ada.id)
        await work.commit()

    async with storage.units.reading() as work:
        after = await work.identities.of_user(ada.id)
        of_bob = await work.identities.of_user(bob.id)
    assert (before, removed, again, after, of_bob) == (hers, 2, 0, [], [his])


async def test_a_logout_token_is_spent_once_until_it_is_forgotten(storage: Storage) -> None:
    async def spend(units: UnitsOfWork, key: bytes = KEY) -> bool:
        async with units.writing() as work:
            is_first = await work.identities.spend_logout_token(key, expires_at=NOON)
            await work.commit()
        return is_first

    async def forget(by: timedelta) -> int:
        async with storage.units.writing() as work:
            forgotten = await work.identities.forget_logout_tokens(expired_by=NOON + by)
            await work.commit()
        return forgotten

    at_once = await asyncio.gather(spend(storage.units), spend(storage.replica))
    another = await spend(storage.units, b"\2" * 32)
    kept = await forget(-MINUTE)
    again = await spend(storage.replica)
    forgotten = await forget(timedelta(0))
    after = await spend(storage.units)

    assert sorted(at_once) == [False, True]
    assert (another, kept, again, forgotten, after) == (True, 0, False, 2, True)


async def test_a_session_keeps_the_sign_in_with_which_it_began(storage: Storage) -> None:
    ada = a_user()
    sessions = [
        a_session(of=ada, origin=Origin(issuer=ISSUER, subject="1", sid="s")),
        a_session(of=ada, origin=Origin(issuer=ISSUER, subject="1")),
        a_session(of=ada),
    ]
    await storage.has(ada, *sessions)

    async with storage.units.reading() as work:
        found = [await work.sessions.find(session.id) for session in sessions]
        with_user = await work.sessions.find_with_user(sessions[0].secret_hash)

    assert found == sessions
    assert with_user is not None
    assert with_user[0] == sessions[0]


async def test_sessions_are_found_by_issuer_with_subject_or_sid_or_both(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    named = {
        "laptop": a_session(of=ada, origin=Origin(issuer=ISSUER, subject="1", sid="x")),
        "phone": a_session(of=ada, origin=Origin(issuer=ISSUER, subject="1", sid="y")),
        "no sid": a_session(of=ada, origin=Origin(issuer=ISSUER, subject="1")),
        "bob": a_session(of=bob, origin=Origin(issuer=ISSUER, subject="2", sid="x")),
        "other": a_session(of=ada, origin=Origin(issuer=OTHER, subject="1", sid="x")),
        "password": a_session(of=ada),
    }
    await storage.has(ada, bob, *named.values())

    async def found(subject: str | None, sid: str | None) -> set[str]:
        async with storage.units.reading() as work:
            sessions = await work.sessions.of_provider(ISSUER, subject=subject, sid=sid)
        return {name for name, session in named.items() if session in sessions}

    assert await found("1", None) == {"laptop", "phone", "no sid"}
    assert await found(None, "x") == {"laptop", "bob"}
    assert await found("1", "x") == {"laptop"}
    assert await found("3", None) == set()
    assert await found(None, None) == set()


async def test_accounts_marked_as_break_glass_are_found(storage: Storage) -> None:
    ada = a_user(email="ada@example.org", is_break_glass=True)
    await storage.has(a_user(email="bob@example.org"), ada)

    async with storage.units.writing() as work:
        before = await work.users.break_glass()
        await work.users.save(ada.marked_break_glass(NOON, is_marked=False))
        after = await work.users.break_glass()
        await work.commit()

    assert (before, after) == ([ada], [])
