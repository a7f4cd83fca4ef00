"""Use cases of the tokens that identity providers give: an app uses its caller's, and it is refreshed when it expires."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.errors import IdentityRefused, ProviderUnavailable
from domain.model.caller import SignedIn
from domain.model.identity import Origin, Provider
from domain.model.provider_tokens import REFRESH_LASTS, ProviderTokens
from domain.model.session import SessionId
from domain.ports.identities import IdentityProviders
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.provider_tokens import ProviderTokenService, used_up

_LOOK_EVERY: Final = 0.1
"""Seconds between two looks at the store while another process refreshes the tokens."""
_LOOKS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class FindProviderToken:
    units_of_work: UnitsOfWork
    client: IdentityProviders
    tokens: ProviderTokenService
    _refreshing: dict[SessionId, asyncio.Task[ProviderTokens]] = field(default_factory=dict)

    async def __call__(
        self, signed_in: SignedIn, scopes: Mapping[str, Collection[str]]
    ) -> ProviderTokens:
        """Return the tokens that the provider gave at the sign-in of this session, refreshed if they have expired.
        `scopes` are what the page names, by the provider's name. Raises ProviderTokenMissing, ProviderUnavailable within
        seconds."""
        provider, origin = self.tokens.source_of(signed_in, scopes)
        session_id = signed_in.session.id
        tokens = await self._kept(session_id, provider)
        if not self.tokens.is_fresh(tokens):
            tokens = await self._refreshed(session_id, provider, origin)
        self.tokens.must_allow(tokens, scopes[provider.name], provider)
        return tokens

    async def _kept(self, session_id: SessionId, provider: Provider) -> ProviderTokens:
        """Raises ProviderTokenMissing."""
        async with self.units_of_work.reading() as work:
            found = await work.provider_tokens.find(session_id)
        tokens = None if found is None else self.tokens.unsealed(session_id, found.sealed)
        if tokens is None:
            raise used_up(provider, reason="none kept")
        return tokens

    async def _refreshed(
        self, session_id: SessionId, provider: Provider, origin: Origin
    ) -> ProviderTokens:
        """Share one refresh among the session's events. It goes on if an event is cancelled: the provider may have
        replaced the refresh token already, and a lost one cannot be had again."""
        task = self._refreshing.get(session_id)
        if task is None:
            task = asyncio.create_task(self._refresh(session_id, provider, origin))
            self._refreshing[session_id] = task
            task.add_done_callback(lambda done: self._forget(session_id, done))
        return await asyncio.shield(task)

    def _forget(self, session_id: SessionId, done: asyncio.Task[ProviderTokens]) -> None:
        self._refreshing.pop(session_id, None)
        if not done.cancelled():
            done.exception()  # Otherwise Python warns of it if the event that began the refresh is gone.

    async def _refresh(
        self, session_id: SessionId, provider: Provider, origin: Origin
    ) -> ProviderTokens:
        for _ in range(_LOOKS):
            if await self._takes_turn(session_id):
                break
            await asyncio.sleep(_LOOK_EVERY)
            tokens = await self._kept(session_id, provider)
            if self.tokens.is_fresh(tokens):  # Another process has refreshed them.
                return tokens
        else:
            raise ProviderUnavailable(provider.label, reason="another process refreshes too long")
        # Again: they may be fresh since the first look.
        tokens = await self._kept(session_id, provider)
        if self.tokens.is_fresh(tokens):
            await self._end_turn(session_id)
            return tokens
        return await self._ask(session_id, provider, origin, tokens)

    async def _ask(
        self, session_id: SessionId, provider: Provider, origin: Origin, tokens: ProviderTokens
    ) -> ProviderTokens:
        if tokens.refresh_token is None:
            await self._remove(session_id)
            raise used_up(provider, reason="no refresh token")
        try:
            refreshed = await self.client.refresh(provider, tokens, subject=origin.subject)
        except IdentityRefused as error:
            await self._remove(session_id)
            raise used_up(provider, reason=error.reason) from error
        except ProviderUnavailable:
            await self._end_turn(session_id)
            raise
        async with self.units_of_work.writing() as work:
            is_kept = await work.provider_tokens.save(
                session_id, self.tokens.sealed(session_id, refreshed)
            )
            await work.commit()
        if not is_kept:  # The session has ended, or the account was unlinked.
            raise used_up(provider, reason="removed meanwhile")
        return refreshed

    async def _takes_turn(self, session_id: SessionId) -> bool:
        now = self.tokens.clock.now()
        async with self.units_of_work.writing() as work:
            takes = await work.provider_tokens.begin_refresh(
                session_id, now=now, until=now + REFRESH_LASTS
            )
            await work.commit()
        return takes

    async def _end_turn(self, session_id: SessionId) -> None:
        async with self.units_of_work.writing() as work:
            await work.provider_tokens.end_refresh(session_id)
            await work.commit()

    async def _remove(self, session_id: SessionId) -> None:
        async with self.units_of_work.writing() as work:
            await work.provider_tokens.remove(session_id)
            await work.commit()
