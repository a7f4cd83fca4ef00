"""Signing in, being recognised, signing out, and the first admin."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from domain.errors import (
    DomainError,
    PasswordInvalid,
    SessionEnded,
    SetupClosed,
    SignInRefused,
    SignInThrottled,
    StoreUnavailable,
    TokenRefused,
)
from domain.model.caller import Caller
from domain.model.session import Device
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from domain.services.auth import PER_ACCOUNT, PER_ADDRESS
from domain.services.sessions import Opened
from tests.use_cases.conftest import LAPTOP, PASSWORD, House


async def test_who_signs_in_is_recognised_by_the_token(house: House) -> None:
    ada = await house.has("Ada@Example.org")

    opened = await house.opens(" ADA@example.org ")
    signed_in = await house.app.recognise(opened.token, activity=True)

    assert signed_in.user == ada
    assert signed_in.session.id == opened.session.id
    assert signed_in.session.device == LAPTOP


@pytest.mark.asvs("V6.3.8")
async def test_unknown_wrong_closed_and_passwordless_are_refused_alike(house: House) -> None:
    await house.has("ada@example.org")
    closed = await house.has("closed@example.org")
    await house.app.disable_user(Caller.operator(), closed.id)
    await house.app.create_user(Caller.operator(), email="none@example.org", password=None)
    tries = [
        ("nobody@example.org", PASSWORD),
        ("not an e-mail\0", PASSWORD),
        ("ada@example.org", "wrong horse"),
        ("ada@example.org", f"{PASSWORD} "),
        ("ada@example.org", "x" * 4096),
        ("ada@example.org", "\0"),
        ("ada@example.org", "\ud800"),
        ("closed@example.org", PASSWORD),
        ("none@example.org", PASSWORD),
    ]

    said = set()
    for email, password in tries:
        with pytest.raises(SignInRefused) as refusal:
            await house.opens(email, password=password)
        said.add(str(refusal.value))

    assert len(said) == 1


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_wrong_passwords_for_one_account_are_throttled_wherever_they_come_from(
    house: House,
) -> None:
    await house.has()
    burst, every = PER_ACCOUNT
    for _ in range(burst):
        with pytest.raises(SignInRefused):
            await house.opens(password="wrong horse")

    with pytest.raises(SignInThrottled) as refusal:
        await house.opens()

    house.passes(seconds=refusal.value.retry_after.total_seconds())
    assert refusal.value.retry_after <= every
    assert await house.opens()


async def test_wrong_passwords_from_one_address_are_throttled_whatever_the_account(
    house: House,
) -> None:
    burst, _ = PER_ADDRESS
    for number in range(burst):
        with pytest.raises(SignInRefused):
            await house.opens(f"user{number}@example.org")

    with pytest.raises(SignInThrottled):
        await house.opens("another@example.org")


async def test_all_ipv6_addresses_of_one_household_are_one(house: House) -> None:
    burst, _ = PER_ADDRESS

    async def tries(address: str, number: int) -> None:
        device = Device(address=address, agent="Laptop")
        with pytest.raises(SignInRefused):
            await house.app.log_in(f"user{number}@example.org", "wrong horse", device)

    for number in range(burst):
        await tries(f"2001:db8::{number:x}", number)

    with pytest.raises(SignInThrottled):
        await tries("2001:db8::ffff:1", burst)
    await tries("2001:db8:0:1::1", burst)


async def test_an_account_is_one_however_its_e_mail_is_written(house: House) -> None:
    burst, _ = PER_ACCOUNT
    for number in range(burst):
        with pytest.raises(SignInRefused):
            await house.opens(["é@example.org", "E\u0301@EXAMPLE.ORG"][number % 2])

    with pytest.raises(SignInThrottled):
        await house.opens("É@example.org")


class ReadOnly(UnitsOfWork):
    """A store that can be read and not written."""

    def __init__(self, whole: UnitsOfWork) -> None:
        self._whole = whole

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._whole.reading()

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable


async def test_who_is_signed_in_stays_so_while_the_store_cannot_be_written(house: House) -> None:
    await house.has()
    opened = await house.opens()
    house.passes(minutes=5)
    recognise = replace(
        house.app.recognise, units_of_work=ReadOnly(house.container.units_of_work())
    )

    signed_in = await recognise(opened.token, activity=True)

    assert signed_in.session.id == opened.session.id


async def test_right_passwords_are_never_throttled(house: House) -> None:
    await house.has()

    opened = [await house.opens() for _ in range(PER_ADDRESS[0] + PER_ACCOUNT[0] + 5)]

    assert len({one.session.id for one in opened}) == len(opened)


@pytest.mark.asvs("V7.2.4")
async def test_signing_in_again_ends_the_session_the_browser_had(house: House) -> None:
    await house.has()
    first = await house.opens()
    had = await house.app.recognise(first.token, activity=True)

    second = await house.app.log_in("ada@example.org", PASSWORD, LAPTOP, replacing=had)

    assert second.token != first.token
    with pytest.raises(SessionEnded):
        await house.app.recognise(first.token, activity=True)


@pytest.mark.asvs("V7.1.2")
async def test_over_the_cap_the_oldest_sign_in_ends(house: House) -> None:
    await house.has()
    opened: list[Opened] = []
    for _ in range(11):
        opened.append(await house.opens())
        house.passes(seconds=1)

    with pytest.raises(SessionEnded):
        await house.app.recognise(opened[0].token, activity=False)

    for one in opened[1:]:
        assert await house.app.recognise(one.token, activity=False)


async def test_what_is_only_polling_does_not_keep_a_session_awake(house: House) -> None:
    await house.has()
    polling, working = await house.opens(), await house.opens()

    for _ in range(4):
        house.passes(minutes=10)
        await house.app.recognise(working.token, activity=True)
        if _ < 2:
            await house.app.recognise(polling.token, activity=False)

    assert await house.app.recognise(working.token, activity=True)
    with pytest.raises(SessionEnded):
        await house.app.recognise(polling.token, activity=False)


async def test_a_running_event_keeps_its_session_awake(house: House) -> None:
    await house.has()
    opened = await house.opens()

    for _ in range(6):
        house.passes(minutes=10)
        await house.app.keep_awake([opened.session.id])

    assert await house.app.recognise(opened.token, activity=False)


async def test_keeping_awake_revives_nothing(house: House) -> None:
    await house.has()
    ended, idle = await house.sign_in(), await house.opens()
    await house.app.log_out(ended.caller)
    house.passes(minutes=31)

    await house.app.keep_awake([ended.session.id, idle.session.id])

    with pytest.raises(SessionEnded):
        await house.app.recognise(idle.token, activity=False)
    assert not await house.app.list_sessions(Caller.operator(), ended.user.id)


@pytest.mark.asvs("V7.4.1")
async def test_signing_out_ends_the_session_at_once_and_twice_is_no_error(house: House) -> None:
    await house.has()
    opened = await house.opens()
    signed_in = await house.app.recognise(opened.token, activity=True)

    await house.app.log_out(signed_in.caller)
    await house.app.log_out(signed_in.caller)

    with pytest.raises(SessionEnded):
        await house.app.recognise(opened.token, activity=False)


async def test_what_is_no_token_of_ours_is_an_ended_session(
    house: House, subtests: pytest.Subtests
) -> None:
    for token in ["", "x", "a.b.c", "\0", "é", "x" * 100_000]:
        with subtests.test(token=token), pytest.raises(SessionEnded):
            await house.app.recognise(token, activity=True)


async def test_a_token_is_only_good_for_the_session_it_was_made_for(house: House) -> None:
    setup = await house.app.offer_setup()
    form = house.app.form_tokens.offer("browser")
    assert setup is not None

    for token in (setup, form):
        with pytest.raises(SessionEnded):
            await house.app.recognise(token, activity=True)
    with pytest.raises(TokenRefused):
        await house.app.check_setup(form)
    with pytest.raises(TokenRefused):
        house.app.form_tokens.must_be_ours(form, "another browser")
    house.app.form_tokens.must_be_ours(form, "browser")


async def test_a_session_ended_during_a_touch_stays_ended(house: House) -> None:
    await house.has()
    opened = await house.opens()
    signed_in = await house.app.recognise(opened.token, activity=True)
    house.passes(minutes=5)

    results = await asyncio.gather(
        house.app.log_out(signed_in.caller),
        house.app.recognise(opened.token, activity=True),
        return_exceptions=True,
    )

    assert not [r for r in results if isinstance(r, Exception) and not isinstance(r, DomainError)]
    with pytest.raises(SessionEnded):
        await house.app.recognise(opened.token, activity=True)


async def test_an_older_hash_is_upgraded_at_sign_in(house: House) -> None:
    ada = await house.has()
    async with house.container.units_of_work().writing() as work:
        await work.users.save(ada.with_password(OLD_HASH, ada.updated_at))
        await work.commit()

    await house.opens()

    stored = (await house.app.get_user(Caller.operator(), ada.id)).password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert await house.opens()


OLD_HASH = "$2b$04$0PUyqIwLKp22k7JzDAlzKeJRODA7TuoJpev6h.Hk/qjudfGnf3Ywq"
"""Plain bcrypt of PASSWORD, as the older template kept it."""


@pytest.mark.asvs("V6.3.2", "V6.4.1")
async def test_the_set_up_link_makes_the_first_admin_and_signs_them_in(house: House) -> None:
    link = await house.app.offer_setup()
    assert link is not None
    await house.app.check_setup(link)
    await house.app.check_setup(link)

    opened = await house.app.set_up(
        link, email="Ada@example.org", name="", password=PASSWORD, device=LAPTOP
    )

    user = (await house.app.recognise(opened.token, activity=True)).user
    assert (user.email, user.name, user.is_admin) == ("ada@example.org", "ada", True)
    assert await house.app.offer_setup() is None
    with pytest.raises(SetupClosed):
        await house.app.check_setup(link)


async def test_of_two_first_admins_at_once_one_wins(house: House) -> None:
    link = await house.app.offer_setup()
    assert link is not None

    results = await asyncio.gather(
        *(
            house.app.set_up(
                link, email=f"{n}@example.org", name="", password=PASSWORD, device=LAPTOP
            )
            for n in range(5)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(r, Opened) for r in results) == 1
    assert sum(isinstance(r, SetupClosed) for r in results) == 4


async def test_a_set_up_link_lasts_a_quarter_of_an_hour(house: House) -> None:
    link = await house.app.offer_setup()
    assert link is not None

    house.passes(minutes=15)

    with pytest.raises(TokenRefused):
        await house.app.check_setup(link)


async def test_a_refused_set_up_loses_nothing(house: House) -> None:
    link = await house.app.offer_setup()
    assert link is not None

    with pytest.raises(PasswordInvalid):
        await house.app.set_up(link, email="a@b.de", name="", password="short", device=LAPTOP)

    assert await house.app.set_up(link, email="a@b.de", name="", password=PASSWORD, device=LAPTOP)
