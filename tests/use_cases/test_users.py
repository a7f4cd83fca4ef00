"""Accounts, changed by their owner or by an admin."""

import asyncio
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
from domain.services.auth import PER_ACCOUNT
from tests.use_cases.conftest import PASSWORD, House

OPERATOR = Caller.operator()
NEW = "battery staple"


async def test_an_account_without_a_name_is_called_by_its_email(house: House) -> None:
    user = await house.app.create_user(OPERATOR, email="ada@example.org", password=PASSWORD)

    assert user.name == "ada"


async def test_only_admins_make_list_and_change_accounts(house: House) -> None:
    ada = (await house.has()).id
    app, caller = house.app, (await house.sign_in()).caller

    for refused in (
        app.create_user(caller, email="eve@example.org", password=PASSWORD),
        app.list_users(caller),
        app.find_user(caller, "ada@example.org"),
        app.disable_user(caller, ada),
        app.enable_user(caller, ada),
        app.grant_role(caller, ada, "admin"),
        app.revoke_role(caller, ada, "admin"),
        app.change_user(caller, ada, roles=["admin"]),
        app.set_password(caller, ada, NEW),
        app.revoke_all_sessions(caller, ada),
        app.list_all_sessions(caller),
    ):
        with pytest.raises(NotAllowed):
            await refused


async def test_somebody_elses_account_cannot_be_seen_or_renamed(house: House) -> None:
    await house.has()
    bob = await house.has("bob@example.org")
    caller = (await house.sign_in()).caller

    for refused in (
        house.app.get_user(caller, bob.id),
        house.app.rename_user(caller, bob.id, "Eve"),
        house.app.list_sessions(caller, bob.id),
    ):
        with pytest.raises(NotAllowed):
            await refused


@pytest.mark.asvs("V8.3.2")
async def test_who_was_an_admin_until_just_now_is_none(house: House) -> None:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    caller = (await house.sign_in("bob@example.org")).caller

    await house.app.revoke_role(OPERATOR, bob.id, "admin")

    assert caller.is_admin
    with pytest.raises(NotAllowed):
        await house.app.list_users(caller)


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
    me = await house.app.recognise(here.token, activity=True)

    ended = await house.app.change_password(
        me.caller, current=PASSWORD, new=NEW, address="192.0.2.1"
    )

    assert ended == 1
    assert await house.app.recognise(here.token, activity=True)
    with pytest.raises(SessionEnded):
        await house.app.recognise(there.token, activity=True)
    with pytest.raises(SignInRefused):
        await house.opens()
    assert await house.opens(password=NEW)


async def test_a_password_is_not_changed_without_the_current_one(house: House) -> None:
    await house.has()
    caller = (await house.sign_in()).caller
    burst, _ = PER_ACCOUNT

    for _ in range(burst):
        with pytest.raises(WrongPassword):
            await house.app.change_password(
                caller, current="wrong horse", new=NEW, address="192.0.2.1"
            )
    with pytest.raises(SignInThrottled):
        await house.app.change_password(caller, current=PASSWORD, new=NEW, address="192.0.2.1")

    house.passes(minutes=10)
    assert await house.opens()


@pytest.mark.asvs("V2.2.3")
async def test_a_bad_new_password_changes_nothing(house: House, subtests: pytest.Subtests) -> None:
    await house.has()
    caller = (await house.sign_in()).caller

    for new in ["short", "ada@example.org", PASSWORD, "xyz" * 86, "nul\0nul\0nul"]:
        with subtests.test(new=new):
            with pytest.raises(PasswordInvalid):
                await house.app.change_password(
                    caller, current=PASSWORD, new=new, address="192.0.2.1"
                )

            assert await house.opens()


