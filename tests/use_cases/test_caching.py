"""A cached caller is never older than a change made by this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from domain.errors import AccessTokenEnded, SessionEnded
from domain.model.access_token import AccessTokenId
from domain.model.caller import Caller, SignedIn
from domain.model.identity import Profile
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from tests.use_cases.conftest import CORP, LAPTOP, PASSWORD, House

OPERATOR: Final = Caller.operator()
ENDED: Final = "ended"

both_ways = pytest.mark.parametrize("way", ["cookie", "access token"])


@dataclass(frozen=True)
class Visitor:
    """A user who sends requests with a cookie or with an access token."""

    house: House
    way: str
    value: str
    caller: Caller
    other: Caller
    """The same account on another device."""

    @property
    def recognise(self) -> Any:
        use_cases = self.house.use_cases
        return use_cases.recognise if self.way == "cookie" else use_cases.recognise_token

    async def comes(self, *, activity: bool = False) -> SignedIn:
        signed_in: SignedIn = await self.recognise(self.value, activity=activity)
        return signed_in

    async def is_seen_as(self) -> SignedIn | str:
        return await _answer(self.comes())

    async def is_stored_as(self) -> SignedIn | str:
        container = self.house.container
        async with container.units_of_work().reading() as work:
            if self.way == "cookie":
                return await _answer(container.sessions().recognise(work.sessions, self.value))
            return await _answer(container.tokens().recognise(work.access_tokens, self.value))


async def _answer(asked: Awaitable[SignedIn]) -> SignedIn | str:
    try:
        return await asked
    except (SessionEnded, AccessTokenEnded):
        return ENDED


async def a_visitor(house: House, way: str) -> Visitor:
    await house.has("admin@example.org", roles={"admin"})
    await house.has(roles={"analyst"})
    opened, other = await house.opens(), await house.sign_in()
    me = await house.use_cases.recognise(opened.signed_token, activity=False)
    if way == "cookie":
        return Visitor(house, way, opened.signed_token, me.caller, other.caller)
    made = await house.use_cases.create_token(me.caller, name="Nightly")
    program = await house.use_cases.recognise_token(made.value, activity=False)
    return Visitor(house, way, made.value, program.caller, other.caller)


class SlowStore(UnitsOfWork):
    """A store that has run the request and whose response has not arrived yet."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units
        self.is_done, self.may_arrive = asyncio.Event(), asyncio.Event()

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._slowly(self._units.reading())

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._slowly(self._units.writing())

    @asynccontextmanager
    async def _slowly(
        self, unit: AbstractAsyncContextManager[UnitOfWork]
    ) -> AsyncIterator[UnitOfWork]:
        async with unit as work:
            yield work
        self.is_done.set()
        await self.may_arrive.wait()


@asynccontextmanager
async def coming_slowly(visitor: Visitor, *, activity: bool) -> AsyncIterator[None]:
    """Within the block, the store has been asked for the visitor, and its response has not arrived yet."""
    visitor.house.passes(minutes=5)  # The cache entry has expired, and a touch is due.
    slow = SlowStore(visitor.recognise.units_of_work)
    recognise = replace(visitor.recognise, units_of_work=slow)
    coming = asyncio.create_task(_answer(recognise(visitor.value, activity=activity)))
    await slow.is_done.wait()
    yield
    slow.may_arrive.set()
    await coming


@asynccontextmanager
async def queued(house: House) -> AsyncIterator[Callable[[Awaitable[Any]], Awaitable[None]]]:
    """Within the block, nobody can write: writes wait in a queue, and run in this order at the end."""
    waiting: list[asyncio.Task[Any]] = []

    async def queue(writes: Awaitable[Any]) -> None:
        waiting.append(asyncio.ensure_future(writes))
        await asyncio.sleep(0)  # Now it waits for its turn.

    async with house.container.units_of_work().writing():
        yield queue
    await asyncio.gather(*waiting)


def note_of(signed_in: SignedIn | str) -> object:
    assert isinstance(signed_in, SignedIn)
    return {key: entry.value for key, entry in signed_in.data.items()}


