"""Rules for access tokens: making, recognising, touching, limiting and ending them, and what a program may do."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from domain.errors import AccessTokenEnded, AccessTokenNotFound, NotAllowed, TooManyAccessTokens
from domain.model.access_token import (
    HINT_LENGTH,
    PER_ACCOUNT,
    AccessToken,
    AccessTokenId,
    checked_life,
    checked_subset,
    checked_token_name,
    checked_value,
    value_of,
)
from domain.model.caller import Caller, SignedIn
from domain.model.state import Entries
from domain.model.user import User, UserId
from domain.ports.repositories import AccessTokenRepository, UserRepository
from domain.ports.security import AccessTokenHasher
from domain.ports.system import Clock, IdGenerator
from domain.services.admins import must_administer


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    token: AccessToken
    value: str = field(repr=False)
    """Shown once, to the user who made the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenService:
    hasher: AccessTokenHasher
    clock: Clock
    ids: IdGenerator

    async def make(
        self,
        tokens: AccessTokenRepository,
        user: User,
        *,
        name: str,
        days: int,
        roles: Iterable[str] | None,
    ) -> Made:
        """Make an access token for an account whose lock the caller holds, so that two requests cannot both pass the
        limit. `roles` None: all roles that the account has at the time of use. Raises NotAllowed for a disabled account,
        AccessTokenInvalid, RoleInvalid, TooManyAccessTokens."""
        if not user.is_active:
            raise NotAllowed
        now = self.clock.now()
        value = value_of(self.ids.new_secret())
        token = AccessToken(
            id=AccessTokenId(self.ids.new_id()),
            user_id=user.id,
            name=checked_token_name(name),
            secret_hash=self.hasher.hashes(value)[0],
            hint=value[-HINT_LENGTH:],
            roles=None if roles is None else checked_subset(roles, of=user),
            created_at=now,
            expires_at=now + checked_life(days),
            last_used_at=None,
        )
        if len(await self.live_of(tokens, user.id)) >= PER_ACCOUNT:
            raise TooManyAccessTokens
        await tokens.add(token)
        return Made(token=token, value=value)

    def must_look_right(self, value: str) -> None:
        """Check prefix and checksum without asking the store. Raises AccessTokenEnded."""
        checked_value(value)

    async def recognise(self, tokens: AccessTokenRepository, value: str) -> SignedIn:
        """Return the account with the roles that both the account and the token have now. Raises AccessTokenEnded for
        every invalid token."""
        found = await tokens.find_with_user(self.hasher.hashes(checked_value(value)))
        if found is None:
            raise AccessTokenEnded
        token, user, data = found
        if not user.is_active:
            raise AccessTokenEnded
        self.must_be_live(token)
        return _signed_in(token, user, data)

    def must_be_live(self, token: AccessToken) -> None:
        """Raises AccessTokenEnded."""
        token.must_be_live(self.clock.now())

    def is_due_for_touch(self, token: AccessToken) -> bool:
        return token.is_due_for_touch(self.clock.now())

    async def touch(
        self, tokens: AccessTokenRepository, signed_in: SignedIn, token: AccessToken, value: str
    ) -> SignedIn:
        """Store the time of use, and rehash the value with the newest key. Raises AccessTokenEnded if the token was
        revoked meanwhile: touching never restores it."""
        touched = token.used(self.clock.now()).rehashed(self.hasher.hashes(value)[0])
        await tokens.save(touched)
        return _signed_in(touched, signed_in.user, signed_in.data)

    async def live_of(
        self, tokens: AccessTokenRepository, user_id: UserId
    ) -> Sequence[AccessToken]:
        """Return the account's tokens that have not expired, the newest first."""
        now = self.clock.now()
        return [token for token in await tokens.of_user(user_id) if token.is_live(now)]

    async def live_among(
        self, tokens: AccessTokenRepository, token_ids: Collection[AccessTokenId]
    ) -> frozenset[AccessTokenId]:
        """Return those of the tokens that exist and have not expired."""
        now = self.clock.now()
        found = await tokens.find_many(token_ids)
        return frozenset(token.id for token in found if token.is_live(now))

    async def end(
        self,
        tokens: AccessTokenRepository,
        token_id: AccessTokenId,
        *,
        by: Caller,
        users: UserRepository,
        of: UserId | None = None,
    ) -> AccessToken:
        """Revoke one of the caller's own tokens, or any token if the caller is an admin, and return it. With `of`, revoke
        only a token of that account. Raises AccessTokenNotFound (also if the caller may not revoke the token), and
        NotAllowed for programs and former admins."""
        by.must_be_a_person()
        token = await tokens.find(token_id)
        if token is None or of not in {None, token.user_id}:
            raise AccessTokenNotFound
        if token.user_id != by.user_id:
            if not by.is_admin:
                raise AccessTokenNotFound
            await must_administer(users, by)
        await tokens.remove([token_id])
        return token

    async def remove_all(
        self, tokens: AccessTokenRepository, user_id: UserId
    ) -> Sequence[AccessTokenId]:
        """Remove all tokens of the account, and return the ids of those that were still valid. Does not check the
        caller."""
        found, now = await tokens.of_user(user_id), self.clock.now()
        await tokens.remove([token.id for token in found])
        return [token.id for token in found if token.is_live(now)]

    async def purge(self, tokens: AccessTokenRepository) -> Sequence[AccessTokenId]:
        """Remove expired tokens; return their ids."""
        return await tokens.remove_expired(self.clock.now())


def _signed_in(token: AccessToken, user: User, data: Entries) -> SignedIn:
    return SignedIn(user=token.limits(user), session=token.as_session(), data=data, token=token)
