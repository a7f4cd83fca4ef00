"""Sign in, be recognised, sign out, and make the first admin."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.memory.limiter import MemoryAttemptLimiter
from application.use_cases import LogIn
from domain.errors import (
    DomainError,
    HashingBusy,
    PasswordInvalid,
    SessionEnded,
    SetupClosed,
    SignedTokenRefused,
    SignInRefused,
    SignInThrottled,
    StoreUnavailable,
)
from domain.model.caller import Caller
from domain.model.session import Device
from domain.ports.security import AttemptLimiter, Limit, LimitReached
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from domain.services.auth import MOST_WAITING, PER_ACCOUNT, PER_ACCOUNT_AND_ADDRESS, PER_ADDRESS
from domain.services.sessions import Opened
from tests.use_cases.conftest import LAPTOP, PASSWORD, House


async def test_a_signed_in_user_is_recognised_by_the_signed_token(house: House) -> None:
    ada = await house.has("Ada@Example.org")

    opened = await house.opens(" ADA@example.org ")
    signed_in = await house.use_cases.recognise(opened.signed_token, activity=True)

    assert signed_in.user == ada
    assert signed_in.session.id == opened.session.id
    assert signed_in.session.device == LAPTOP


@pytest.mark.asvs("V6.3.8")
async def test_unknown_disabled_and_passwordless_accounts_and_wrong_passwords_are_refused_alike(
    house: House,
) -> None:
    await house.has("ada@example.org")
    closed = await house.has("closed@example.org")
    await house.use_cases.disable_user(Caller.operator(), closed.id)
    await house.use_cases.create_user(Caller.operator(), email="none@example.org", password=None)
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


class CountingLimiter(MemoryAttemptLimiter):
    asked = 0

    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        self.asked += 1
        return await super().take(limits, now)


def at(address: str) -> Device:
    return Device(address=address, agent="Laptop")


async def fails(house: House, email: str = "ada@example.org", *, address: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            await house.use_cases.log_in(email, "wrong horse", at(address))


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_wrong_passwords_for_one_account_are_throttled_at_one_address(house: House) -> None:
    await house.has()
    burst, every = PER_ACCOUNT_AND_ADDRESS
    await fails(house, address=LAPTOP.address, times=burst)

    with pytest.raises(SignInThrottled) as refusal:
        await house.opens()

    elsewhere = await house.use_cases.log_in("ada@example.org", PASSWORD, at("192.0.2.2"))
    house.passes(seconds=refusal.value.retry_after.total_seconds())
    assert elsewhere.session.device.address == "192.0.2.2"
    assert refusal.value.retry_after <= every
    assert await house.opens()


@pytest.mark.asvs("V6.3.1")
async def test_wrong_passwords_for_one_account_are_throttled_across_addresses(
    house: House,
) -> None:
    await house.has()
    burst, every = PER_ACCOUNT
    for number in range(burst):
        await fails(house, address=f"192.0.2.{number}", times=1)

    with pytest.raises(SignInThrottled) as refusal:
        await house.use_cases.log_in("ada@example.org", PASSWORD, at("192.0.2.99"))

    assert refusal.value.retry_after == every
    house.passes(minutes=5)
    for number in range(burst):
        await fails(house, address=f"192.0.2.{number}", times=1)


async def test_one_address_alone_cannot_keep_an_account_out_at_all_others(house: House) -> None:
    await house.has()
    await fails(house, address="192.0.2.1", times=PER_ACCOUNT_AND_ADDRESS[0])

    for _ in range(60):
        house.passes(seconds=30)
        await fails(house, address="192.0.2.1", times=1)
        with pytest.raises(SignInThrottled):
            await house.use_cases.log_in("ada@example.org", PASSWORD, at("192.0.2.1"))

    assert await house.use_cases.log_in("ada@example.org", PASSWORD, at("192.0.2.2"))


async def test_wrong_passwords_from_one_address_are_throttled_across_accounts(
    house: House,
) -> None:
    burst, _ = PER_ADDRESS
    for number in range(burst):
        await fails(house, f"user{number}@example.org", address=LAPTOP.address, times=1)

    with pytest.raises(SignInThrottled):
        await house.opens("another@example.org")


async def test_all_addresses_of_one_ipv6_network_share_a_limit(house: House) -> None:
    burst, _ = PER_ADDRESS
    for number in range(burst):
        await fails(house, f"user{number}@example.org", address=f"2001:db8::{number:x}", times=1)

    with pytest.raises(SignInThrottled):
        await house.use_cases.log_in("a@example.org", PASSWORD, at("2001:db8::ffff:1"))
    await fails(house, "a@example.org", address="2001:db8:0:1::1", times=1)


async def test_all_spellings_of_an_email_share_a_limit(house: House) -> None:
    burst, _ = PER_ACCOUNT_AND_ADDRESS
    for number in range(burst):
        await fails(
            house,
            ["é@example.org", "E\u0301@EXAMPLE.ORG"][number % 2],
            address=LAPTOP.address,
            times=1,
        )

    with pytest.raises(SignInThrottled):
        await house.opens("É@example.org")


async def test_an_attempt_that_a_limit_refuses_counts_against_no_other_limit(house: House) -> None:
    await fails(house, address=LAPTOP.address, times=PER_ACCOUNT_AND_ADDRESS[0])

    for _ in range(100):
        with pytest.raises(SignInThrottled):
            await house.opens()

    rest = PER_ADDRESS[0] - PER_ACCOUNT_AND_ADDRESS[0]
    for number in range(rest):
        await fails(house, f"user{number}@example.org", address=LAPTOP.address, times=1)
    with pytest.raises(SignInThrottled):
        await house.opens("another@example.org")


async def test_an_attempt_that_found_the_server_busy_is_not_counted(house: House) -> None:
    await house.has()
    service = house.use_cases.log_in.auth
    limits = service.limits_of_sign_in(address="192.0.2.1", account="ada@example.org")
    for _ in range(100):
        with pytest.raises(HashingBusy):
            async with service.attempt(limits):
                raise HashingBusy

    assert await house.opens()


async def test_simultaneous_right_passwords_wait_and_are_never_refused(house: House) -> None:
    await house.has()

    opened = await asyncio.gather(*(house.opens() for _ in range(3 * PER_ADDRESS[0])))

    assert len({one.session.id for one in opened}) == len(opened)


async def test_a_flood_is_refused_at_once_and_does_not_ask_the_store_again_and_again(
    house: House,
) -> None:
    await house.has()
    limiter = CountingLimiter()
    log_in = with_limiter(house, limiter)

    results = await asyncio.gather(
        *(log_in("ada@example.org", "wrong horse", LAPTOP) for _ in range(1000)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, SignInThrottled) for result in results) == 990
    assert limiter.asked <= 1000 + MOST_WAITING * 4


async def test_of_simultaneous_wrong_passwords_exactly_the_burst_is_checked(house: House) -> None:
    await house.has()

    results = await asyncio.gather(
        *(house.opens(password="wrong horse") for _ in range(100)), return_exceptions=True
    )

    checked, refused = (
        sum(isinstance(result, kind) for result in results)
        for kind in (SignInRefused, SignInThrottled)
    )
    assert (checked, refused) == (PER_ACCOUNT_AND_ADDRESS[0], 90)


class Down(AttemptLimiter):
    """A limiter whose store does not respond."""

    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        raise StoreUnavailable

    async def settle(self, limits: Sequence[Limit], *, counts: bool) -> None:
        raise StoreUnavailable

    async def purge(self, now: datetime) -> int:
        raise StoreUnavailable


class DownAfterwards(MemoryAttemptLimiter):
    """A limiter whose store stops responding while a password is checked."""

    async def settle(self, limits: Sequence[Limit], *, counts: bool) -> None:
        raise StoreUnavailable


def with_limiter(house: House, limiter: AttemptLimiter) -> LogIn:
    log_in = house.use_cases.log_in
    return replace(log_in, auth=replace(log_in.auth, limiter=limiter))


async def test_nobody_signs_in_while_attempts_cannot_be_counted(house: House) -> None:
    await house.has()
    log_in = with_limiter(house, Down())

    for password in (PASSWORD, "wrong horse"):
        with pytest.raises(StoreUnavailable):
            await log_in("ada@example.org", password, LAPTOP)


async def test_a_right_password_stays_right_if_the_attempt_cannot_be_taken_back(
    house: House,
) -> None:
    await house.has()
    log_in = with_limiter(house, DownAfterwards())

    assert await log_in("ada@example.org", PASSWORD, LAPTOP)
    with pytest.raises(SignInRefused):
        await log_in("ada@example.org", "wrong horse", LAPTOP)


async def test_limits_that_are_free_again_are_purged(house: House) -> None:
    await fails(house, address=LAPTOP.address, times=2)

    first = await house.use_cases.purge_attempts()
    house.passes(seconds=59)
    second = await house.use_cases.purge_attempts()
    house.passes(seconds=1)
    third = await house.use_cases.purge_attempts()

    assert (first, second, third) == (0, 2, 1)


class ReadOnly(UnitsOfWork):
    """A store that can be read but not written."""

    def __init__(self, whole: UnitsOfWork) -> None:
        self._whole = whole

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._whole.reading()

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable


async def test_users_stay_signed_in_while_the_store_cannot_be_written(house: House) -> None:
    await house.has()
    opened = await house.opens()
    house.passes(minutes=5)
    recognise = replace(
        house.use_cases.recognise, units_of_work=ReadOnly(house.container.units_of_work())
    )

    signed_in = await recognise(opened.signed_token, activity=True)

    assert signed_in.session.id == opened.session.id


async def test_right_passwords_are_never_throttled(house: House) -> None:
    await house.has()

    opened = [await house.opens() for _ in range(PER_ADDRESS[0] + PER_ACCOUNT[0] + 5)]

    assert len({one.session.id for one in opened}) == len(opened)


@pytest.mark.asvs("V7.2.4")
async def test_signing_in_again_ends_the_previous_session_of_the_browser(house: House) -> None:
    await house.has()
    first = await house.opens()
    had = await house.use_cases.recognise(first.signed_token, activity=True)

    second = await house.use_cases.log_in("ada@example.org", PASSWORD, LAPTOP, replacing=had)

    assert second.signed_token != first.signed_token
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(first.signed_token, activity=True)


@pytest.mark.asvs("V7.1.2")
async def test_the_oldest_session_ends_above_the_limit_of_sessions(house: House) -> None:
    await house.has()
    opened: list[Opened] = []
    for _ in range(11):
        opened.append(await house.opens())
        house.passes(seconds=1)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened[0].signed_token, activity=False)

    for one in opened[1:]:
        assert await house.use_cases.recognise(one.signed_token, activity=False)


async def test_polling_does_not_restart_the_idle_timeout(house: House) -> None:
    await house.has()
    polling, working = await house.opens(), await house.opens()

    for _ in range(4):
        house.passes(minutes=10)
        await house.use_cases.recognise(working.signed_token, activity=True)
        if _ < 2:
            await house.use_cases.recognise(polling.signed_token, activity=False)

    assert await house.use_cases.recognise(working.signed_token, activity=True)
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(polling.signed_token, activity=False)


async def test_a_running_event_restarts_the_idle_timeout_of_its_session(house: House) -> None:
    await house.has()
    opened = await house.opens()

    for _ in range(6):
        house.passes(minutes=10)
        await house.use_cases.keep_awake([opened.session.id])

    assert await house.use_cases.recognise(opened.signed_token, activity=False)


async def test_keep_awake_does_not_restore_an_ended_session(house: House) -> None:
    await house.has()
    ended, idle = await house.sign_in(), await house.opens()
    await house.use_cases.log_out(ended.caller)
    house.passes(minutes=31)

    await house.use_cases.keep_awake([ended.session.id, idle.session.id])

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(idle.signed_token, activity=False)
    assert not await house.use_cases.list_sessions(Caller.operator(), ended.user.id)


@pytest.mark.asvs("V7.4.1")
async def test_signing_out_ends_the_session_at_once_and_can_be_repeated(house: House) -> None:
    await house.has()
    opened = await house.opens()
    signed_in = await house.use_cases.recognise(opened.signed_token, activity=True)

    await house.use_cases.log_out(signed_in.caller)
    await house.use_cases.log_out(signed_in.caller)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=False)


async def test_an_invalid_signed_token_counts_as_an_ended_session(
    house: House, subtests: pytest.Subtests
) -> None:
    for token in ["", "x", "a.b.c", "\0", "é", "x" * 100_000]:
        with subtests.test(token=token), pytest.raises(SessionEnded):
            await house.use_cases.recognise(token, activity=True)


async def test_a_signed_token_is_refused_for_another_purpose(house: House) -> None:
    setup = await house.use_cases.offer_setup()
    await house.has()
    opened = await house.opens()
    assert setup is not None

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(setup, activity=True)
    with pytest.raises(SignedTokenRefused):
        await house.use_cases.check_setup(opened.signed_token)


async def test_a_session_ended_during_a_touch_stays_ended(house: House) -> None:
    await house.has()
    opened = await house.opens()
    signed_in = await house.use_cases.recognise(opened.signed_token, activity=True)
    house.passes(minutes=5)

    results = await asyncio.gather(
        house.use_cases.log_out(signed_in.caller),
        house.use_cases.recognise(opened.signed_token, activity=True),
        return_exceptions=True,
    )

    assert not [r for r in results if isinstance(r, Exception) and not isinstance(r, DomainError)]
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=True)


async def test_an_older_hash_is_upgraded_at_sign_in(house: House) -> None:
    ada = await house.has()
    async with house.container.units_of_work().writing() as work:
        await work.users.save(ada.with_password(OLD_HASH, ada.updated_at))
        await work.commit()

    await house.opens()

    stored = (await house.use_cases.get_user(Caller.operator(), ada.id)).password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert await house.opens()


OLD_HASH = "$2b$04$0PUyqIwLKp22k7JzDAlzKeJRODA7TuoJpev6h.Hk/qjudfGnf3Ywq"
"""Plain bcrypt of PASSWORD, as the older template kept it."""


@pytest.mark.asvs("V6.3.2", "V6.4.1")
async def test_the_set_up_link_makes_the_first_admin_and_signs_them_in(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None
    await house.use_cases.check_setup(link)
    await house.use_cases.check_setup(link)

    opened = await house.use_cases.set_up(
        link, email="Ada@example.org", name="", password=PASSWORD, device=LAPTOP
    )

    user = (await house.use_cases.recognise(opened.signed_token, activity=True)).user
    assert (user.email, user.name, user.is_admin) == ("ada@example.org", "ada", True)
    assert await house.use_cases.offer_setup() is None
    with pytest.raises(SetupClosed):
        await house.use_cases.check_setup(link)


async def test_only_one_of_two_concurrent_set_ups_makes_the_first_admin(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None

    results = await asyncio.gather(
        *(
            house.use_cases.set_up(
                link, email=f"{n}@example.org", name="", password=PASSWORD, device=LAPTOP
            )
            for n in range(5)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(r, Opened) for r in results) == 1
    assert sum(isinstance(r, SetupClosed) for r in results) == 4


async def test_a_set_up_link_lasts_a_quarter_of_an_hour(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None

    house.passes(minutes=15)

    with pytest.raises(SignedTokenRefused):
        await house.use_cases.check_setup(link)


async def test_a_set_up_link_can_be_used_again_after_a_refusal(house: House) -> None:
    link = await house.use_cases.offer_setup()
    assert link is not None

    with pytest.raises(PasswordInvalid):
        await house.use_cases.set_up(link, email="a@b.de", name="", password="short", device=LAPTOP)

    assert await house.use_cases.set_up(
        link, email="a@b.de", name="", password=PASSWORD, device=LAPTOP
    )
