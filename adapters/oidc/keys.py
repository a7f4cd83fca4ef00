"""The key sets with which providers and proxies sign, kept between requests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from joserfc.jwk import Key

from adapters.oidc.fetching import Rejected, Unusable, get, must_be_ok
from adapters.oidc.tokens import NoKey, Verified, keys_from, refused, verified
from domain.errors import ProviderUnavailable
from domain.model.identity import Provider
from domain.ports.system import Clock

KEPT: Final = timedelta(hours=1)
"""How long a discovery document and a key set are used without asking again."""
REFETCH_KEYS: Final = timedelta(minutes=1)
"""The shortest time between two requests for a key set because no known key verifies a token."""
REST: Final = timedelta(seconds=5)
"""How long a provider that failed is not asked again."""


@dataclass(slots=True)
class Asking:
    """Requests to one provider, one after the other, and none for a moment after a failure."""

    failed_at: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Sign-ins that come at once share one request."""

    @asynccontextmanager
    async def resting_after_failure(self, now: datetime) -> AsyncIterator[None]:
        """Do not ask a provider that failed moments ago: everybody who waits would wait for the next failure. Raises
        Unusable."""
        if is_within(now, self.failed_at, REST):
            raise Unusable("it failed moments ago")
        try:
            yield
        except Rejected:  # The provider works, and refuses one person.
            raise
        except Unusable:
            self.failed_at = now
            raise
        self.failed_at = None


@dataclass(slots=True)
class KeySet:
    """The keys at one address."""

    clock: Clock
    limit: float
    """The time for a request, in seconds."""
    asking: Asking = field(default_factory=Asking)
    keys: Sequence[Key] = ()
    keys_at: datetime | None = None

    async def verified(self, token: object, address: str, provider: Provider) -> Verified:
        """Verify the signature with the known keys, and if none fits with new ones. Raises IdentityRefused, Unusable."""
        for most in (KEPT, REFETCH_KEYS):
            try:
                return verified(token, await self._keys(address, younger_than=most), provider)
            except NoKey:
                continue
        raise refused(provider, "signature")

    def are_younger_than(self, time: timedelta) -> bool:
        return is_within(self.clock.now(), self.keys_at, time)

    async def _keys(self, address: str, *, younger_than: timedelta) -> Sequence[Key]:
        # Before the lock: nobody with a good token waits for the request that a bad one causes.
        if self.are_younger_than(younger_than):
            return self.keys
        async with self.asking.lock:
            now = self.clock.now()
            if is_within(now, self.keys_at, younger_than):
                return self.keys
            async with self.asking.resting_after_failure(now):
                answer = await get(address, limit=self.limit)
                must_be_ok(answer, "the key set")
                self.keys = keys_from(answer.members())
            self.keys_at = now
            return self.keys


@asynccontextmanager
async def using(provider: Provider, *, within: float) -> AsyncIterator[None]:
    """Bound the time, in seconds, and raise ProviderUnavailable for what the provider does wrong."""
    try:
        async with asyncio.timeout(within):
            yield
    except Unusable as error:
        raise ProviderUnavailable(provider.label, reason=str(error)) from error
    except TimeoutError as error:
        reason = f"not done within {within} seconds"
        raise ProviderUnavailable(provider.label, reason=reason) from error


def is_within(now: datetime, since: datetime | None, time: timedelta) -> bool:
    """Return whether less than `time` has passed. A clock that was set back does not make it longer."""
    return since is not None and timedelta(0) <= now - since < time
