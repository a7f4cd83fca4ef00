"""OpenID Connect: discovery, keys, the authorization code flow with PKCE, and sign-out at the provider."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from adapters.oidc.bearer import tokens_in
from adapters.oidc.fetching import REQUEST, Unusable, get, must_be_ok
from adapters.oidc.keys import KEPT, Asking, KeySet, is_within, using
from adapters.oidc.metadata import Metadata, address_of_document, metadata_from
from adapters.oidc.profiles import profile_from
from adapters.oidc.token_endpoint import exchange
from adapters.oidc.tokens import (
    SKEW,
    Verified,
    id_in,
    must_be_for_us,
    must_be_in_time,
    must_be_logout,
    must_fit_access_token,
    must_have_nonce,
    optional_id,
    refused,
    time_in,
)
from domain.model.identity import LogoutNotice, Provider
from domain.model.provider_tokens import ProviderTokens, Redeemed
from domain.ports.identities import IdentityProviders
from domain.ports.system import Clock

TOTAL: Final = 10.0
"""Seconds for everything that one sign-in needs of a provider."""
_AGAIN: Final = {"prompt": "login", "max_age": "0"}
"""Ask for a new sign-in (OpenID Connect Core 1.0, section 3.1.2.1). With `max_age`, the token must have `auth_time`."""
LONGEST_CODE: Final = 2048
"""Characters."""


@dataclass(slots=True)
class _Known:
    """What this process knows of one provider."""

    keys: KeySet
    metadata: Metadata | None = None
    metadata_at: datetime | None = None
    refreshing: Asking = field(default_factory=Asking)
    """Failed refreshes of tokens, which must not stop sign-ins."""


class OidcProviders(IdentityProviders):
    def __init__(self, clock: Clock, *, total: float = TOTAL, limit: float = REQUEST) -> None:
        """`total` is the time for one call of a method, and `limit` for one request, in seconds. A provider counts as
        slow, and is not asked again at once, only if a request takes too long before the call does."""
        self._clock = clock
        self._total = total
        self._limit = min(limit, total)
        self._known: dict[str, _Known] = {}

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
        async with using(provider, within=self._total):
            metadata = await self._metadata(provider)
        return _with_query(
            metadata.authorization_endpoint,
            response_type="code",
            client_id=provider.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(_all_scopes(provider, more_scopes)),
            state=state,
            nonce=nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
            **(_AGAIN if is_again else {}),
        )

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
        if not 0 < len(code) <= LONGEST_CODE or not code.isascii() or not code.isprintable():
            raise refused(provider, "code")
        async with using(provider, within=self._total):
            metadata = await self._metadata(provider)
            if issuer != provider.issuer and (issuer is not None or metadata.names_issuer):
                raise refused(provider, "issuer of the code")
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            }
            answer = await exchange(provider, metadata, form, limit=self._limit)
            token = await self._verify(provider, answer.get("id_token"))
            must_be_for_us(token.claims, provider)
            must_be_in_time(token.claims, provider, self._clock.now())
            must_have_nonce(token.claims, nonce, provider)
            must_fit_access_token(token, answer.get("access_token"), provider)
            subject = id_in(token.claims, "sub", provider)
            more = await self._user_info(provider, metadata, answer, token.claims, subject)
        asked = _all_scopes(provider, more_scopes)
        return Redeemed(
            profile=profile_from(provider, token.claims, more),
            tokens=tokens_in(answer, asked=asked, now=self._clock.now()),
        )

    async def refresh(
        self, provider: Provider, tokens: ProviderTokens, *, subject: str
    ) -> ProviderTokens:
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token or ""}
        async with using(provider, within=self._total):
            metadata = await self._metadata(provider)
            refreshing = self._known[provider.issuer].refreshing
            async with refreshing.resting_after_failure(self._clock.now()):
                answer = await exchange(provider, metadata, form, limit=self._limit)
                new = tokens_in(answer, asked=tokens.scopes, now=self._clock.now())
                if new is None:
                    raise Unusable("the token endpoint gives no bearer token")
            if "id_token" in answer:
                await self._must_be_of(subject, answer["id_token"], provider)
        return new if new.refresh_token else replace(new, refresh_token=tokens.refresh_token)

    async def _must_be_of(self, subject: str, token: object, provider: Provider) -> None:
        """Check the id token of a refresh (OpenID Connect Core 1.0, section 12.2). Raises IdentityRefused."""
        found = await self._verify(provider, token)
        must_be_for_us(found.claims, provider)
        must_be_in_time(found.claims, provider, self._clock.now())
        if id_in(found.claims, "sub", provider) != subject:
            raise refused(provider, "subject of the refreshed token")

    async def read_logout_token(self, provider: Provider, token: str) -> LogoutNotice:
        async with using(provider, within=self._total):
            found = await self._verify(provider, token)
        claims = found.claims
        must_be_for_us(claims, provider)
        must_be_in_time(claims, provider, self._clock.now())
        must_be_logout(found, provider)
        key = f"{provider.issuer}\n{id_in(claims, 'jti', provider)}"
        return LogoutNotice(
            subject=optional_id(claims, "sub", provider),
            sid=optional_id(claims, "sid", provider),
            key=sha256(key.encode()).digest(),
            expires_at=time_in(claims, "exp", provider) + SKEW,
        )

    async def sign_out_address(self, provider: Provider, *, back: str) -> str | None:
        async with using(provider, within=self._total):
            metadata = await self._metadata(provider)
        if metadata.end_session_endpoint is None:
            return None
        return _with_query(
            metadata.end_session_endpoint,
            client_id=provider.client_id,
            post_logout_redirect_uri=back,
        )

    async def _metadata(self, provider: Provider) -> Metadata:
        known = self._known.setdefault(provider.issuer, _Known(KeySet(self._clock, self._limit)))
        asking = known.keys.asking
        async with asking.lock:
            now = self._clock.now()
            if known.metadata is not None and is_within(now, known.metadata_at, KEPT):
                return known.metadata
            async with asking.resting_after_failure(now):
                answer = await get(address_of_document(provider.issuer), limit=self._limit)
                must_be_ok(answer, "the discovery document")
                known.metadata = metadata_from(answer.members(), provider.issuer)
            known.metadata_at = now
            return known.metadata

    async def _verify(self, provider: Provider, token: object) -> Verified:
        """Raises IdentityRefused, Unusable."""
        metadata = await self._metadata(provider)
        keys = self._known[provider.issuer].keys
        return await keys.verified(token, metadata.jwks_uri, provider)

    async def _user_info(
        self,
        provider: Provider,
        metadata: Metadata,
        answer: Mapping[str, Any],
        claims: Mapping[str, Any],
        subject: str,
    ) -> Mapping[str, Any]:
        """Return the claims of the userinfo endpoint, if the token lacks one that we need. Many providers put them only
        there."""
        needed = {"email", "email_verified", *(rule.claim.split(".")[0] for rule in provider.rules)}
        lacks = any(name not in claims for name in needed)
        bearer = answer.get("access_token")
        if metadata.userinfo_endpoint is None or not lacks or not isinstance(bearer, str):
            return {}
        if not bearer.isascii() or not bearer.isprintable():
            raise Unusable("the access token is none")
        said = await get(metadata.userinfo_endpoint, limit=self._limit, bearer=bearer)
        must_be_ok(said, "the userinfo endpoint")
        members = said.members()
        if members.get("sub") != subject:
            raise refused(provider, "subject of the userinfo")
        return members


def _all_scopes(provider: Provider, more: Collection[str]) -> Sequence[str]:
    return list(dict.fromkeys([*provider.scopes, *sorted(more)]))


def _with_query(address: str, **parameters: str) -> str:
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(parameters)}"
