"""A browser that has signed in before has a limit of its own, until it is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import (
    KnownDeviceNotFound,
    NotAllowed,
    SignInRefused,
    SignInThrottled,
    WrongPassword,
)
from domain.model.caller import Caller, SignedIn
from domain.model.known_device import PER_ACCOUNT, PER_COOKIE, KnownDeviceId
from domain.model.session import SessionId
from domain.model.signed_token import Claims, Purpose
from domain.services import auth
from tests.use_cases.conftest import LAPTOP, PASSWORD, House

ADA = "ada@example.org"
BOB = "bob@example.org"
OPERATOR = Caller.operator()


@dataclass
class Browser:
    """A browser at the address of LAPTOP. It keeps its cookie as browsers do."""

    house: House
    cookie: str | None = None

    async def signs_in(self, email: str = ADA, *, password: str = PASSWORD) -> SignedIn:
        use_cases = self.house.use_cases
        opened = await use_cases.log_in(email, password, LAPTOP, device_token=self.cookie)
        self.cookie = opened.device_token
        return await use_cases.recognise(opened.signed_token, activity=False)

    async def is_known(self, email: str = ADA) -> bool:
        """Return whether a stranger at the same address cannot keep the account out of this browser."""
        await exhausts(self.house, email)
        try:
            await self.house.use_cases.log_in(email, PASSWORD, LAPTOP, device_token=self.cookie)
        except SignInThrottled:
            return False
        return True


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


async def exhausts(house: House, email: str = ADA) -> None:
    """Use up the limits of the address and the account, as a stranger would."""
    refused = 0
    for number in range(100):
        names = [email, f"user{number}@example.org"]
        for name in names:
            try:
                await house.use_cases.log_in(name, "wrong horse", LAPTOP)
            except SignInThrottled:
                refused += 1
            except SignInRefused:
                refused = 0
        if refused > 3:
            return
    raise AssertionError("The limits were not reached.")


@pytest.mark.asvs("V6.3.1")
@pytest.mark.parametrize("roles", [set(), {"admin"}])
async def test_a_stranger_keeps_nobody_out_of_their_own_browser(
    house: House, browser: Browser, roles: set[str]
) -> None:
    await house.has(roles=roles)
    await browser.signs_in()

    await exhausts(house)

    assert await browser.signs_in()
    with pytest.raises(SignInThrottled):
        await Browser(house).signs_in()


async def test_a_browser_stays_known_after_sign_out_and_after_its_session(
    house: House, browser: Browser
) -> None:
    await house.has()
    me = await browser.signs_in()
    await house.use_cases.log_out(me.caller)
    house.passes(days=364)
    await house.use_cases.purge_sessions()
    await house.use_cases.purge_devices()

    assert await browser.is_known()


async def test_a_browser_is_forgotten_after_a_year_without_sign_in(
    house: House, browser: Browser
) -> None:
    await house.has()
    await browser.signs_in()
    house.passes(days=200)
    await browser.signs_in()
    house.passes(days=200)
    renewed = await house.use_cases.purge_devices()
    house.passes(days=165)

    assert renewed == 0
    assert not await browser.is_known()
    assert await house.use_cases.purge_devices() == 1


async def test_wrong_passwords_in_a_known_browser_have_a_limit_too(
    house: House, browser: Browser
) -> None:
    await house.has()
    await browser.signs_in()
    burst, every = auth.PER_DEVICE
    for _ in range(burst):
        with pytest.raises(SignInRefused):
            await browser.signs_in(password="wrong horse")

    with pytest.raises(SignInThrottled) as refusal:
        await browser.signs_in()

    assert refusal.value.retry_after == every
    assert await Browser(house).signs_in()


@pytest.mark.parametrize(
    ("limit", "documented"),
    [
        (auth.PER_DEVICE, "one account in a browser that it has signed in with before"),
        (auth.PER_ACCOUNT_AND_ADDRESS, "one account at one address"),
        (auth.PER_ACCOUNT, "one account, over all addresses"),
        (auth.PER_ADDRESS, "one address, over all accounts"),
        (auth.PER_SESSION, "one session that confirms its password"),
    ],
)
def test_the_documented_limits_are_those_of_the_code(
    limit: tuple[int, timedelta], documented: str
) -> None:
    burst, every = limit
    docs = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    [row] = [line for line in docs.splitlines() if line.startswith(f"| {documented}")]

    cells = [cell.strip() for cell in row.split("|")]

    assert cells[2] == str(burst)
    assert cells[3].startswith(f"{every.seconds} seconds")
    assert burst <= 30


async def test_a_browser_that_is_known_to_one_account_is_a_stranger_to_others(
    house: House, browser: Browser
) -> None:
    await house.has()
    await house.has(BOB)
    await browser.signs_in()

    assert not await browser.is_known(BOB)


async def test_one_browser_is_known_to_five_accounts_and_forgets_the_one_unused_for_longest(
    house: House, browser: Browser
) -> None:
    emails = [f"user{number}@example.net" for number in range(PER_COOKIE + 1)]
    for email in emails:
        await house.has(email)
    for email in [*emails[:PER_COOKIE], emails[0], emails[PER_COOKIE]]:
        house.passes(minutes=1)
        await browser.signs_in(email)

    known = []
    for email in emails:
        house.passes(minutes=10)
        known.append(await browser.is_known(email))

    assert known == [True, False, True, True, True, True]


async def test_an_account_has_at_most_twenty_known_devices(house: House) -> None:
    await house.has()
    browsers = [Browser(house) for _ in range(PER_ACCOUNT + 1)]
    for one in [*browsers[:PER_ACCOUNT], browsers[0], browsers[PER_ACCOUNT]]:
        house.passes(seconds=1)
        me = await one.signs_in()

    listed = await house.use_cases.list_known_devices(me.caller)

    assert len(listed) == PER_ACCOUNT
    assert [await one.is_known() for one in browsers[:3]] == [True, False, True]


@pytest.mark.asvs("V9.2.2")
async def test_no_other_text_makes_a_browser_known(
    house: House, browser: Browser, subtests: pytest.Subtests
) -> None:
    ada = await house.has()
    me = await browser.signs_in()
    assert browser.cookie is not None
    now = house.clock.now()
    claims = house.container.codec().decode(Purpose.DEVICE, browser.cookie)
    as_session = house.container.codec().encode(Purpose.SESSION, claims)
    of_nobody = house.container.codec().encode(
        Purpose.DEVICE,
        Claims(subject="x.y", secret_id="z", issued_at=now, expires_at=claims.expires_at),
    )
    head, body, mark = browser.cookie.split(".")

    for text in (
        "",
        "x",
        "a.b.c",
        "é" * 100,
        str(ada.id),
        claims.subject,
        as_session,
        of_nobody,
        f"{head}.{body}.{mark[::-1]}",
        f"{head}.{body}.",
        (await house.opens()).signed_token,
    ):
        with subtests.test(text=text[:40]):
            assert not await Browser(house, text).is_known()
    assert await browser.is_known()
    assert me.user.id == ada.id


async def test_the_cookie_and_the_store_do_not_tell_which_accounts_use_a_browser(
    house: House, browser: Browser
) -> None:
    ada, bob = await house.has(), await house.has(BOB)
    for email in (ADA, BOB):
        me = await browser.signs_in(email)
    assert browser.cookie is not None
    claims = house.container.codec().decode(Purpose.DEVICE, browser.cookie)

    secrets = claims.subject.split(".")

    assert [len(secret) for secret in secrets] == [43, 43]
    assert len(browser.cookie) < 800
    text = str(claims)
    for user in (ada, bob):
        assert str(user.id) not in text
        assert user.id.hex not in text
        assert user.email not in text
    [device] = await house.use_cases.list_known_devices(me.caller)
    assert device.secret_hash.hex() not in text
    assert not any(secret.encode() in device.secret_hash for secret in secrets)


async def test_a_planted_cookie_of_another_browser_does_not_make_that_browser_known(
    house: House, browser: Browser
) -> None:
    """Somebody gives their own cookie to the browser of another person, and waits for a sign-in."""
    await house.has()
    await house.has(BOB)
    thief = Browser(house)
    await thief.signs_in(BOB)
    browser.cookie = thief.cookie

    await browser.signs_in()

    assert not await thief.is_known()
    assert await browser.is_known()


async def test_simultaneous_sign_ins_in_a_known_browser_are_never_refused(
    house: House, browser: Browser
) -> None:
    await house.has()
    await browser.signs_in()

    await exhausts(house)

    assert len(await asyncio.gather(*(browser.signs_in() for _ in range(50)))) == 50
    assert await browser.is_known()


async def changes_password(house: House, me: SignedIn, there: SignedIn) -> None:
    await house.use_cases.change_password(me.caller, current=PASSWORD, new="another horse")
    again = (await house.use_cases.get_user(OPERATOR, me.user.id)).with_password(
        me.user.password_hash or "", house.clock.now()
    )
    async with house.container.units_of_work().writing() as work:
        await work.users.save(again)
        await work.commit()


async def disables(house: House, me: SignedIn, there: SignedIn) -> None:
    await house.use_cases.disable_user(OPERATOR, me.user.id)
    await house.use_cases.enable_user(OPERATOR, me.user.id)


Ends = Callable[[House, SignedIn, SignedIn], Awaitable[object]]
"""Takes the session here and the one in another browser."""

ENDING: dict[str, tuple[Ends, list[bool]]] = {
    "end that session": (
        lambda house, me, there: house.use_cases.revoke_session(me.caller, there.session.id),
        [True, False],
    ),
    "end this session": (
        lambda house, me, there: house.use_cases.revoke_session(me.caller, me.session.id),
        [False, True],
    ),
    "end that session as an operator": (
        lambda house, me, there: house.use_cases.revoke_session(OPERATOR, there.session.id),
        [True, False],
    ),
    "end all others": (
        lambda house, me, there: house.use_cases.revoke_other_sessions(me.caller),
        [True, False],
    ),
    "end all as an operator": (
        lambda house, me, there: house.use_cases.revoke_all_sessions(OPERATOR, me.user.id),
        [False, False],
    ),
    "change the password": (changes_password, [True, False]),
    "set the password": (
        lambda house, me, there: house.use_cases.set_password(OPERATOR, me.user.id, PASSWORD),
        [False, False],
    ),
    "disable": (disables, [False, False]),
    "sign out": (lambda house, me, there: house.use_cases.log_out(me.caller), [True, True]),
}


@pytest.mark.asvs("V7.4.3", "V7.5.2")
@pytest.mark.parametrize("act", ENDING)
async def test_what_ends_sessions_also_forgets_their_devices(
    house: House, browser: Browser, act: str
) -> None:
    ends, expected = ENDING[act]
    await house.has()
    await house.has(BOB)
    other, bobs = Browser(house), Browser(house)
    there, me = await other.signs_in(), await browser.signs_in()
    await bobs.signs_in(BOB)

    await ends(house, me, there)

    assert [await browser.is_known(), await other.is_known()] == expected
    assert await bobs.is_known(BOB)


async def test_a_known_device_is_forgotten_by_its_owner_only(
    house: House, browser: Browser
) -> None:
    await house.has()
    await house.has(BOB, roles={"admin"})
    other = Browser(house)
    there = await other.signs_in()
    await house.use_cases.log_out(there.caller)
    me, bob = await browser.signs_in(), await Browser(house).signs_in(BOB)
    listed = await house.use_cases.list_known_devices(me.caller)
    [device] = [one for one in listed if one.session_id == there.session.id]

    for caller in (bob.caller, OPERATOR):
        with pytest.raises((KnownDeviceNotFound, NotAllowed)):
            await house.use_cases.forget_device(caller, device.id)
    with pytest.raises(KnownDeviceNotFound):
        await house.use_cases.forget_device(me.caller, KnownDeviceId(SessionId(device.session_id)))
    assert await other.is_known()
    await house.use_cases.forget_device(me.caller, device.id)

    assert not await other.is_known()
    assert await browser.is_known()


async def test_a_program_neither_lists_nor_forgets_devices(house: House, browser: Browser) -> None:
    await house.has()
    me = await browser.signs_in()
    made = await house.use_cases.create_token(me.caller, name="Nightly")
    program = await house.use_cases.recognise_token(made.value, activity=False)
    [device] = await house.use_cases.list_known_devices(me.caller)

    with pytest.raises(NotAllowed):
        await house.use_cases.list_known_devices(program.caller)
    with pytest.raises(NotAllowed):
        await house.use_cases.forget_device(program.caller, device.id)


async def test_the_first_admin_is_known_in_the_browser_of_the_set_up(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None

    opened = await house.use_cases.set_up(
        link, email=ADA, name="", password=PASSWORD, device=LAPTOP
    )

    assert await Browser(house, opened.device_token).is_known()


async def test_strangers_do_not_keep_a_signed_in_person_from_changing_the_password(
    house: House, browser: Browser
) -> None:
    await house.has()
    me = await browser.signs_in()
    await exhausts(house)

    with pytest.raises(WrongPassword):
        await house.use_cases.change_password(me.caller, current="wrong horse", new="new horse")
    await house.use_cases.change_password(me.caller, current=PASSWORD, new="new horse")

    assert await browser.signs_in(password="new horse")
