"""Use cases of access tokens: owners and admins list and revoke them, owners create them, and programs are recognised by them."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from domain.errors import AccessTokenEnded, StoreUnavailable
from domain.model.access_token import USUAL_LIFE, AccessToken, AccessTokenId
from domain.model.audit import Act
from domain.model.caller import Caller, SignedIn
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.access_tokens import AccessTokenService, Made
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.confirmations import ConfirmationService


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService
    confirmations: ConfirmationService
    audit: AuditService

    async def __call__(
        self,
        caller: Caller,
        *,
        name: str,
        days: int = USUAL_LIFE,
        roles: Iterable[str] | None = None,
    ) -> Made:
        """Make an access token for the caller's own account; a program cannot make one. `roles` None: all roles that
        the account has at the time of use. Raises ConfirmationNeeded, NotAllowed, AccessTokenInvalid, RoleInvalid,
        TooManyAccessTokens."""
        async with (
            self.audit.act(Act.CREATE_TOKEN, by=caller, of=caller.user_id, days=days) as entry,
            self.units_of_work.writing() as work,
        ):
            user = await work.users.get_locked(_owner(caller))
            # After the lock: a new password that ends this session may have held it.
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            made = await self.tokens.make(
                work.access_tokens, user, name=name, days=days, roles=roles
            )
            entry.details = {**entry.details, "token": str(made.token.id)}
            await work.commit()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTokens:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService

    async def __call__(self, caller: Caller) -> Sequence[AccessToken]:
        """Return the caller's own tokens that have not expired, the newest first. Raises NotAllowed."""
        user_id = _owner(caller)
        async with self.units_of_work.reading() as work:
            return await self.tokens.live_of(work.access_tokens, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTokensOf:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId) -> Sequence[AccessToken]:
        """Return the tokens of an account that have not expired, the newest first; admins only. Raises UserNotFound, and
        NotAllowed, also for a program."""
        async with (
            self.audit.act(Act.READ, by=caller, of=user_id, what="access tokens"),
            self.units_of_work.reading() as work,
        ):
            caller.must_be_a_person()
            await must_administer(work.users, caller)
            await work.users.get(user_id)
            return await self.tokens.live_of(work.access_tokens, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self, caller: Caller, token_id: AccessTokenId, *, of: UserId | None = None
    ) -> AccessToken:
        """Revoke one of the caller's own tokens, or any token if the caller is an admin, and return it. With `of`, revoke
        only a token of that account. Raises AccessTokenNotFound, and NotAllowed for a program and for a caller who is no
        longer an admin."""
        async with (
            self.audit.act(Act.REVOKE_TOKEN, by=caller, of=of, token=str(token_id)) as entry,
            self.units_of_work.writing() as work,
        ):
            token = await self.tokens.end(
                work.access_tokens, token_id, by=caller, users=work.users, of=of
            )
            entry.of = token.user_id
            await work.commit()
        self.cache.drop_sessions([SessionId(token_id)])
        return token


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAllTokens:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId) -> int:
        """Revoke all tokens of an account and return how many; admins only. Raises UserNotFound, and NotAllowed, also for
        a program."""
        async with (
            self.audit.act(Act.REVOKE_TOKEN, by=caller, of=user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            caller.must_be_a_person()
            await must_administer(work.users, caller)
            # With the lock, so that no token is made at the same time.
            await work.users.get_locked(user_id)
            revoked = await self.tokens.remove_all(work.access_tokens, user_id)
            entry.details = {"tokens": len(revoked)}
            await work.commit()
        self.cache.drop_user(user_id)
        return len(revoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseToken:
    units_of_work: UnitsOfWork
    tokens: AccessTokenService
    cache: SessionCache

    async def __call__(self, value: str, *, activity: bool) -> SignedIn:
        """Return the account of the access token. With `activity`, store the time of use, at most once a minute. Raises
        AccessTokenEnded, StoreUnavailable."""
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
            # A read-only store is enough to recognise the caller.
            with suppress(StoreUnavailable):
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
    tokens: AccessTokenService
    cache: SessionCache

    async def __call__(self) -> int:
        """Remove expired tokens with their data; return how many."""
        async with self.units_of_work.writing() as work:
            ended = await self.tokens.purge(work.access_tokens)
            await work.commit()
        self.cache.drop_sessions([SessionId(token_id) for token_id in ended])
        return len(ended)


_KIND: Final = "access token\n"


def _key(value: str) -> str:
    """Return the token's key in the cache. Its line break, which no cookie can contain, keeps access tokens and cookies
    apart."""
    return _KIND + value


def _owner(caller: Caller) -> UserId:
    caller.must_be_a_person()
    return caller.account()
