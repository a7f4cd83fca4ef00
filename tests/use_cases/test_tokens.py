"""Access tokens: making, using and ending them."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from dependency_injector import providers

from adapters.security.access_tokens import HmacAccessTokenHasher
from application.use_cases import UseCases
from domain.errors import (
    AccessTokenEnded,
    AccessTokenInvalid,
    AccessTokenNotFound,
    NotAllowed,
    SessionEnded,
    StoreUnavailable,
    TooManyAccessTokens,
)
from domain.model.access_token import PER_ACCOUNT
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.user import User
from domain.services.tokens import Made
from tests.use_cases.conftest import LAPTOP, PASSWORD, House

OPERATOR = Caller.operator()
OLD, NEW = "an-old-key-of-our-own-0123456789abcdef", "a-new-key-of-our-own-0123456789abcdef"


async def makes(house: House, email: str = "ada@example.org", **wanted: Any) -> Made:
    me = await house.sign_in(email)
    return await house.app.create_token(me.caller, **{"name": "Nightly", **wanted})


async def uses(house: House, made: Made, *, activity: bool = True) -> SignedIn:
    return await house.app.recognise_token(made.value, activity=activity)


async def listed(house: House, email: str = "ada@example.org") -> list[Any]:
    return list(await house.app.list_tokens((await house.sign_in(email)).caller))


async def test_a_program_with_a_token_is_its_owner(house: House) -> None:
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
async def test_the_value_is_kept_nowhere(house: House) -> None:
    await house.has()
    made = await makes(house)
    await uses(house, made)

    store = house.container.store()

    assert made.value not in repr(store.tables)
    assert made.value[5:-6] not in repr(store.tables)


async def test_a_token_never_grows_idle_and_ends_when_it_expires(house: House) -> None:
    await house.has()
    made = await makes(house, days=2)

    house.passes(days=1, hours=23, minutes=59)
    await uses(house, made, activity=False)
    house.passes(minutes=1)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    assert await listed(house) == []


async def test_roles_are_those_that_account_and_token_have_at_the_moment(house: House) -> None:
    ada = await house.has(roles={"analyst", "trainer"})
    whole, part = await makes(house), await makes(house, roles={"analyst"})

    before = (await uses(house, whole)).user.roles, (await uses(house, part)).user.roles
    await house.app.grant_role(OPERATOR, ada.id, "admin")
    await house.app.revoke_role(OPERATOR, ada.id, "analyst")
    after = (await uses(house, whole)).user.roles, (await uses(house, part)).user.roles

    assert [set(roles) for roles in before] == [{"analyst", "trainer"}, {"analyst"}]
    assert [set(roles) for roles in after] == [{"admin", "trainer"}, set()]


async def test_a_token_cannot_be_made_for_a_role_that_its_owner_lacks(house: House) -> None:
    await house.has(roles={"analyst"})

    with pytest.raises(AccessTokenInvalid, match="admin"):
        await makes(house, roles={"admin"})


async def test_the_last_use_is_noted_at_once_and_then_once_a_minute(house: House) -> None:
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

    await house.app.revoke_token(me.caller, made.token.id)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    await uses(house, other)
    with pytest.raises(AccessTokenNotFound):
        await house.app.revoke_token(me.caller, made.token.id)


@pytest.mark.asvs("V8.2.2")
async def test_somebody_elses_token_is_not_there_also_for_an_admin(house: House) -> None:
    await house.has()
    await house.has("bob@example.org", roles={"admin"})
    made = await makes(house)
    bob = await house.sign_in("bob@example.org")

    with pytest.raises(AccessTokenNotFound):
        await house.app.revoke_token(bob.caller, made.token.id)

    assert await listed(house, "bob@example.org") == []
    await uses(house, made)


async def test_an_account_has_so_many_tokens_and_expired_ones_do_not_count(house: House) -> None:
    await house.has()
    for _ in range(PER_ACCOUNT - 1):
        await makes(house)
    await makes(house, days=1)

    with pytest.raises(TooManyAccessTokens):
        await makes(house)
    house.passes(days=1)
    await makes(house)


async def disable(house: House, user: User) -> None:
    await house.app.disable_user(OPERATOR, user.id)


async def change(house: House, user: User) -> None:
    await house.app.change_user(OPERATOR, user.id, is_active=False)


@pytest.mark.parametrize("disabling", [disable, change])
async def test_tokens_end_for_good_when_the_account_is_disabled(
    house: House, disabling: Callable[[House, User], Awaitable[None]]
) -> None:
    ada = await house.has()
    made = await makes(house)
    await uses(house, made)

    await disabling(house, ada)
    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    await house.app.enable_user(OPERATOR, ada.id)

    with pytest.raises(AccessTokenEnded):
        await uses(house, made)
    assert await listed(house) == []


async def test_a_closed_account_makes_no_token(house: House) -> None:
    ada = await house.has()
    me = await house.sign_in()
    await house.app.disable_user(OPERATOR, ada.id)

    with pytest.raises(NotAllowed):
        await house.app.create_token(me.caller, name="Late")


async def test_the_operator_has_no_tokens(house: House) -> None:
    with pytest.raises(NotAllowed):
        await house.app.create_token(OPERATOR, name="Nobody's")


async def test_tokens_outlast_passwords_and_sessions(house: House) -> None:
    ada = await house.has()
    made, me = await makes(house), await house.sign_in()

    await house.app.change_password(
        me.caller, current=PASSWORD, new="another correct horse", address="192.0.2.1"
    )
    await house.app.set_password(OPERATOR, ada.id, "a third correct horse")
    await house.app.revoke_all_sessions(OPERATOR, ada.id)

    assert (await uses(house, made)).user.id == ada.id


async def _grants_admin(app: UseCases, me: SignedIn, way: str) -> None:
    eve = await app.create_user(me.caller, email=f"{way}@example.org", password=None)
    if way == "grant":
        await app.grant_role(me.caller, eve.id, "admin")
    else:
        await app.change_user(me.caller, eve.id, roles=["analyst", "admin"])


FORBIDDEN: dict[str, Callable[[UseCases, SignedIn], Awaitable[Any]]] = {
    "create a token": lambda app, me: app.create_token(me.caller, name="Another"),
    "list tokens": lambda app, me: app.list_tokens(me.caller),
    "revoke a token": lambda app, me: app.revoke_token(me.caller, me.caller.token_id),  # type: ignore[arg-type]
    "change the password": lambda app, me: app.change_password(
        me.caller, current=PASSWORD, new="another correct horse", address="192.0.2.1"
    ),
    "set a password": lambda app, me: app.set_password(me.caller, me.user.id, "another correct"),
    "list sessions": lambda app, me: app.list_sessions(me.caller, me.user.id),
    "end a session": lambda app, me: app.revoke_session(me.caller, SessionId(me.session.id)),
    "end other sessions": lambda app, me: app.revoke_other_sessions(me.caller),
    "make an account with a password": lambda app, me: app.create_user(
        me.caller, email="eve@example.org", password="another correct horse"
    ),
    "make an admin": lambda app, me: app.create_user(
        me.caller, email="eve@example.org", password=None, roles=["admin"]
    ),
    "make somebody an admin": lambda app, me: _grants_admin(app, me, "grant"),
    "change somebody into an admin": lambda app, me: _grants_admin(app, me, "change"),
    "end its own sessions": lambda app, me: app.revoke_all_sessions(me.caller, me.user.id),
}


@pytest.mark.asvs("V6.3.4")
async def test_a_program_may_not(house: House, subtests: pytest.Subtests) -> None:
    await house.has(roles={"admin"})
    program = await uses(house, await makes(house))

    for name, act in FORBIDDEN.items():
        with subtests.test(name), pytest.raises(NotAllowed, match="Sign in with a browser"):
            await act(house.app, program)


async def test_a_program_of_an_admin_administers_unless_its_roles_leave_that_out(
    house: House,
) -> None:
    await house.has(roles={"admin"})
    bob = await house.has("bob@example.org")
    await house.sign_in("bob@example.org")
    admin = await uses(house, await makes(house))
    less = await uses(house, await makes(house, roles=()))

    assert await house.app.revoke_all_sessions(admin.caller, bob.id) == 1
    assert len(await house.app.list_users(admin.caller)) == 2
    await house.app.grant_role(admin.caller, bob.id, "analyst")
    me = await house.app.change_user(admin.caller, admin.user.id, roles=["admin", "analyst"])
    assert me.roles == {"admin", "analyst"}
    with pytest.raises(NotAllowed):
        await house.app.list_users(less.caller)


async def test_data_of_a_program_is_kept_with_its_token(house: House) -> None:
    await house.has()
    made, other = await makes(house), await makes(house)
    program = await uses(house, made)

    await house.app.change_session_data(program.caller, {"runs": 1})
    house.passes(minutes=5)
    again = await uses(house, made)

    assert again.data["runs"].value == 1
    assert (await uses(house, other)).data == {}
    await house.app.revoke_token((await house.sign_in()).caller, made.token.id)
    with pytest.raises(AccessTokenEnded):
        await house.app.change_session_data(program.caller, {"runs": 2})


async def test_data_just_written_is_seen_though_the_token_is_cached(house: House) -> None:
    await house.has()
    made = await makes(house)
    program = await uses(house, made)

    await house.app.change_session_data(program.caller, {"runs": 1})

    assert (await uses(house, made)).data["runs"].value == 1


async def test_a_token_opens_nothing_as_a_cookie_and_a_cookie_is_no_token(house: House) -> None:
    await house.has()
    made, opened = await makes(house), await house.opens()
    await uses(house, made)
    await house.app.recognise(opened.token, activity=False)

    for cookie in (made.value, f"access token {made.value}", made.token.secret_hash.hex()):
        with pytest.raises(SessionEnded):
            await house.app.recognise(cookie, activity=False)
    with pytest.raises(AccessTokenEnded):
        await house.app.recognise_token(opened.token, activity=False)


async def test_ended_sessions_are_told_from_tokens_that_live(house: House) -> None:
    await house.has()
    live, revoked, me = await makes(house), await makes(house), await house.sign_in()
    gone = await house.sign_in()
    await house.app.log_out(gone.caller)
    await house.app.revoke_token(me.caller, revoked.token.id)
    short = await makes(house, days=1)
    ids = [live, revoked, short]
    asked = [me.session.id, gone.session.id, *(SessionId(made.token.id) for made in ids)]

    now = await house.app.ended_sessions(asked)
    house.passes(days=1)
    later = await house.app.ended_sessions(asked)

    assert now == {gone.session.id, SessionId(revoked.token.id)}
    assert later == now | {SessionId(short.token.id), me.session.id}


async def test_expired_tokens_are_purged(house: House) -> None:
    await house.has()
    await makes(house, days=1)
    kept = await makes(house, days=2)
    house.passes(days=1)

    assert await house.app.purge_tokens() == 1
    assert await house.app.purge_tokens() == 0
    await uses(house, kept)


async def test_a_token_follows_the_newest_key_when_it_is_used(house: House) -> None:
    await house.has()

    def with_keys(*keys: str) -> UseCases:
        house.container.reset_singletons()
        house.container.token_hasher.override(providers.Object(HmacAccessTokenHasher(keys)))
        app: UseCases = house.container.use_cases()
        return app

    store = house.container.store()
    house.container.store.override(providers.Object(store))
    house.container.units_of_work.override(providers.Object(house.container.units_of_work()))
    app = with_keys(OLD)
    opened = await app.log_in("ada@example.org", PASSWORD, LAPTOP)
    house.container.codec.override(providers.Object(house.container.codec()))
    me = await app.recognise(opened.token, activity=False)
    used = await app.create_token(me.caller, name="In use")
    unused = await app.create_token(me.caller, name="Forgotten")

    await with_keys(NEW, OLD).recognise_token(used.value, activity=True)
    newest = with_keys(NEW)

    assert (await newest.recognise_token(used.value, activity=True)).user.id == me.user.id
    with pytest.raises(AccessTokenEnded):
        await newest.recognise_token(unused.value, activity=True)
    await with_keys(NEW, OLD).recognise_token(unused.value, activity=False)


async def test_a_store_that_is_only_read_still_knows_whose_token_it_is(house: House) -> None:
    await house.has()
    made = await makes(house)
    units = house.app.recognise_token.units_of_work

    @asynccontextmanager
    async def broken() -> Any:
        raise StoreUnavailable
        yield

    object.__setattr__(units, "writing", broken)

    assert (await uses(house, made)).user.email == "ada@example.org"
