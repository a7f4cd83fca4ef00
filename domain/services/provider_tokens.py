"""Rules for the tokens of identity providers: who gets them, and how they are kept."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.errors import ProviderTokenMissing
from domain.model.caller import SignedIn
from domain.model.identity import Origin, Provider, Providers
from domain.model.provider_tokens import ProviderTokens
from domain.model.session import SessionId
from domain.ports.security import Encryption
from domain.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokenService:
    providers: Providers
    encryption: Encryption
    clock: Clock

    def sealed(self, session_id: SessionId, tokens: ProviderTokens) -> bytes:
        kept = {
            "access": tokens.access_token,
            "refresh": tokens.refresh_token,
            "scopes": sorted(tokens.scopes),
            "expires_at": tokens.expires_at.isoformat(),
        }
        return self.encryption.encrypt(json.dumps(kept), belongs_to=str(session_id))

    def unsealed(self, session_id: SessionId, sealed: bytes) -> ProviderTokens | None:
        """Return None if they were sealed for another session, or with a key that is not used any more."""
        text = self.encryption.decrypt(sealed, belongs_to=str(session_id))
        if text is None:
            return None
        kept = json.loads(text)
        return ProviderTokens(
            access_token=kept["access"],
            refresh_token=kept["refresh"],
            scopes=frozenset(kept["scopes"]),
            expires_at=datetime.fromisoformat(kept["expires_at"]),
        )

    def source_of(
        self, signed_in: SignedIn, scopes: Mapping[str, Collection[str]]
    ) -> tuple[Provider, Origin]:
        """Return the provider at which the session began, if the page names scopes of it. `scopes` are the page's, by the
        provider's name. Raises ProviderTokenMissing."""
        wanted = [self.providers.find(name) for name, named in scopes.items() if named]
        possible = [provider for provider in wanted if provider is not None]
        if not possible:
            raise ProviderTokenMissing
        if signed_in.token is not None:
            raise ProviderTokenMissing(
                "A program with an access token gets no token of an identity provider. Use this app in a browser.",
                reason="access token",
            )
        origin = signed_in.session.origin
        for provider in possible:
            if origin is not None and origin.issuer == provider.issuer:
                return provider, origin
        labels = " or ".join(provider.label for provider in possible)
        raise ProviderTokenMissing(
            f"This app needs your account at {labels}. Sign out, and sign in with {labels}.",
            reason="another sign-in",
        )

    def must_allow(self, tokens: ProviderTokens, wanted: Collection[str], at: Provider) -> None:
        """Raises ProviderTokenMissing unless the provider has granted all scopes that the page names."""
        if not tokens.scopes.issuperset(wanted):
            raise ProviderTokenMissing(
                f"{at.label} has not allowed this app what it needs. Sign out, sign in with {at.label} again, and allow it.",
                reason="scopes not granted",
            )

    def is_fresh(self, tokens: ProviderTokens) -> bool:
        return tokens.is_fresh(self.clock.now())


def used_up(provider: Provider, *, reason: str) -> ProviderTokenMissing:
    return ProviderTokenMissing(
        f"This app may not use your account at {provider.label} any more. Sign out, and sign in with {provider.label} again.",
        reason=reason,
    )
