"""List and end sessions."""

import pytest

from adapters.system.clock import StoppedClock
from domain.errors import NotAllowed, SessionEnded, SessionExpired, SessionNotFound
from domain.model.caller import Caller
from tests.compositions import composition
from tests.use_cases.conftest import LAPTOP, PASSWORD, SETTINGS, House

OPERATOR = Caller.operator()


@pytest.mark.asvs("V7.5.2")
async def test_a_person_sees_their_live_sessions_and_no_others(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    await house.sign_in("bob@example.org")
    forgotten = await house.sign_in()
    house.passes(minutes=31)
    me = await house.sign_in()

    listed = await house.use_cases.list_sessions(me.caller, me.user.id)

    assert [session.id for session in listed] == [me.session.id]
    assert forgotten.session.id not in {session.id for session in listed}


async def test_a_person_ends_one_of_their_sessions_on_another_device(house: House) -> None:
    await house.has()
    there, me = await house.opens(), await house.sign_in()
    await house.use_cases.recognise(there.signed_token, activity=True)

    await house.use_cases.revoke_session(me.caller, there.session.id)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(there.signed_token, activity=True)


@pytest.mark.asvs("V8.2.2")
async def test_the_session_of_another_account_is_not_found(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    bobs = await house.opens("bob@example.org")
    me = await house.sign_in()

    with pytest.raises(SessionNotFound):
        await house.use_cases.revoke_session(me.caller, bobs.session.id)

    assert await house.use_cases.recognise(bobs.signed_token, activity=True)


async def test_an_admin_ends_no_other_accounts_session_through_their_own_account(
    house: House,
) -> None:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org")
    bobs = await house.opens("bob@example.org")
    me = await house.sign_in()

    with pytest.raises(SessionNotFound):
        await house.use_cases.revoke_session(me.caller, bobs.session.id, of=me.user.id)

    assert await house.use_cases.recognise(bobs.signed_token, activity=True)
    await house.use_cases.revoke_session(me.caller, bobs.session.id, of=bob.id)
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(bobs.signed_token, activity=True)


async def test_a_former_admin_cannot_end_the_session_of_another_account(house: House) -> None:
    grace = await house.has("grace@example.org", roles={"admin"})
    await house.has("ada@example.org", roles={"admin"})
    await house.has("bob@example.org")
    bobs = await house.opens("bob@example.org")
    former = await house.sign_in("grace@example.org")
    await house.use_cases.revoke_role(OPERATOR, grace.id, "admin")

    with pytest.raises(NotAllowed):
        await house.use_cases.revoke_session(former.caller, bobs.session.id)

    assert await house.use_cases.recognise(bobs.signed_token, activity=True)


async def test_all_other_sessions_end_and_the_current_one_stays(house: House) -> None:
    await house.has()
    others = [await house.opens() for _ in range(3)]
    mine = await house.opens()
    me = await house.use_cases.recognise(mine.signed_token, activity=True)

    assert await house.use_cases.revoke_other_sessions(me.caller) == 3

    assert await house.use_cases.recognise(mine.signed_token, activity=True)
    for other in others:
        with pytest.raises(SessionEnded):
            await house.use_cases.recognise(other.signed_token, activity=True)


@pytest.mark.asvs("V7.4.5")
async def test_an_admin_ends_all_sessions_of_an_account(house: House) -> None:
    ada = await house.has()
    opened = [await house.opens() for _ in range(2)]

    ended = await house.use_cases.revoke_all_sessions(OPERATOR, ada.id)

    assert (ended.sessions, ended.tokens) == (2, 0)

    for one in opened:
        with pytest.raises(SessionEnded):
            await house.use_cases.recognise(one.signed_token, activity=True)


async def test_sessions_are_purged_fifteen_minutes_after_they_have_expired(house: House) -> None:
    await house.has()
    await house.opens()
    house.passes(minutes=44)
    await house.opens()
    assert await house.use_cases.purge_sessions() == 0
    house.passes(minutes=1)

    assert await house.use_cases.purge_sessions() == 1
    assert await house.use_cases.purge_sessions() == 0
    assert len(await house.use_cases.list_all_sessions(OPERATOR)) == 1


async def test_a_remembered_session_is_not_purged_until_its_lifetime_is_over() -> None:
    settings = SETTINGS.replaced(remember_days=30)
    clock = StoppedClock()
    with composition(settings, clock) as container:
        house = House(container, clock)
        await house.has()
        await house.use_cases.log_in("ada@example.org", PASSWORD, LAPTOP, is_remembered=True)
        await house.opens()

        house.passes(days=30)
        assert await house.use_cases.purge_sessions() == 1
        house.passes(minutes=15)
        assert await house.use_cases.purge_sessions() == 1


async def test_expired_sessions_are_not_listed_and_do_not_count_for_the_limit(
    house: House,
) -> None:
    await house.has()
    expired = [await house.opens() for _ in range(9)]
    house.passes(minutes=31)
    live = [await house.opens() for _ in range(2)]

    listed = [session.id for session, _ in await house.use_cases.list_all_sessions(OPERATOR)]
    first = await house.use_cases.list_all_sessions(OPERATOR, limit=1)
    second = await house.use_cases.list_all_sessions(OPERATOR, limit=1, after=first[0][0].id)
    third = await house.use_cases.list_all_sessions(OPERATOR, limit=1, after=second[0][0].id)

    assert sorted(listed) == sorted(one.session.id for one in live)
    assert [*first, *second] == await house.use_cases.list_all_sessions(OPERATOR)
    assert third == []
    assert [one.ended for one in live] == [[], []]
    for one in expired:
        with pytest.raises(SessionExpired):
            await house.use_cases.recognise(one.signed_token, activity=False)
