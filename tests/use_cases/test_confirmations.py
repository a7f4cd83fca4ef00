"""What needs a confirmation is done only shortly after the user of the session has proved who they are."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from application.use_cases.identities import Returned
from domain.errors import (
    ConfirmationNeeded,
    IdentityRefused,
    NotAllowed,
    PasswordSignInOff,
    SessionEnded,
    SignInThrottled,
    WrongPassword,
)
from domain.model.caller import Caller, SignedIn
from domain.model.identity import Profile
from domain.model.session import SessionId
from domain.model.signed_token import Purpose
from domain.model.user import UserId
from domain.ports.security import PasswordHasher, Verdict
from domain.services.auth import PER_SESSION
from domain.services.sessions import Opened
from tests.builders import an_identity
from tests.compositions import composition
from tests.use_cases.conftest import CORP, LAPTOP, PASSWORD, SETTINGS, House

ADA: Final = "ada@example.org"
NEW: Final = "battery staple"
OPERATOR: Final = Caller.operator()
OTHER: Final = ProviderSettings(name="other", issuer="https://other.example.org", client_id="us")
MINUTE: Final = timedelta(minutes=1)

Acts = Callable[[House, Caller, UserId], Awaitable[Any]]

NEEDS: Final[dict[str, Acts]] = {
    "create a token": lambda house, me, _: house.use_cases.create_token(me, name="Nightly"),
    "make an account with a password": lambda house, me, _: house.use_cases.create_user(
        me, email="eve@example.org", password=NEW
    ),
    "make an account with a role": lambda house, me, _: house.use_cases.create_user(
        me, email="eve@example.org", password=None, roles=["analyst"]
    ),
    "set a password": lambda house, me, other: house.use_cases.set_password(me, other, NEW),
    "grant a role": lambda house, me, other: house.use_cases.grant_role(me, other, "boss"),
    "revoke a role": lambda house, me, other: house.use_cases.revoke_role(me, other, "analyst"),
    "change roles": lambda house, me, other: house.use_cases.change_user(me, other, roles=["boss"]),
    "take all roles": lambda house, me, other: house.use_cases.change_user(me, other, roles=[]),
    "enable an account": lambda house, me, other: house.use_cases.enable_user(me, other),
    "enable by a change": lambda house, me, other: _disabled_then_enabled(house, me, other),
    "unlink identities": lambda house, me, other: house.use_cases.unlink_identities(me, other),
}

NEEDS_NONE: Final[dict[str, Acts]] = {
    "rename": lambda house, me, other: house.use_cases.rename_user(me, other, "Bobby"),
    "the same roles": lambda house, me, other: house.use_cases.change_user(
        me, other, name="Bobby", roles=["analyst"], is_active=True
    ),
    "make an account without a password": lambda house, me, _: house.use_cases.create_user(
        me, email="eve@example.org", password=None
    ),
    "disable": lambda house, me, other: house.use_cases.disable_user(me, other),
    "end everything": lambda house, me, other: house.use_cases.revoke_all_sessions(me, other),
    "revoke all tokens": lambda house, me, other: house.use_cases.revoke_all_tokens(me, other),
    "list tokens": lambda house, me, other: house.use_cases.list_tokens_of(me, other),
    "own new password, with the old one": lambda house, me, _: house.use_cases.change_password(
        me, current=PASSWORD, new=NEW
    ),
}


async def _disabled_then_enabled(house: House, me: Caller, other: UserId) -> None:
    await house.use_cases.disable_user(OPERATOR, other)
    await house.use_cases.change_user(me, other, is_active=True)


@pytest.fixture
def house() -> Iterator[House]:
    clock = StoppedClock()
    settings = SETTINGS.replaced(oidc=(CORP, OTHER), remember_days=30)
    with composition(settings, clock) as container:
        yield House(container, clock)


async def root_and_bob(house: House) -> tuple[Caller, UserId]:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"analyst"})
    return (await house.sign_in()).caller, bob.id


def a_profile(**said: Any) -> Profile:
    usual: dict[str, Any] = {
        "issuer": CORP.issuer,
        "subject": "1",
        "email": ADA,
        "is_email_verified": True,
    }
    return Profile(**(usual | said))


async def opens_at_corp(house: House, **said: Any) -> Opened:
    return await house.use_cases.sign_in_by_identity("corp", a_profile(**said), LAPTOP)


async def recognised(house: House, opened: Opened) -> SignedIn:
    return await house.use_cases.recognise(opened.signed_token, activity=True)


async def is_confirmed(house: House, caller: Caller) -> bool:
    return (await house.use_cases.read_confirmation(caller)).until is not None


async def goes_on_for(house: House, opened: Opened, **time: float) -> Caller:
    """Let time pass, and keep the session from being idle."""
    house.passes(**time)
    return (await recognised(house, opened)).caller


@pytest.mark.asvs("V7.5.1", "V7.5.3")
@pytest.mark.parametrize("act", NEEDS)
async def test_it_needs_a_confirmation_of_the_last_ten_minutes(house: House, act: str) -> None:
    me, bob = await root_and_bob(house)
    house.passes(minutes=10)
    before = house.container.store().tables.users.copy()

    with pytest.raises(ConfirmationNeeded):
        await NEEDS[act](house, me, bob)

    tables = house.container.store().tables
    assert {user.roles for user in tables.users.values()} == {u.roles for u in before.values()}
    assert (len(tables.users), len(tables.access_tokens)) == (2, 0)
    await house.use_cases.confirm_by_password(me, PASSWORD)
    await NEEDS[act](house, me, bob)


@pytest.mark.parametrize("act", NEEDS)
async def test_a_sign_in_confirms_for_ten_minutes(house: House, act: str) -> None:
    me, bob = await root_and_bob(house)
    house.passes(minutes=9, seconds=59)

    await NEEDS[act](house, me, bob)


@pytest.mark.parametrize("act", NEEDS_NONE)
async def test_what_takes_rights_away_needs_no_confirmation(house: House, act: str) -> None:
    me, bob = await root_and_bob(house)
    house.passes(minutes=11)

    await NEEDS_NONE[act](house, me, bob)


@pytest.mark.parametrize("act", [act for act in NEEDS if act != "create a token"])
async def test_the_operator_at_the_machine_needs_none(house: House, act: str) -> None:
    _, bob = await root_and_bob(house)
    house.passes(days=1)

    await NEEDS[act](house, OPERATOR, bob)


async def test_somebody_who_is_no_admin_is_not_asked_to_confirm(house: House) -> None:
    await house.has()
    bob = await house.has("bob@example.org", roles={"analyst"})
    me = (await house.sign_in()).caller
    house.passes(minutes=11)

    for name, act in NEEDS.items():
        if name != "create a token":
            with pytest.raises(NotAllowed):
                await act(house, me, bob.id)


async def test_a_caller_with_an_account_and_without_a_session_is_never_confirmed(
    house: House,
) -> None:
    me, bob = await root_and_bob(house)

    with pytest.raises(ConfirmationNeeded):
        await house.use_cases.grant_role(replace(me, session_id=None), bob, "boss")
    with pytest.raises(NotAllowed):
        await house.use_cases.confirm_by_password(replace(me, session_id=None), PASSWORD)


async def test_a_confirmation_lasts_ten_minutes_and_is_of_one_session(house: House) -> None:
    await house.has()
    here, there = await house.opens(), await house.opens()
    me = await goes_on_for(house, here, minutes=20)

    until = await house.use_cases.confirm_by_password(me, PASSWORD)

    assert until == house.clock.now() + 10 * MINUTE
    assert not await is_confirmed(house, (await recognised(house, there)).caller)
    assert (await house.use_cases.read_confirmation(me)).until == until
    house.passes(minutes=10)
    assert not await is_confirmed(house, me)
    with pytest.raises(ConfirmationNeeded):
        await house.use_cases.create_token(me, name="Nightly")


async def test_activity_does_not_extend_a_confirmation(house: House) -> None:
    await house.has()
    opened = await house.opens()

    for _ in range(10):
        me = await goes_on_for(house, opened, minutes=1)

    assert not await is_confirmed(house, me)


async def test_a_touch_of_a_cached_session_does_not_take_a_confirmation_back(house: House) -> None:
    await house.has()
    opened = await house.opens()
    me = await goes_on_for(house, opened, minutes=20)
    await house.use_cases.confirm_by_password(me, PASSWORD)

    house.passes(minutes=2)
    await recognised(house, opened)

    assert await is_confirmed(house, me)


async def test_clocks_of_replicas_may_differ_by_a_minute(house: House) -> None:
    await house.has()
    me = (await house.sign_in()).caller

    house.clock.forward(-MINUTE)
    await house.use_cases.create_token(me, name="Nightly")
    house.clock.forward(-MINUTE)

    with pytest.raises(ConfirmationNeeded):
        await house.use_cases.create_token(me, name="Nightly")


async def test_an_own_new_password_confirms_the_session(house: House) -> None:
    await house.has()
    me = await goes_on_for(house, await house.opens(), minutes=11)

    await house.use_cases.change_password(me, current=PASSWORD, new=NEW)

    assert await is_confirmed(house, me)


async def test_a_session_that_stays_signed_in_is_confirmed_for_ten_minutes_only(
    house: House,
) -> None:
    await house.has()
    opened = await house.use_cases.log_in(ADA, PASSWORD, LAPTOP, is_remembered=True)

    me = await goes_on_for(house, opened, days=3)

    assert opened.session.is_remembered
    with pytest.raises(ConfirmationNeeded):
        await house.use_cases.create_token(me, name="Nightly")


async def test_a_session_that_goes_on_with_the_tabs_of_another_inherits_no_confirmation(
    house: House,
) -> None:
    ada = await house.has()
    before = await house.opens()
    await goes_on_for(house, before, minutes=29)
    await house.use_cases.confirm_by_password((await recognised(house, before)).caller, PASSWORD)
    sessions, units = house.container.sessions(), house.container.units_of_work()
    async with units.writing() as work:
        # A session that nobody has proved, as of a caller whom a proxy names.
        opened = await sessions.open(work.sessions, ada, LAPTOP)
        await work.commit()
    house.clock.forward(30 * MINUTE)
    await house.use_cases.take_over_session(before.signed_token, by=ada.id)
    house.clock.forward(-30 * MINUTE)

    assert not await is_confirmed(house, (await recognised(house, opened)).caller)


async def test_a_session_that_has_ended_meanwhile_is_not_confirmed(house: House) -> None:
    await house.has()
    me = (await house.sign_in()).caller
    assert me.session_id is not None
    await house.use_cases.revoke_session(OPERATOR, me.session_id)

    with pytest.raises(SessionEnded):
        await house.use_cases.confirm_by_password(me, PASSWORD)
    with pytest.raises(SessionEnded):
        await house.use_cases.read_confirmation(me)
    with pytest.raises(SessionEnded):
        await house.use_cases.create_token(me, name="Nightly")


# With the password


async def test_a_wrong_password_confirms_nothing(house: House) -> None:
    await house.has()
    me = await goes_on_for(house, await house.opens(), minutes=11)

    for wrong in ("", "wrong", PASSWORD.upper(), f"{PASSWORD} "):
        with pytest.raises(WrongPassword):
            await house.use_cases.confirm_by_password(me, wrong)

    assert not await is_confirmed(house, me)


@pytest.mark.asvs("V6.3.1")
async def test_wrong_passwords_are_limited_before_the_right_one_is_tried(house: House) -> None:
    await house.has()
    here, there = await house.opens(), await house.opens()
    me = await goes_on_for(house, here, minutes=11)
    burst, every = PER_SESSION

    for _ in range(burst):
        with pytest.raises(WrongPassword):
            await house.use_cases.confirm_by_password(me, "wrong")
    with pytest.raises(SignInThrottled) as throttled:
        await house.use_cases.confirm_by_password(me, PASSWORD)
    with pytest.raises(SignInThrottled):
        await house.use_cases.change_password(me, current=PASSWORD, new=NEW)

    assert throttled.value.retry_after <= every
    assert not await is_confirmed(house, me)
    # Neither the account's other session nor its sign-in is kept out by it.
    await house.use_cases.confirm_by_password((await recognised(house, there)).caller, PASSWORD)
    await house.opens()
    house.clock.forward(every)
    await house.use_cases.confirm_by_password(me, PASSWORD)


async def test_right_passwords_count_against_no_limit(house: House) -> None:
    await house.has()
    me = (await house.sign_in()).caller

    for _ in range(PER_SESSION[0] + 1):
        await house.use_cases.confirm_by_password(me, PASSWORD)


async def test_where_passwords_are_switched_off_only_the_break_glass_account_uses_one(
    house: House,
) -> None:
    clock = StoppedClock()
    with composition(SETTINGS.replaced(password_sign_in=False), clock) as container:
        without = House(container, clock)
        admin = await without.has(roles={"admin"})
        await without.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=True)
        opened = await without.opens()
        me = await goes_on_for(without, opened, minutes=11)

        assert (await without.use_cases.read_confirmation(me)).takes_password
        await without.use_cases.confirm_by_password(me, PASSWORD)
        await without.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=False)

        assert not (await without.use_cases.read_confirmation(me)).takes_password
        for typed in (PASSWORD, "wrong"):
            with pytest.raises(PasswordSignInOff):
                await without.use_cases.confirm_by_password(me, typed)


# At a provider


async def test_an_account_says_how_it_can_be_confirmed(house: House) -> None:
    ada = await house.has()
    me = (await house.sign_in()).caller
    async with house.container.units_of_work().writing() as work:
        await work.identities.add(an_identity(of=ada, issuer=OTHER.issuer))
        await work.identities.add(an_identity(of=ada, issuer="https://gone.example.org"))
        await work.commit()

    ways = await house.use_cases.read_confirmation(me)

    assert ways.takes_password
    assert [one.name for one in ways.providers] == ["other"]
    with pytest.raises(NotAllowed):
        await house.use_cases.read_confirmation(OPERATOR)


async def comes_back(
    house: House,
    me: Caller,
    *,
    confirms: SessionId | None = None,
    name: str = "corp",
    begun_at: float = 0.0,
    **said: Any,
) -> None:
    returned = Returned(
        profile=a_profile(**said),
        wanted="",
        confirms=confirms or me.session_id,
        begun_at=begun_at,
    )
    await house.use_cases.confirm_by_identity(me, name, returned)


async def test_a_new_sign_in_of_the_same_person_confirms_the_session(house: House) -> None:
    await house.has()
    opened = await opens_at_corp(house)
    me = await goes_on_for(house, opened, minutes=11)
    assert not await is_confirmed(house, me)

    await comes_back(house, me)

    assert (await recognised(house, opened)).session.confirmed_at == house.clock.now()
    await house.use_cases.create_token(me, name="Nightly")


async def test_somebody_else_at_the_provider_does_not_confirm_the_session(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    await opens_at_corp(house, subject="2", email="bob@example.org")
    me = await goes_on_for(house, await opens_at_corp(house), minutes=11)

    others: list[dict[str, Any]] = [
        {"subject": "2"},
        {"subject": "3"},
        {"issuer": OTHER.issuer},
        {"name": "other"},
    ]
    for said in others:
        with pytest.raises(IdentityRefused, match="as somebody else"):
            await comes_back(house, me, **said)

    assert not await is_confirmed(house, me)


async def test_a_sign_in_that_was_begun_for_another_session_does_not_confirm_this_one(
    house: House,
) -> None:
    await house.has()
    other = await opens_at_corp(house)
    me = await goes_on_for(house, await opens_at_corp(house), minutes=11)

    with pytest.raises(IdentityRefused, match="another session"):
        await comes_back(house, me, confirms=other.session.id)
    returned = Returned(profile=a_profile(), wanted="")
    with pytest.raises(IdentityRefused, match="another session"):
        await house.use_cases.confirm_by_identity(me, "corp", returned)

    assert not await is_confirmed(house, me)


@pytest.mark.parametrize(
    ("ago", "is_good"), [(None, True), (0, True), (60, True), (61, False), (3600, False)]
)
async def test_a_provider_that_says_when_it_asked_must_have_asked_again(
    house: House, ago: int | None, *, is_good: bool
) -> None:
    await house.has()
    me = await goes_on_for(house, await opens_at_corp(house), minutes=11)
    begun_at = house.clock.now().timestamp()
    at: datetime | None = None if ago is None else house.clock.now() - timedelta(seconds=ago)

    if is_good:
        await comes_back(house, me, begun_at=begun_at, authenticated_at=at)
    else:
        with pytest.raises(IdentityRefused, match="has not asked you to sign in again"):
            await comes_back(house, me, begun_at=begun_at, authenticated_at=at)

    assert await is_confirmed(house, me) == is_good


async def test_an_old_sign_in_at_the_provider_opens_a_session_that_is_not_confirmed(
    house: House,
) -> None:
    await house.has()
    now = house.clock.now()

    fresh = await opens_at_corp(house, authenticated_at=now - 9 * MINUTE)
    old = await opens_at_corp(house, authenticated_at=now - 10 * MINUTE)
    ahead = await opens_at_corp(house, authenticated_at=now + MINUTE)

    found = [await is_confirmed(house, (await recognised(house, o)).caller) for o in (fresh, old)]
    assert found == [True, False]
    assert ahead.session.confirmed_at == now


async def test_an_attempt_without_a_confirmation_is_read_by_the_last_release(house: House) -> None:
    identities, provider = house.container.identities(), CORP.provider

    attempt, signed = identities.begin(provider, "/gradio/")
    kept = identities._read(Purpose.SSO, signed)

    assert set(kept) == {"provider", "state", "nonce", "verifier", "wanted"}
    assert identities.resume(provider, signed, attempt.state) == attempt


@dataclass(frozen=True)
class _Slow(PasswordHasher):
    """Hashes a password, while something else happens."""

    inner: PasswordHasher
    meanwhile: Callable[[], Awaitable[object]]

    async def hash(self, password: str) -> str:
        await self.meanwhile()
        return await self.inner.hash(password)

    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        return await self.inner.verify(password, password_hash)


@pytest.mark.parametrize("act", ["make an account", "set a password"])
async def test_a_session_that_ends_while_a_password_is_hashed_does_it_no_more(
    house: House, act: str
) -> None:
    me, bob = await root_and_bob(house)
    before = dict(house.container.store().tables.users)
    hasher = _Slow(
        house.container.hasher(),
        lambda: house.use_cases.revoke_all_sessions(OPERATOR, me.account()),
    )
    create = replace(house.use_cases.create_user, hasher=hasher)
    change = replace(house.use_cases.set_password, hasher=hasher)
    doing = (
        create(me, email="eve@example.org", password=NEW, roles=["admin"])
        if act == "make an account"
        else change(me, bob, NEW)
    )

    with pytest.raises(SessionEnded):
        await doing

    assert house.container.store().tables.users == before


async def test_without_passwords_only_the_break_glass_account_changes_its_own(
    house: House,
) -> None:
    with composition(SETTINGS.replaced(password_sign_in=False), house.clock) as container:
        without = House(container, house.clock)
        admin = await without.has(roles={"admin"})
        await without.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=True)
        me = (await without.sign_in()).caller
        await without.use_cases.change_password(me, current=PASSWORD, new=NEW)
        await without.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=False)
        without.passes(minutes=11)

        for typed in (NEW, "wrong"):
            with pytest.raises(PasswordSignInOff):
                await without.use_cases.change_password(me, current=typed, new=PASSWORD)
        assert not await is_confirmed(without, me)