@both_ways
@pytest.mark.parametrize("is_cached", [True, False])
async def test_data_written_before_a_queued_touch_is_seen_after_the_touch(
    house: House, way: str, *, is_cached: bool
) -> None:
    visitor = await a_visitor(house, way)
    await house.use_cases.change_session_data(visitor.caller, {"note": "old"})
    house.passes(minutes=5)
    if is_cached:
        await visitor.comes()

    async with queued(house) as queue:
        await queue(house.use_cases.change_session_data(visitor.caller, {"note": "new"}))
        await queue(_answer(visitor.comes(activity=True)))

    assert note_of(await visitor.is_seen_as()) == {"note": "new"}


@both_ways
@pytest.mark.parametrize("activity", [True, False])
async def test_data_written_during_a_lookup_is_seen_after_the_lookup(
    house: House, way: str, *, activity: bool
) -> None:
    visitor = await a_visitor(house, way)
    await house.use_cases.change_session_data(visitor.caller, {"note": "old"})

    async with coming_slowly(visitor, activity=activity):
        await house.use_cases.change_session_data(visitor.caller, {"note": "new"})

    assert note_of(await visitor.is_seen_as()) == {"note": "new"}


@both_ways
async def test_the_later_of_two_writes_is_seen_even_if_it_returns_first(
    house: House, way: str
) -> None:
    visitor = await a_visitor(house, way)
    await visitor.comes()
    change = house.use_cases.change_session_data
    slow = SlowStore(change.units_of_work)

    first = asyncio.create_task(replace(change, units_of_work=slow)(visitor.caller, {"note": "1"}))
    await slow.is_done.wait()
    await change(visitor.caller, {"note": "2"})
    slow.may_arrive.set()
    await first

    assert note_of(await visitor.is_seen_as()) == {"note": "2"}


async def _change_password(visitor: Visitor) -> None:
    await visitor.house.use_cases.change_password(
        visitor.other, current=PASSWORD, new="correct horse battery"
    )


async def _revoke_it(visitor: Visitor) -> None:
    use_cases = visitor.house.use_cases
    if visitor.caller.session_id is not None:
        await use_cases.revoke_session(visitor.other, visitor.caller.session_id)
    else:
        assert visitor.caller.token_id is not None
        await use_cases.revoke_token(visitor.other, AccessTokenId(visitor.caller.token_id))


async def _purge(visitor: Visitor) -> None:
    visitor.house.passes(days=91)
    await visitor.house.use_cases.purge_sessions()
    await visitor.house.use_cases.purge_tokens()


async def _sign_in_anew(visitor: Visitor) -> None:
    for _ in range(visitor.house.container.settings().sessions_per_user):
        await visitor.house.opens()


async def _sign_in_over_it(visitor: Visitor) -> None:
    house = visitor.house
    before = await visitor.is_stored_as()
    assert isinstance(before, SignedIn)
    await house.use_cases.log_in("ada@example.org", PASSWORD, LAPTOP, replacing=before)


async def _sign_in_at_provider(visitor: Visitor) -> None:
    """Lose the role analyst, which the provider manages."""
    profile = Profile(
        issuer=CORP.issuer, subject="1", email="ada@example.org", is_email_verified=True
    )
    await visitor.house.use_cases.sign_in_by_identity("corp", profile, LAPTOP)


async def _sign_in_at_provider_over_it(visitor: Visitor) -> None:
    before = await visitor.is_stored_as()
    assert isinstance(before, SignedIn)
    profile = Profile(
        issuer=CORP.issuer, subject="1", email="ada@example.org", is_email_verified=True
    )
    await visitor.house.use_cases.sign_in_by_identity("corp", profile, LAPTOP, replacing=before)


async def _confirm(visitor: Visitor) -> None:
    who = visitor.caller if visitor.way == "cookie" else visitor.other
    visitor.house.passes(seconds=1)
    await visitor.house.use_cases.confirm_by_password(who, PASSWORD)


