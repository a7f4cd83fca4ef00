"""A sign-in takes over the browser's session that has just expired, once, and no other."""

from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from domain.errors import SessionExpired
from domain.model.caller import Caller
from domain.services.sessions import Opened
from tests.use_cases.conftest import PASSWORD, House

OPERATOR = Caller.operator()
ADA = "ada@example.org"


async def test_a_sign_in_takes_over_the_idle_session_of_its_browser_once(house: House) -> None:
    ada = await house.has()
    before = await house.opens()
    house.passes(minutes=30)
    with pytest.raises(SessionExpired):
        await house.use_cases.recognise(before.signed_token, activity=True)

    taken = [await house.use_cases.take_over_session(before.signed_token, by=ada.id) for _ in "12"]

    assert taken == [before.session.id, None]


async def test_a_sign_in_takes_over_the_session_that_has_reached_its_maximum_age(
    house: House,
) -> None:
    ada = await house.has()
    before = await house.opens()
    for _ in range(25):
        house.passes(minutes=28)
        await house.use_cases.recognise(before.signed_token, activity=True)
    house.passes(minutes=20 + 14)

    taken = await house.use_cases.take_over_session(before.signed_token, by=ada.id)

    assert taken == before.session.id


async def waits_too_long(house: House, before: Opened) -> None:
    house.passes(minutes=15)


async def signs_out(house: House, before: Opened) -> None:
    await house.use_cases.take_over_session(before.signed_token, by=None)


async def another_account_signs_in(house: House, before: Opened) -> None:
    bob = await house.has("bob@example.org")
    assert await house.use_cases.take_over_session(before.signed_token, by=bob.id) is None


async def revokes(house: House, before: Opened) -> None:
    await house.use_cases.revoke_session(OPERATOR, before.session.id)


async def revokes_others(house: House, before: Opened) -> None:
    await house.use_cases.revoke_other_sessions((await house.sign_in()).caller)


async def revokes_all(house: House, before: Opened) -> None:
    await house.use_cases.revoke_all_sessions(OPERATOR, before.session.user_id)


async def changes_password(house: House, before: Opened) -> None:
    me = await house.sign_in()
    await house.use_cases.change_password(me.caller, current=PASSWORD, new="battery staple")


async def sets_password(house: House, before: Opened) -> None:
    await house.use_cases.set_password(OPERATOR, before.session.user_id, "battery staple")


async def disables(house: House, before: Opened) -> None:
    await house.use_cases.disable_user(OPERATOR, before.session.user_id)
    await house.use_cases.enable_user(OPERATOR, before.session.user_id)


@pytest.mark.parametrize(
    "acts",
    [
        *(waits_too_long, signs_out, another_account_signs_in, revokes, revokes_others),
        *(revokes_all, changes_password, sets_password, disables),
    ],
)
async def test_a_session_is_not_taken_over_after(
    house: House, acts: Callable[[House, Opened], Awaitable[None]]
) -> None:
    ada = await house.has()
    before = await house.opens()
    house.passes(minutes=31)

    await acts(house, before)

    assert await house.use_cases.take_over_session(before.signed_token, by=ada.id) is None


async def test_a_live_session_is_not_taken_over_and_goes_on(house: House) -> None:
    ada = await house.has()
    live = await house.opens()

    assert await house.use_cases.take_over_session(live.signed_token, by=ada.id) is None

    assert await house.use_cases.recognise(live.signed_token, activity=False)


@pytest.mark.parametrize("token", ["", "no token", "a.b.c"])
async def test_a_cookie_that_is_no_token_of_ours_takes_nothing_over(
    house: House, token: str
) -> None:
    ada = await house.has()

    assert await house.use_cases.take_over_session(token, by=ada.id) is None


async def test_an_expired_session_is_not_reported_as_ended_for_fifteen_minutes(
    house: House,
) -> None:
    await house.has()
    before = await house.opens()
    ids = [before.session.id]

    house.passes(minutes=44)
    assert await house.use_cases.ended_sessions(ids) == frozenset()
    house.passes(minutes=1)
    assert await house.use_cases.ended_sessions(ids) == frozenset(ids)


async def test_a_new_sign_in_does_not_push_out_an_expired_session(house: House) -> None:
    ada = await house.has()
    before = await house.opens()
    house.passes(minutes=31)
    for _ in range(10):
        await house.opens()

    assert await house.use_cases.take_over_session(before.signed_token, by=ada.id)


async def test_a_takeover_is_one_line_with_both_sides(house: House) -> None:
    ada = await house.has()
    bob = await house.has("bob@example.org")
    before = await house.opens()
    house.passes(minutes=30)

    with capture_logs() as lines:
        await house.use_cases.take_over_session(before.signed_token, by=ada.id)
        await house.use_cases.take_over_session(before.signed_token, by=ada.id)
        await house.use_cases.take_over_session(before.signed_token, by=bob.id)
        await house.use_cases.take_over_session(before.signed_token, by=None)

    [line] = lines
    assert (line["event"], line["audit"], line["outcome"]) == ("session_renewed", True, "done")
    assert (line["of"], line["expired"]) == (str(ada.id), str(before.session.id))
