"""Identity providers, as the domain needs them."""

from abc import abstractmethod
from collections.abc import Collection
from typing import Protocol

from domain.model.identity import IdentityProxy, LogoutNotice, Profile, Provider
from domain.model.provider_tokens import ProviderTokens, Redeemed


class IdentityProviders(Protocol):
    """Speaks to identity providers. Every method connects only to the provider's issuer and to the addresses that its
    discovery document names, and raises ProviderUnavailable within seconds if the provider does not respond or sends
    what is no valid response."""

    @abstractmethod
    async def authorization_address(
        self,
        provider: Provider,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,
        challenge: str,
        more_scopes: Collection[str] = (),
        is_again: bool = False,
    ) -> str:
        """Return the address at which a person signs in at the provider. `challenge` is a PKCE challenge S256, and
        `more_scopes` are asked for beside the provider's own. With `is_again`, ask the provider to let the person prove
        again who they are, although they are signed in there."""

    @abstractmethod
    async def redeem(
        self,
        provider: Provider,
        *,
        code: str,
        issuer: str | None,
        redirect_uri: str,
        verifier: str,
        nonce: str,
        more_scopes: Collection[str] = (),
    ) -> Redeemed:
        """Exchange the code for the provider's signed statement about the person, and check it. `issuer` is the one
        that came with the code (RFC 9207), and `more_scopes` were asked for beside the provider's own. Raises IdentityRefused unless signature, issuer, audience, times, nonce and
        `at_hash` are all valid."""

    @abstractmethod
    async def refresh(
        self, provider: Provider, tokens: ProviderTokens, *, subject: str
    ) -> ProviderTokens:
        """Exchange the refresh token for new tokens, with the old refresh token if the provider gives no new one. Raises
        IdentityRefused if the provider does not accept it any more, or says that the new tokens are of another person
        than `subject`."""

    @abstractmethod
    async def read_logout_token(self, provider: Provider, token: str) -> LogoutNotice:
        """Check a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6), except whether it was used
        before. Raises IdentityRefused."""

    @abstractmethod
    async def sign_out_address(self, provider: Provider, *, back: str) -> str | None:
        """Return the address at which a person signs out at the provider, and from which it may lead to `back`. None
        if the provider has none."""


class ProxyIdentities(Protocol):
    @abstractmethod
    async def read(self, proxy: IdentityProxy, token: str) -> Profile:
        """Return the person whom the proxy's signed token names. Connects only to the proxy's `jwks_url`. Raises
        IdentityRefused unless signature, issuer, audience, times and subject are all valid, and ProviderUnavailable
        within seconds if the keys cannot be had."""
