"""The signed header of a proxy in front, checked with the keys at its own address."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from joserfc.jwk import Key

from adapters.oidc.fetching import REQUEST
from adapters.oidc.keys import KEPT, KeySet, using
from adapters.oidc.tokens import (
    Verified,
    id_in,
    must_be_in_time,
    optional_id,
    optional_time,
    refused,
)
from domain.model.identity import IdentityProxy, Profile
from domain.model.user import LONGEST_EMAIL, LONGEST_NAME
from domain.ports.identities import ProxyIdentities
from domain.ports.system import Clock

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""A signed token (RFC 7515). Decoders skip other characters, such as those between the values of a doubled header."""
_TYPES: Final = {"", "jwt"}
"""The values of `typ`. An access token or a logout token is no statement about who sends a request."""


MOST_REMEMBERED: Final = 1000
"""Tokens whose signature is not verified again while the same keys are in use. A browser sends its token with every
request, and verifying takes a millisecond."""


class JwksProxyIdentities(ProxyIdentities):
    def __init__(self, clock: Clock, *, limit: float = REQUEST) -> None:
        """`limit` is the time for one request of the keys, in seconds."""
        self._clock = clock
        self._limit = limit
        self._keys: dict[str, KeySet] = {}
        self._remembered: dict[bytes, tuple[Sequence[Key], Verified]] = {}
        """By the token's SHA-256, with the keys that verified it. The oldest is first."""

    async def read(self, proxy: IdentityProxy, token: str) -> Profile:
        if not _COMPACT.fullmatch(token):
            raise refused(proxy, "no token")
        found = await self._verified(proxy, token)
        _must_be_statement(found, proxy)
        _must_be_for_us(found.claims, proxy)
        must_be_in_time(found.claims, proxy, self._clock.now())
        return _profile(proxy, found.claims)

    async def _verified(self, proxy: IdentityProxy, token: str) -> Verified:
        keys = self._keys.setdefault(proxy.jwks_url, KeySet(self._clock, self._limit))
        digest = sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known is not None and known[0] is keys.keys and keys.are_younger_than(KEPT):
            return known[1]
        async with using(proxy, within=self._limit):
            found = await keys.verified(token, proxy.jwks_url, proxy)
        self._remembered[digest] = (keys.keys, found)
        if len(self._remembered) > MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return found


def _must_be_statement(token: Verified, proxy: IdentityProxy) -> None:
    """Raises IdentityRefused for a token that says something else than who a person is."""
    if token.type.lower().removeprefix("application/") not in _TYPES:
        raise refused(proxy, "type")
    if "events" in token.claims:
        raise refused(proxy, "events")


def _must_be_for_us(claims: Mapping[str, Any], proxy: IdentityProxy) -> None:
    """Raises IdentityRefused for another issuer or audience. Unlike a provider, a proxy may name several audiences: one
    of its tokens may be for several services."""
    if claims.get("iss") != proxy.issuer:
        raise refused(proxy, "issuer")
    audience = claims.get("aud")
    if proxy.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise refused(proxy, "audience")
    if claims.get("azp", proxy.client_id) != proxy.client_id:
        raise refused(proxy, "authorized party")


def _profile(proxy: IdentityProxy, claims: Mapping[str, Any]) -> Profile:
    email, is_verified = proxy.email_in(claims)
    name = claims.get("name") or claims.get("preferred_username")
    is_email = isinstance(email, str) and len(email) <= LONGEST_EMAIL
    return Profile(
        issuer=proxy.issuer,
        subject=id_in(claims, "sub", proxy),
        sid=optional_id(claims, "sid", proxy),
        email=str(email) if is_email else "",
        is_email_verified=is_email and is_verified,
        name=name.strip()[:LONGEST_NAME] if isinstance(name, str) else "",
        granted=proxy.granted(claims),
        authenticated_at=optional_time(claims, "auth_time", proxy),
    )
