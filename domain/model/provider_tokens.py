"""Tokens with which an app may act for a person at an identity provider."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.model.identity import Profile

EARLY: Final = timedelta(seconds=60)
"""How long before its end a token counts as expired, so that it does not expire on its way."""
REFRESH_LASTS: Final = timedelta(seconds=15)
"""How long a process may take for a refresh until another one tries. A provider has less time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """What a provider gave at one sign-in. A session has at most one."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    scopes: frozenset[str]
    expires_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        return now < self.expires_at - EARLY


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTokens:
    """Encrypted tokens, as the store keeps them."""

    sealed: bytes = field(repr=False)
    refreshing_until: datetime | None = None
    """Until then, another process is refreshing them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What a provider gives for the code of a sign-in."""

    profile: Profile
    tokens: ProviderTokens | None
    """None if the provider gave no access token that an app could use."""
