"""Accounts, changed by their owners or by admins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from domain.errors import (
    DomainError,
    EmailTaken,
    LastAdmin,
    NotAllowed,
    PasswordInvalid,
    RoleInvalid,
    SessionEnded,
    SignInRefused,
    SignInThrottled,
    UserNotFound,
    WrongPassword,
)
from domain.model.caller import Caller
from domain.model.user import UserId
from domain.services.auth import PER_SESSION
from tests.use_cases.conftest import LAPTOP, PASSWORD, House

OPERATOR = Caller.operator()
NEW = "battery staple"


async def test_an_account_without_a_name_gets_the_local_part_of_its_email(house: House) -> None:
    user = await house.use_cases.create_user(OPERATOR, email="ada@example.org", password=PASSWORD)

    assert user.name == "ada"


async def test_only_admins_can_make_list_and_change_accounts(house: House) -> None:
    ada = (await house.has()).id
    use_cases, caller = house.use_cases, (await house.sign_in()).caller

    for refused in (
        use_cases.create_user(caller, email="eve@example.org", password=PASSWORD),
        use_cases.list_users(caller),
        use_cases.find_user(caller, "ada@example.org"),
        use_cases.disable_user(caller, ada),
        use_cases.enable_user(caller, ada),
        use_cases.grant_role(caller, ada, "admin"),
        use_cases.revoke_role(caller, ada, "admin"),
        use_cases.change_user(caller, ada, roles=["admin"]),
        use_cases.set_password(caller, ada, NEW),
        use_cases.revoke_all_sessions(caller, ada),
        use_cases.list_all_sessions(caller),
    ):
        with pytest.raises(NotAllowed):
            await refused


async def test_the_account_of_another_user_cannot_be_seen_or_renamed(house: House) -> None:
    await house.has()
    bob = await house.has("bob@example.org")
    caller = (await house.sign_in()).caller

    for refused in (
        house.use_cases.get_user(caller, bob.id),
        house.use_cases.rename_user(caller, bob.id, "Eve"),
        house.use_cases.list_sessions(caller, bob.id),
    ):
        with pytest.raises(NotAllowed):
            await refused


@pytest.mark.asvs("V8.3.2")
async def test_a_former_admin_loses_the_rights_at_once(house: House) -> None:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    caller = (await house.sign_in("bob@example.org")).caller

    await house.use_cases.revoke_role(OPERATOR, bob.id, "admin")

    assert caller.is_admin
    with pytest.raises(NotAllowed):
        await house.use_cases.list_users(caller)


async def test_two_accounts_never_share_an_email(house: House) -> None:
    results = await asyncio.gather(
        *(house.has(email) for email in ("ada@example.org", "ADA@example.org")),
        return_exceptions=True,
    )

    assert sum(isinstance(result, EmailTaken) for result in results) == 1


@pytest.mark.asvs("V7.4.3", "V6.2.2", "V6.2.3")
async def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(house: House) -> None:
    await house.has()
    here, there = await house.opens(), await house.opens()
    me = await house.use_cases.recognise(here.signed_token, activity=True)

    ended = await house.use_cases.change_password(me.caller, current=PASSWORD, new=NEW)

    assert (ended.sessions, ended.tokens) == (1, 0)
    assert await house.use_cases.recognise(here.signed_token, activity=True)
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(there.signed_token, activity=True)
    with pytest.raises(SignInRefused):
        await house.opens()
    assert await house.opens(password=NEW)


async def test_a_password_is_not_changed_without_the_current_one(house: House) -> None:
    await house.has()
    caller = (await house.sign_in()).caller
    burst, _ = PER_SESSION

    for _ in range(burst):
        with pytest.raises(WrongPassword):
            await house.use_cases.change_password(caller, current="wrong horse", new=NEW)
    with pytest.raises(SignInThrottled):
        await house.use_cases.change_password(caller, current=PASSWORD, new=NEW)

    assert await house.opens()


@pytest.mark.asvs("V2.2.3")
async def test_a_bad_new_password_changes_nothing(house: House, subtests: pytest.Subtests) -> None:
    await house.has()
    caller = (await house.sign_in()).caller

    for new in ["short", "ada@example.org", PASSWORD, "xyz" * 86, "nul\0nul\0nul", "Iloveyou"]:
        with subtests.test(new=new):
            with pytest.raises(PasswordInvalid):
                await house.use_cases.change_password(caller, current=PASSWORD, new=new)

            assert await house.opens()


@pytest.mark.asvs("V6.2.4")
async def test_a_common_password_is_refused_wherever_a_password_is_set(
    house: House, subtests: pytest.Subtests
) -> None:
    """The command line calls the same use cases. ASVS 6.2.4 is about set-up, change and reset alike."""
    link = await house.use_cases.offer_setup()
    assert link is not None
    ada = await house.has()
    me = await house.sign_in()
    acts: dict[str, Callable[[str], Awaitable[object]]] = {
        "set up": lambda new: house.use_cases.set_up(
            link, email="eve@example.org", name="", password=new, device=LAPTOP
        ),
        "create": lambda new: house.use_cases.create_user(
            OPERATOR, email="eve@example.org", password=new
        ),
        "change": lambda new: house.use_cases.change_password(me.caller, current=PASSWORD, new=new),
        "set": lambda new: house.use_cases.set_password(OPERATOR, ada.id, new),
    }

    for name, act in acts.items():
        for new in ("password1", "PASSWORD1", "Qwertyuiop", "iLoveYou"):
            with subtests.test(act=name, new=new):
                with pytest.raises(PasswordInvalid, match="one of the most common ones") as refusal:
                    await act(new)
                assert "Choose another" in refusal.value.sentence
    assert await house.opens()
    assert await house.use_cases.create_user(OPERATOR, email="eve@example.org", password=NEW)


async def test_a_password_set_by_an_admin_ends_all_sessions(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()

    await house.use_cases.set_password(OPERATOR, ada.id, NEW)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=True)
    assert await house.opens(password=NEW)


@pytest.mark.asvs("V7.4.2")
async def test_a_disabled_account_is_signed_out_at_once_and_can_be_enabled_again(
    house: House,
) -> None:
    ada = await house.has()
    opened = await house.opens()
    await house.use_cases.recognise(opened.signed_token, activity=True)

    await house.use_cases.disable_user(OPERATOR, ada.id)

    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=True)
    with pytest.raises(SignInRefused):
        await house.opens()
    await house.use_cases.enable_user(OPERATOR, ada.id)
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=True)
    assert await house.opens()


async def test_the_last_admin_cannot_be_disabled_or_lose_the_role(house: House) -> None:
    ada = await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    await house.use_cases.disable_user(OPERATOR, bob.id)

    with pytest.raises(LastAdmin):
        await house.use_cases.disable_user(OPERATOR, ada.id)
    with pytest.raises(LastAdmin):
        await house.use_cases.revoke_role(OPERATOR, ada.id, "admin")

    await house.use_cases.enable_user(OPERATOR, bob.id)
    await house.use_cases.revoke_role(OPERATOR, ada.id, "admin")


@pytest.mark.asvs("V2.3.3")
async def test_a_refused_change_leaves_the_account_as_it_was(house: House) -> None:
    ada = await house.has(roles={"admin"})

    changes: list[dict[str, Any]] = [{"roles": []}, {"is_active": False}, {"roles": ["No Role"]}]
    for change in changes:
        with pytest.raises(DomainError):
            await house.use_cases.change_user(OPERATOR, ada.id, name="Eve", **change)

    assert await house.use_cases.get_user(OPERATOR, ada.id) == ada


async def test_changing_an_account_to_disabled_signs_it_out_at_once(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()

    changed = await house.use_cases.change_user(
        OPERATOR, ada.id, roles=["analyst"], is_active=False
    )

    assert (changed.roles, changed.is_active, changed.name) == (
        frozenset({"analyst"}),
        False,
        ada.name,
    )
    with pytest.raises(SessionEnded):
        await house.use_cases.recognise(opened.signed_token, activity=True)


async def test_two_admins_cannot_disable_each_other_concurrently(house: House) -> None:
    ada = await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    by_ada, by_bob = (await house.sign_in()).caller, (await house.sign_in("bob@example.org")).caller

    results = await asyncio.gather(
        house.use_cases.disable_user(by_ada, bob.id),
        house.use_cases.disable_user(by_bob, ada.id),
        return_exceptions=True,
    )

    assert sum(isinstance(result, DomainError) for result in results) == 1


async def test_granted_and_revoked_roles_take_effect_at_once(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()
    await house.use_cases.recognise(opened.signed_token, activity=True)

    await house.use_cases.grant_role(OPERATOR, ada.id, "analyst")
    assert (await house.use_cases.recognise(opened.signed_token, activity=True)).user.roles == {
        "analyst"
    }

    await house.use_cases.revoke_role(OPERATOR, ada.id, "analyst")
    assert not (await house.use_cases.recognise(opened.signed_token, activity=True)).user.roles
    with pytest.raises(RoleInvalid):
        await house.use_cases.grant_role(OPERATOR, ada.id, "Not A Role")


async def test_a_new_name_is_seen_at_once(house: House) -> None:
    await house.has()
    opened = await house.opens()
    me = await house.use_cases.recognise(opened.signed_token, activity=True)

    await house.use_cases.rename_user(me.caller, me.user.id, "  Ada L. ")

    assert (
        await house.use_cases.recognise(opened.signed_token, activity=True)
    ).user.name == "Ada L."


async def test_an_unknown_account_is_not_found(house: House) -> None:
    nobody = UserId(UUID(int=0))

    for refused in (
        house.use_cases.get_user(OPERATOR, nobody),
        house.use_cases.disable_user(OPERATOR, nobody),
        house.use_cases.set_password(OPERATOR, nobody, NEW),
        house.use_cases.find_user(OPERATOR, "nobody@example.org"),
    ):
        with pytest.raises(UserNotFound):
            await refused


async def test_sample_users_are_added_once_and_stay_as_they_are(house: House) -> None:
    await house.use_cases.add_sample_users()
    john = await house.use_cases.find_user(OPERATOR, "john@test.com")
    await house.use_cases.rename_user(OPERATOR, john.id, "Johnny")

    await house.use_cases.add_sample_users()

    assert (await house.use_cases.find_user(OPERATOR, "john@test.com")).name == "Johnny"
    assert await house.opens("jane@test.com", password="secret")


async def test_a_search_that_is_too_long_is_not_normalized(house: House) -> None:
    await house.has()

    assert await house.use_cases.list_users(OPERATOR, search="a" + "\u0301\u0323" * 1_000_000) == ()
    assert len(await house.use_cases.list_users(OPERATOR, search="ADA@")) == 1
