"""Access tokens: made, recognised, touched, capped and ended. What a program may do with one is decided here."""

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
from domain.ports.repositories import AccessTokenRepository
from domain.ports.security import AccessTokenHasher
from domain.ports.system import Clock, IdGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    token: AccessToken
    value: str = field(repr=False)
    """For whoever made it, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenService:
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
        """The caller holds the account's lock, so that two cannot both count too few. `roles` None: all that the account
        has when the token is used. Raises NotAllowed for a closed account, AccessTokenInvalid, RoleInvalid,
        TooManyAccessTokens."""
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
        """Prefix and checksum, before anybody asks the store. Raises AccessTokenEnded."""
        checked_value(value)

    async def recognise(self, tokens: AccessTokenRepository, value: str) -> SignedIn:
        """With the roles that both the account and the token have now. Raises AccessTokenEnded for everything that does
        not hold."""
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
        """Notes the use, and keeps the token under the newest key. Raises AccessTokenEnded when somebody revoked it
        meanwhile: a touch revives nothing."""
        touched = token.used(self.clock.now()).rehashed(self.hasher.hashes(value)[0])
        await tokens.save(touched)
        return _signed_in(touched, signed_in.user, signed_in.data)

    async def live_of(
        self, tokens: AccessTokenRepository, user_id: UserId
    ) -> Sequence[AccessToken]:
        """Those that could still be used, the newest first."""
        now = self.clock.now()
        return [token for token in await tokens.of_user(user_id) if token.is_live(now)]

    async def live_among(
        self, tokens: AccessTokenRepository, token_ids: Collection[AccessTokenId]
    ) -> frozenset[AccessTokenId]:
        """Those of them that could still be used."""
        now = self.clock.now()
        found = await tokens.find_many(token_ids)
        return frozenset(token.id for token in found if token.is_live(now))

    async def end(
        self, tokens: AccessTokenRepository, token_id: AccessTokenId, *, by: Caller
    ) -> None:
        """Raises AccessTokenNotFound when it is not there or is somebody else's."""
        token = await tokens.find(token_id)
        if token is None or token.user_id != by.user_id:
            raise AccessTokenNotFound
        await tokens.remove([token_id])

    async def end_all(self, tokens: AccessTokenRepository, user_id: UserId) -> None:
        await tokens.remove([token.id for token in await tokens.of_user(user_id)])

    async def purge(self, tokens: AccessTokenRepository) -> Sequence[AccessTokenId]:
        """Removes what has expired; answers which."""
        return await tokens.remove_expired(self.clock.now())


def _signed_in(token: AccessToken, user: User, data: Entries) -> SignedIn:
    return SignedIn(user=token.limits(user), session=token.as_session(), data=data, token=token)
