"""Access tokens: made, listed and revoked by their owner, recognised when a program comes with one."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from domain.errors import AccessTokenEnded, NotAllowed, StoreUnavailable
from domain.model.access_token import USUAL_LIFE, AccessToken, AccessTokenId
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.tokens import Made, TokenService


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    units_of_work: UnitsOfWork
    tokens: TokenService

    async def __call__(
        self,
        caller: Caller,
        *,
        name: str,
        days: int = USUAL_LIFE,
        roles: Iterable[str] | None = None,
    ) -> Made:
        """One's own, and never with another token. `roles` None: all that the account has when the token is used.
        Raises NotAllowed, AccessTokenInvalid, RoleInvalid, TooManyAccessTokens."""
        user_id = _owner(caller)
        async with self.units_of_work.writing() as work:
            user = await work.users.get_locked(user_id)
            made = await self.tokens.make(
                work.access_tokens, user, name=name, days=days, roles=roles
            )
            await work.commit()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTokens:
    units_of_work: UnitsOfWork
    tokens: TokenService

    async def __call__(self, caller: Caller) -> Sequence[AccessToken]:
        """One's own that could be used, the newest first. Raises NotAllowed."""
        user_id = _owner(caller)
        async with self.units_of_work.reading() as work:
            return await self.tokens.live_of(work.access_tokens, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    units_of_work: UnitsOfWork
    tokens: TokenService
    cache: SessionCache

    async def __call__(self, caller: Caller, token_id: AccessTokenId) -> None:
        """One's own. Raises NotAllowed, AccessTokenNotFound."""
        _owner(caller)
        async with self.units_of_work.writing() as work:
            await self.tokens.end(work.access_tokens, token_id, by=caller)
            await work.commit()
        self.cache.drop_sessions([SessionId(token_id)])


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseToken:
    units_of_work: UnitsOfWork
    tokens: TokenService
    cache: SessionCache

    async def __call__(self, value: str, *, activity: bool) -> SignedIn:
        """Whose program this is. With `activity` its last use is noted, at most one write a minute.
        Raises AccessTokenEnded, StoreUnavailable."""
        self.tokens.must_look_right(value)
        lookup = self.cache.look_up(_key(value))
        signed_in = lookup.found
        if signed_in is None:
            async with self.units_of_work.reading() as work:
                signed_in = await self.tokens.recognise(work.access_tokens, value)
            self.cache.put(signed_in, after=lookup)
        token = signed_in.token
        if token is None:
            raise AccessTokenEnded
        self.tokens.must_be_live(token)
        if activity and self.tokens.is_due_for_touch(token):
            with suppress(
                StoreUnavailable
            ):  # A store that can be read but not written still knows who this is.
                signed_in = await self._touch(value, signed_in, token)
        return signed_in

    async def _touch(self, value: str, signed_in: SignedIn, token: AccessToken) -> SignedIn:
        try:
            async with self.units_of_work.writing() as work:
                touched = await self.tokens.touch(work.access_tokens, signed_in, token, value)
                await work.commit()
        except AccessTokenEnded:
            self.cache.drop_sessions([signed_in.session.id])
            raise
        self.cache.renew_touched(touched)
        return touched


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeTokens:
    units_of_work: UnitsOfWork
    tokens: TokenService
    cache: SessionCache

    async def __call__(self) -> int:
        """Removes what has expired, with its data; answers how many."""
        async with self.units_of_work.writing() as work:
            ended = await self.tokens.purge(work.access_tokens)
            await work.commit()
        self.cache.drop_sessions([SessionId(token_id) for token_id in ended])
        return len(ended)


_KIND: Final = "access token\n"


def _key(value: str) -> str:
    """In the cache, where cookies are found too: none can have a line break, so none is taken for an access token."""
    return _KIND + value


def _owner(caller: Caller) -> UserId:
    caller.must_be_a_person()
    if caller.user_id is None:
        raise NotAllowed
    return caller.user_id