CHANGES: Final[dict[str, Callable[[Visitor, Any, Any], Awaitable[Any]]]] = {
    "rename_user": lambda _, use_cases, me: use_cases.rename_user(OPERATOR, me, "Countess"),
    "change_user": lambda _, use_cases, me: use_cases.change_user(OPERATOR, me, roles=["trainer"]),
    "change_user, off": lambda _, use_cases, me: use_cases.change_user(
        OPERATOR, me, is_active=False
    ),
    "grant_role": lambda _, use_cases, me: use_cases.grant_role(OPERATOR, me, "trainer"),
    "revoke_role": lambda _, use_cases, me: use_cases.revoke_role(OPERATOR, me, "analyst"),
    "disable_user": lambda _, use_cases, me: use_cases.disable_user(OPERATOR, me),
    "set_password": lambda _, use_cases, me: use_cases.set_password(
        OPERATOR, me, "correct horse battery"
    ),
    "change_password": lambda visitor, *_: _change_password(visitor),
    "log_in": lambda visitor, *_: _sign_in_anew(visitor),
    "log_in, replacing": lambda visitor, *_: _sign_in_over_it(visitor),
    "sign_in_by_identity": lambda visitor, *_: _sign_in_at_provider(visitor),
    "sign_in_by_identity, replacing": lambda visitor, *_: _sign_in_at_provider_over_it(visitor),
    "log_out": lambda visitor, use_cases, _: use_cases.log_out(visitor.caller),
    "revoke it": lambda visitor, *_: _revoke_it(visitor),
    "revoke_other_sessions": lambda visitor, use_cases, _: use_cases.revoke_other_sessions(
        visitor.other
    ),
    "revoke_all_sessions": lambda _, use_cases, me: use_cases.revoke_all_sessions(OPERATOR, me),
    "revoke_all_tokens": lambda _, use_cases, me: use_cases.revoke_all_tokens(OPERATOR, me),
    "confirm_by_password": lambda visitor, *_: _confirm(visitor),
    "purge": lambda visitor, *_: _purge(visitor),
}


@both_ways
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("activity", [True, False])
async def test_every_change_is_seen_at_once_even_by_a_lookup_that_began_before(
    house: House, way: str, change: str, *, activity: bool
) -> None:
    visitor = await a_visitor(house, way)

    async with coming_slowly(visitor, activity=activity):
        await CHANGES[change](visitor, house.use_cases, visitor.caller.user_id)

    assert await visitor.is_seen_as() == await visitor.is_stored_as()


@both_ways
@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_is_seen_at_once_although_the_caller_is_cached(
    house: House, way: str, change: str
) -> None:
    visitor = await a_visitor(house, way)
    house.passes(minutes=5)
    await visitor.comes()

    async with queued(house) as queue:
        await queue(CHANGES[change](visitor, house.use_cases, visitor.caller.user_id))
        await queue(_answer(visitor.comes(activity=True)))

    assert await visitor.is_seen_as() == await visitor.is_stored_as()


@both_ways
async def test_a_touch_does_not_extend_the_time_in_the_cache(house: House, way: str) -> None:
    visitor = await a_visitor(house, way)
    cached_for = house.container.settings().session_cache
    house.passes(minutes=5)
    await visitor.comes()
    house.passes(seconds=cached_for.total_seconds() / 2)
    await visitor.comes(activity=True)

    async with house.container.units_of_work().writing() as work:  # Like another replica.
        ada = await work.users.get(visitor.caller.user_id)
        await work.users.save(ada.with_roles(set(), ada.updated_at))
        await work.commit()
    house.passes(seconds=cached_for.total_seconds() / 2)

    assert await visitor.is_seen_as() == await visitor.is_stored_as()


async def test_the_table_of_changes_names_every_use_case_that_drops_cache_entries(
    house: House,
) -> None:
    dropping = {
        name
        for name in house.use_cases.__slots__
        if "cache" in getattr(type(getattr(house.use_cases, name)), "__slots__", ())
    }

    judged = {change.partition(",")[0] for change in CHANGES}

    assert dropping - judged == {
        "recognise",
        "recognise_token",
        "change_session_data",
        "end_by_provider",  # In tests/web/test_single_sign_on.py, with a provider.
        "recognise_behind_proxy",  # In tests/use_cases/test_proxy_identity.py, with a proxy.
        "confirm_by_identity",  # In tests/use_cases/test_confirmations.py.
        "revoke_session",
        "revoke_token",
        "purge_sessions",
        "purge_tokens",
    }