async def test_a_password_set_by_an_admin_ends_all_sessions(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()

    await house.app.set_password(OPERATOR, ada.id, NEW)

    with pytest.raises(SessionEnded):
        await house.app.recognise(opened.token, activity=True)
    assert await house.opens(password=NEW)


@pytest.mark.asvs("V7.4.2")
async def test_a_disabled_account_is_out_at_once_and_may_come_back(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()
    await house.app.recognise(opened.token, activity=True)

    await house.app.disable_user(OPERATOR, ada.id)

    with pytest.raises(SessionEnded):
        await house.app.recognise(opened.token, activity=True)
    with pytest.raises(SignInRefused):
        await house.opens()
    await house.app.enable_user(OPERATOR, ada.id)
    assert await house.opens()


async def test_the_last_admin_stays(house: House) -> None:
    ada = await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    await house.app.disable_user(OPERATOR, bob.id)

    with pytest.raises(LastAdmin):
        await house.app.disable_user(OPERATOR, ada.id)
    with pytest.raises(LastAdmin):
        await house.app.revoke_role(OPERATOR, ada.id, "admin")

    await house.app.enable_user(OPERATOR, bob.id)
    await house.app.revoke_role(OPERATOR, ada.id, "admin")


@pytest.mark.asvs("V2.3.3")
async def test_a_refused_change_leaves_the_account_as_it_was(house: House) -> None:
    ada = await house.has(roles={"admin"})

    changes: list[dict[str, Any]] = [{"roles": []}, {"is_active": False}, {"roles": ["No Role"]}]
    for change in changes:
        with pytest.raises(DomainError):
            await house.app.change_user(OPERATOR, ada.id, name="Eve", **change)

    assert await house.app.get_user(OPERATOR, ada.id) == ada


async def test_an_account_that_is_changed_to_disabled_is_out_at_once(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()

    changed = await house.app.change_user(OPERATOR, ada.id, roles=["analyst"], is_active=False)

    assert (changed.roles, changed.is_active, changed.name) == (
        frozenset({"analyst"}),
        False,
        ada.name,
    )
    with pytest.raises(SessionEnded):
        await house.app.recognise(opened.token, activity=True)


async def test_two_admins_cannot_remove_each_other_at_once(house: House) -> None:
    ada = await house.has(roles={"admin"})
    bob = await house.has("bob@example.org", roles={"admin"})
    by_ada, by_bob = (await house.sign_in()).caller, (await house.sign_in("bob@example.org")).caller

    results = await asyncio.gather(
        house.app.disable_user(by_ada, bob.id),
        house.app.disable_user(by_bob, ada.id),
        return_exceptions=True,
    )

    assert sum(isinstance(result, DomainError) for result in results) == 1


async def test_roles_come_and_go_and_take_effect_at_once(house: House) -> None:
    ada = await house.has()
    opened = await house.opens()
    await house.app.recognise(opened.token, activity=True)

    await house.app.grant_role(OPERATOR, ada.id, "analyst")
    assert (await house.app.recognise(opened.token, activity=True)).user.roles == {"analyst"}

    await house.app.revoke_role(OPERATOR, ada.id, "analyst")
    assert not (await house.app.recognise(opened.token, activity=True)).user.roles
    with pytest.raises(RoleInvalid):
        await house.app.grant_role(OPERATOR, ada.id, "Not A Role")


async def test_a_new_name_is_seen_at_once(house: House) -> None:
    await house.has()
    opened = await house.opens()
    me = await house.app.recognise(opened.token, activity=True)

    await house.app.rename_user(me.caller, me.user.id, "  Ada L. ")

    assert (await house.app.recognise(opened.token, activity=True)).user.name == "Ada L."


async def test_an_account_that_is_not_there_is_not_found(house: House) -> None:
    nobody = UserId(UUID(int=0))

    for refused in (
        house.app.get_user(OPERATOR, nobody),
        house.app.disable_user(OPERATOR, nobody),
        house.app.set_password(OPERATOR, nobody, NEW),
        house.app.find_user(OPERATOR, "nobody@example.org"),
    ):
        with pytest.raises(UserNotFound):
            await refused


async def test_sample_users_are_added_once_and_stay_as_they_are(house: House) -> None:
    await house.app.add_sample_users()
    john = await house.app.find_user(OPERATOR, "john@test.com")
    await house.app.rename_user(OPERATOR, john.id, "Johnny")

    await house.app.add_sample_users()

    assert (await house.app.find_user(OPERATOR, "john@test.com")).name == "Johnny"
    assert await house.opens("jane@test.com", password="secret")


async def test_a_search_is_measured_before_it_is_normalized(house: House) -> None:
    await house.has()

    assert await house.app.list_users(OPERATOR, search="a" + "\u0301\u0323" * 1_000_000) == ()
    assert len(await house.app.list_users(OPERATOR, search="ADA@")) == 1
