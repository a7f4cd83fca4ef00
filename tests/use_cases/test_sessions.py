"""Seeing and ending sessions."""

import pytest

from domain.errors import SessionEnded, SessionNotFound
from domain.model.caller import Caller
from tests.use_cases.conftest import House

OPERATOR = Caller.operator()


@pytest.mark.asvs("V7.5.2")
async def test_a_person_sees_their_live_sessions_and_no_others(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    await house.sign_in("bob@example.org")
    forgotten = await house.sign_in()
    house.passes(minutes=31)
    me = await house.sign_in()

    listed = await house.app.list_sessions(me.caller, me.user.id)

    assert [session.id for session in listed] == [me.session.id]
    assert forgotten.session.id not in {session.id for session in listed}


async def test_a_person_ends_one_of_their_sessions_elsewhere(house: House) -> None:
    await house.has()
    there, me = await house.opens(), await house.sign_in()
    await house.app.recognise(there.token, activity=True)

    await house.app.revoke_session(me.caller, there.session.id)

    with pytest.raises(SessionEnded):
        await house.app.recognise(there.token, activity=True)


@pytest.mark.asvs("V8.2.2")
async def test_somebody_elses_session_is_not_there(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    bobs = await house.opens("bob@example.org")
    me = await house.sign_in()

    with pytest.raises(SessionNotFound):
        await house.app.revoke_session(me.caller, bobs.session.id)

    assert await house.app.recognise(bobs.token, activity=True)


async def test_all_other_sessions_end_and_this_one_stays(house: House) -> None:
    await house.has()
    others = [await house.opens() for _ in range(3)]
    mine = await house.opens()
    me = await house.app.recognise(mine.token, activity=True)

    assert await house.app.revoke_other_sessions(me.caller) == 3

    assert await house.app.recognise(mine.token, activity=True)
    for other in others:
        with pytest.raises(SessionEnded):
            await house.app.recognise(other.token, activity=True)


@pytest.mark.asvs("V7.4.5")
async def test_an_admin_ends_all_sessions_of_an_account(house: House) -> None:
    ada = await house.has()
    opened = [await house.opens() for _ in range(2)]

    assert await house.app.revoke_all_sessions(OPERATOR, ada.id) == 2

    for one in opened:
        with pytest.raises(SessionEnded):
            await house.app.recognise(one.token, activity=True)


async def test_sessions_past_their_end_are_purged(house: House) -> None:
    await house.has()
    await house.opens()
    house.passes(minutes=29)
    await house.opens()
    house.passes(minutes=1)

    assert await house.app.purge_sessions() == 1
    assert await house.app.purge_sessions() == 0
    assert len(await house.app.list_all_sessions(OPERATOR)) == 1
