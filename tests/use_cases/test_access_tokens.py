"""Make, use and end access tokens."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from dependency_injector import providers

from adapters.security.access_tokens import HmacAccessTokenHasher
from application.use_cases import UseCases
from application.use_cases.sessions import Ended
from domain.errors import (
    AccessTokenEnded,
    AccessTokenInvalid,
    AccessTokenNotFound,
    NotAllowed,
    SessionEnded,
    StoreUnavailable,
    TooManyAccessTokens,
    UserNotFound,
    WrongPassword,
)
from domain.model.access_token import PER_ACCOUNT
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.user import User, UserId
from domain.services.access_tokens import Made
from tests.use_cases.conftest import LAPTOP, PASSWORD, House

OPERATOR = Caller.operator()
OLD, NEW = "an-old-key-of-our-own-0123456789abcdef", "a-new-key-of-our-own-0123456789abcdef"


async def makes(house: House, email: str = "ada@example.org", **wanted: Any) -> Made:
    me = await house.sign_in(email)
    return await house.use_cases.create_token(me.caller, **{"name": "Nightly", **wanted})


async def uses(house: House, made: Made, *, activity: bool = True) -> SignedIn:
    return await house.use_cases.recognise_token(made.value, activity=activity)


async def listed(house: House, email: str = "ada@example.org") -> list[Any]:
    return list(await house.use_cases.list_tokens((await house.sign_in(email)).caller))


async def test_a_program_with_a_token_acts_as_the_tokens_owner(house: House) -> None:
    ada = await house.has(roles={"analyst"})
    made = await makes(house)

    program = await uses(house, made)

    assert program.user == ada
    assert program.token is not None
    assert program.session.id == made.token.id
    assert (program.session.created_at, program.session.ends_at) == (
        made.token.created_at,
        made.token.created_at + timedelta(days=90),
    )
    assert made.value not in repr(made)
    assert made.value[-4:] == made.token.hint


@pytest.mark.asvs("V11.4.1")
async def test_the_value_of_a_token_is_not_stored(house: House) -> None:
    await house.has()
    made = await makes(house)
    await uses(house, made)

    store = house.container.store()

    assert made.value not in repr(store.tables)
    assert made.value[5:-6] not in repr(store.tables)


async def test_a_token_has_no_idle_timeout_and_ends_when_it_expires(house: House) -> None:
    await house.has()
    made = await makes(house, days=2)

    house.passes(days=1, hours=23, minutes=59)
    await uses(house, made, activity=False)
    house.passes(minutes=1)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    assert await listed(house) == []


async def test_a_program_has_the_roles_that_both_account_and_token_have_now(house: House) -> None:
    ada = await house.has(roles={"analyst", "trainer"})
    whole, part = await makes(house), await makes(house, roles={"analyst"})

    before = (await uses(house, whole)).user.roles, (await uses(house, part)).user.roles
    await house.use_cases.grant_role(OPERATOR, ada.id, "admin")
    await house.use_cases.revoke_role(OPERATOR, ada.id, "analyst")
    after = (await uses(house, whole)).user.roles, (await uses(house, part)).user.roles

    assert [set(roles) for roles in before] == [{"analyst", "trainer"}, {"analyst"}]
    assert [set(roles) for roles in after] == [{"admin", "trainer"}, set()]


async def test_a_token_cannot_be_made_for_a_role_that_its_owner_lacks(house: House) -> None:
    await house.has(roles={"analyst"})

    with pytest.raises(AccessTokenInvalid, match="admin"):
        await makes(house, roles={"admin"})


async def test_the_last_use_is_stored_at_once_and_then_once_a_minute(house: House) -> None:
    await house.has()
    made = await makes(house)
    start = house.clock.now()

    assert (await listed(house))[0].last_used_at is None
    await uses(house, made)
    house.passes(seconds=59)
    await uses(house, made)
    within = (await listed(house))[0].last_used_at
    house.passes(seconds=1)
    await uses(house, made, activity=False)
    passive = (await listed(house))[0].last_used_at
    await uses(house, made)
    after = (await listed(house))[0].last_used_at

    assert (within, passive, after) == (start, start, start + timedelta(seconds=60))


async def test_a_revoked_token_ends_at_once(house: House) -> None:
    await house.has()
    made, other = await makes(house), await makes(house)
    await uses(house, made)
    me = await house.sign_in()

    await house.use_cases.revoke_token(me.caller, made.token.id)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    await uses(house, other)
    with pytest.raises(AccessTokenNotFound):
        await house.use_cases.revoke_token(me.caller, made.token.id)


@pytest.mark.asvs("V8.2.2")
async def test_the_token_of_another_account_is_not_found(house: House) -> None:
    await house.has()
    await house.has("bob@example.org")
    made = await makes(house)
    bob = await house.sign_in("bob@example.org")

    for of in (None, bob.user.id, made.token.user_id):
        with pytest.raises(AccessTokenNotFound):
            await house.use_cases.revoke_token(bob.caller, made.token.id, of=of)
    for act in (house.use_cases.list_tokens_of, house.use_cases.revoke_all_tokens):
        with pytest.raises(NotAllowed):
            await act(bob.caller, made.token.user_id)

    assert await listed(house, "bob@example.org") == []
    await uses(house, made)


async def test_an_admin_lists_and_revokes_the_tokens_of_another_account(house: House) -> None:
    ada = await house.has()
    await house.has("bob@example.org", roles={"admin"})
    kept, first, second = [await makes(house, name=name) for name in ("kept", "one", "two")]
    bob = await house.sign_in("bob@example.org")
    his = await makes(house, "bob@example.org")
    house.passes(minutes=11)  # No confirmation: revoking must be quick.

    found = await house.use_cases.list_tokens_of(bob.caller, ada.id)
    await house.use_cases.revoke_token(bob.caller, first.token.id)
    await house.use_cases.revoke_token(bob.caller, second.token.id, of=ada.id)
    with pytest.raises(AccessTokenNotFound):
        await house.use_cases.revoke_token(bob.caller, kept.token.id, of=bob.user.id)

    assert {token.name for token in found} == {"kept", "one", "two"}
    for gone in (first, second):
        with pytest.raises(AccessTokenEnded):
            await uses(house, gone)
    await uses(house, kept)
    assert await house.use_cases.revoke_all_tokens(bob.caller, ada.id) == 1
    with pytest.raises(AccessTokenEnded):
        await uses(house, kept)
    await uses(house, his)


async def test_a_former_admin_neither_lists_nor_revokes_tokens_of_others(house: House) -> None:
    ada = await house.has()
    root = await house.has("bob@example.org", roles={"admin"})
    await house.has("last@example.org", roles={"admin"})
    made, bob = await makes(house), await house.sign_in("bob@example.org")
    await house.use_cases.revoke_role(OPERATOR, root.id, "admin")

    for refused in (
        house.use_cases.list_tokens_of(bob.caller, ada.id),
        house.use_cases.revoke_token(bob.caller, made.token.id),
        house.use_cases.revoke_all_tokens(bob.caller, ada.id),
    ):
        with pytest.raises(NotAllowed):
            await refused

    await uses(house, made)


async def test_lists_and_revocations_for_an_unknown_account_say_so(house: House) -> None:
    nobody = UserId(UUID(int=2**127))

    for act in (house.use_cases.list_tokens_of, house.use_cases.revoke_all_tokens):
        with pytest.raises(UserNotFound):
            await act(OPERATOR, nobody)


async def test_an_account_has_a_limit_of_tokens_and_expired_ones_do_not_count(house: House) -> None:
    await house.has()
    for _ in range(PER_ACCOUNT - 1):
        await makes(house)
    await makes(house, days=1)

    with pytest.raises(TooManyAccessTokens):
        await makes(house)
    house.passes(days=1)
    await makes(house)


async def disable(house: House, user: User) -> None:
    await house.use_cases.disable_user(OPERATOR, user.id)


async def change(house: House, user: User) -> None:
    await house.use_cases.change_user(OPERATOR, user.id, is_active=False)


@pytest.mark.parametrize("disabling", [disable, change])
async def test_disabling_the_account_ends_its_tokens_forever(
    house: House, disabling: Callable[[House, User], Awaitable[None]]
) -> None:
    ada = await house.has()
    made = await makes(house)
    await uses(house, made)

    await disabling(house, ada)
    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    await house.use_cases.enable_user(OPERATOR, ada.id)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    assert await listed(house) == []


async def test_a_disabled_account_cannot_make_a_token(house: House) -> None:
    ada = await house.has()
    me = await house.sign_in()
    async with house.container.units_of_work().writing() as work:
        # Without ending its sessions, as if the two happened at once.
        await work.users.save(ada.disabled(house.clock.now()))
        await work.commit()

    with pytest.raises(NotAllowed):
        await house.use_cases.create_token(me.caller, name="Late")


async def test_the_operator_has_no_tokens(house: House) -> None:
    with pytest.raises(NotAllowed):
        await house.use_cases.create_token(OPERATOR, name="Nobody's")


ENDING: Final[dict[str, Callable[..., Awaitable[Ended]]]] = {
    "an own new password": lambda use_cases, me, **more: use_cases.change_password(
        me.caller, current=PASSWORD, new="another correct horse", **more
    ),
    "a password that is set": lambda use_cases, me, **more: use_cases.set_password(
        OPERATOR, me.user.id, "another correct horse", **more
    ),
    "the end of everything": lambda use_cases, me, **more: use_cases.revoke_all_sessions(
        OPERATOR, me.user.id, **more
    ),
}


@pytest.mark.parametrize("way", ENDING)
async def test_a_new_password_and_the_end_of_everything_revoke_all_tokens_of_the_account_only(
    house: House, way: str
) -> None:
    await house.has()
    await house.has("bob@example.org")
    mine, his = [await makes(house), await makes(house)], await makes(house, "bob@example.org")
    for made in (*mine, his):
        await uses(house, made)  # It is in the cache.

    ended = await ENDING[way](house.use_cases, await house.sign_in())

    assert ended.tokens == 2
    for made in mine:
        with pytest.raises(AccessTokenEnded):
            await uses(house, made)
    await uses(house, his)


@pytest.mark.parametrize("way", ENDING)
async def test_tokens_stay_valid_if_the_caller_wants_to_keep_them(house: House, way: str) -> None:
    ada = await house.has()
    made = await makes(house)

    ended = await ENDING[way](house.use_cases, await house.sign_in(), revokes_tokens=False)

    assert ended.tokens == 0
    assert (await uses(house, made)).user.id == ada.id


async def test_a_refused_password_change_revokes_no_token(house: House) -> None:
    await house.has()
    made, me = await makes(house), await house.sign_in()

    with pytest.raises(WrongPassword):
        await house.use_cases.change_password(me.caller, current="wrong", new="battery staple")

    await uses(house, made)


async def _with_an_account(use_cases: UseCases, me: SignedIn, **change: Any) -> None:
    eve = await use_cases.create_user(me.caller, email="eve@example.org", password=None)
    if "role" in change:
        await use_cases.grant_role(me.caller, eve.id, change["role"])
    elif "gone" in change:
        await use_cases.revoke_role(me.caller, me.user.id, change["gone"])
    elif "off" in change:
        await use_cases.disable_user(me.caller, eve.id)
        await use_cases.enable_user(me.caller, eve.id)
    else:
        await use_cases.change_user(me.caller, eve.id, **change)


FORBIDDEN: dict[str, Callable[[UseCases, SignedIn], Awaitable[Any]]] = {
    "create a token": lambda use_cases, me: use_cases.create_token(me.caller, name="Another"),
    "list tokens": lambda use_cases, me: use_cases.list_tokens(me.caller),
    "revoke a token": lambda use_cases, me: use_cases.revoke_token(me.caller, me.caller.token_id),  # type: ignore[arg-type]
    "change the password": lambda use_cases, me: use_cases.change_password(
        me.caller, current=PASSWORD, new="another correct horse"
    ),
    "set a password": lambda use_cases, me: use_cases.set_password(
        me.caller, me.user.id, "another correct"
    ),
    "list sessions": lambda use_cases, me: use_cases.list_sessions(me.caller, me.user.id),
    "end a session": lambda use_cases, me: use_cases.revoke_session(
        me.caller, SessionId(me.session.id)
    ),
    "end other sessions": lambda use_cases, me: use_cases.revoke_other_sessions(me.caller),
    "make an account with a password": lambda use_cases, me: use_cases.create_user(
        me.caller, email="eve@example.org", password="another correct horse"
    ),
    "make an account with a role": lambda use_cases, me: use_cases.create_user(
        me.caller, email="eve@example.org", password=None, roles=["analyst"]
    ),
    "grant a role": lambda use_cases, me: _with_an_account(use_cases, me, role="analyst"),
    "revoke a role": lambda use_cases, me: _with_an_account(use_cases, me, gone="admin"),
    "change roles": lambda use_cases, me: _with_an_account(use_cases, me, roles=["analyst"]),
    "enable an account": lambda use_cases, me: _with_an_account(use_cases, me, off=True),
    "list tokens of another account": lambda use_cases, me: use_cases.list_tokens_of(
        me.caller, me.user.id
    ),
    "revoke all tokens of an account": lambda use_cases, me: use_cases.revoke_all_tokens(
        me.caller, me.user.id
    ),
    "confirm a session": lambda use_cases, me: use_cases.confirm_by_password(me.caller, PASSWORD),
    "unlink identities": lambda use_cases, me: use_cases.unlink_identities(me.caller, me.user.id),
    "end its own sessions": lambda use_cases, me: use_cases.revoke_all_sessions(
        me.caller, me.user.id
    ),
}


@pytest.mark.asvs("V6.3.4")
async def test_a_program_may_not_manage_passwords_sessions_tokens_or_admins(
    house: House, subtests: pytest.Subtests
) -> None:
    for name, act in FORBIDDEN.items():
        house.container.store().tables.users.clear()
        await house.has(roles={"admin"})
        await house.has("other@example.org", roles={"admin"})
        program = await uses(house, await makes(house))

        with subtests.test(name), pytest.raises(NotAllowed, match="Sign in with a browser"):
            await act(house.use_cases, program)


async def test_an_admins_program_can_administer_unless_its_token_lacks_the_role(
    house: House,
) -> None:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org")
    await house.sign_in("bob@example.org")
    admin = await uses(house, await makes(house))
    less = await uses(house, await makes(house, roles=()))

    assert (await house.use_cases.revoke_all_sessions(admin.caller, bob.id)).sessions == 1
    assert len(await house.use_cases.list_users(admin.caller)) == 2
    eve = await house.use_cases.create_user(admin.caller, email="eve@example.org", password=None)
    # All fields of an account may be sent, as long as its roles stay.
    changed = await house.use_cases.change_user(
        admin.caller, bob.id, name="Bobby", roles=[], is_active=True
    )
    assert changed.name == "Bobby"
    assert not (await house.use_cases.disable_user(admin.caller, eve.id)).is_active
    with pytest.raises(NotAllowed):
        await house.use_cases.list_users(less.caller)


async def test_session_data_of_a_program_is_stored_with_its_token(house: House) -> None:
    await house.has()
    made, other = await makes(house), await makes(house)
    program = await uses(house, made)

    await house.use_cases.change_session_data(program.caller, {"runs": 1})
    house.passes(minutes=5)
    again = await uses(house, made)

    assert again.data["runs"].value == 1
    assert (await uses(house, other)).data == {}
    await house.use_cases.revoke_token((await house.sign_in()).caller, made.token.id)
    with pytest.raises(AccessTokenEnded):
        await house.use_cases.change_session_data(program.caller, {"runs": 2})


async def test_newly_written_data_is_seen_although_the_token_is_cached(house: House) -> None:
    await house.has()
    made = await makes(house)
    program = await uses(house, made)

    await house.use_cases.change_session_data(program.caller, {"runs": 1})

    assert (await uses(house, made)).data["runs"].value == 1


async def test_a_token_is_refused_as_a_cookie_and_a_cookie_as_a_token(house: House) -> None:
    await house.has()
    made, opened = await makes(house), await house.opens()
    await uses(house, made)
    await house.use_cases.recognise(opened.signed_token, activity=False)

    for cookie in (made.value, f"access token {made.value}", made.token.secret_hash.hex()):
        with pytest.raises(SessionEnded):
            await house.use_cases.recognise(cookie, activity=False)
    with pytest.raises(AccessTokenEnded):
        await house.use_cases.recognise_token(opened.signed_token, activity=False)


async def test_live_tokens_are_not_reported_as_ended_sessions(house: House) -> None:
    await house.has()
    live, revoked, me = await makes(house), await makes(house), await house.sign_in()
    gone = await house.sign_in()
    await house.use_cases.log_out(gone.caller)
    await house.use_cases.revoke_token(me.caller, revoked.token.id)
    short = await makes(house, days=1)
    ids = [live, revoked, short]
    asked = [me.session.id, gone.session.id, *(SessionId(made.token.id) for made in ids)]

    now = await house.use_cases.ended_sessions(asked)
    house.passes(days=1)
    later = await house.use_cases.ended_sessions(asked)

    assert now == {gone.session.id, SessionId(revoked.token.id)}
    assert later == now | {SessionId(short.token.id), me.session.id}


async def test_expired_tokens_are_purged(house: House) -> None:
    await house.has()
    await makes(house, days=1)
    kept = await makes(house, days=2)
    house.passes(days=1)

    assert await house.use_cases.purge_tokens() == 1
    assert await house.use_cases.purge_tokens() == 0
    await uses(house, kept)


async def test_using_a_token_rehashes_it_with_the_newest_key(house: House) -> None:
    await house.has()

    def with_keys(*keys: str) -> UseCases:
        house.container.reset_singletons()
        house.container.token_hasher.override(providers.Object(HmacAccessTokenHasher(keys)))
        use_cases: UseCases = house.container.use_cases()
        return use_cases

    store = house.container.store()
    house.container.store.override(providers.Object(store))
    house.container.units_of_work.override(providers.Object(house.container.units_of_work()))
    use_cases = with_keys(OLD)
    opened = await use_cases.log_in("ada@example.org", PASSWORD, LAPTOP)
    house.container.codec.override(providers.Object(house.container.codec()))
    me = await use_cases.recognise(opened.signed_token, activity=False)
    used = await use_cases.create_token(me.caller, name="In use")
    unused = await use_cases.create_token(me.caller, name="Forgotten")

    await with_keys(NEW, OLD).recognise_token(used.value, activity=True)
    newest = with_keys(NEW)

    assert (await newest.recognise_token(used.value, activity=True)).user.id == me.user.id
    with pytest.raises(AccessTokenEnded):
        await newest.recognise_token(unused.value, activity=True)
    await with_keys(NEW, OLD).recognise_token(unused.value, activity=False)


async def test_a_token_is_recognised_while_the_store_is_read_only(house: House) -> None:
    await house.has()
    made = await makes(house)
    units = house.use_cases.recognise_token.units_of_work

    @asynccontextmanager
    async def broken() -> Any:
        raise StoreUnavailable
        yield

    object.__setattr__(units, "writing", broken)

    assert (await uses(house, made)).user.email == "ada@example.org"
