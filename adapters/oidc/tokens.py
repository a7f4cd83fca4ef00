"""Check the signed tokens of providers: signature, issuer, audience and times."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha384, sha512
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from adapters.oidc.fetching import Unusable
from domain.errors import IdentityRefused
from domain.model.identity import LONGEST_SUBJECT, Provider

SKEW: Final = timedelta(seconds=60)
"""How far the provider's clock may differ from ours."""
MOST_KEYS: Final = 100
SMALLEST_RSA: Final = 2048
"""Bits (ASVS 11.6.1)."""
LONGEST_TOKEN: Final = 64 * 1024
"""Characters."""

LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
"""The event in a logout token."""

_HASHES: Final = {"256": sha256, "384": sha384, "512": sha512}
_KEY_TYPES: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
"""The allowed algorithms, all asymmetric, and the type of their keys."""

_INVALID: Final = "could not be verified. Start again. If it happens again, tell an admin."


class NoKey(Exception):
    """No known key verifies the token. The provider may have new keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    algorithm: str
    type: str
    """The header `typ`, or an empty text."""
    claims: Mapping[str, Any]


class _Registry(JWSRegistry):
    max_header_length = 8 * 1024  # Some providers send their certificates.


_REGISTRY: Final = _Registry(algorithms=list(_KEY_TYPES), strict_check_header=False)


def keys_from(document: Mapping[str, Any]) -> Sequence[Key]:
    """Return the keys of a key set that can verify signatures. Ignore all others (RFC 7517, section 5). Raises
    Unusable."""
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise Unusable("the key set is no list of keys")
    return [key for entry in entries if (key := _key(entry)) is not None]


def _key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in set(_KEY_TYPES.values()):
        return None
    try:
        key = JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_strong = not isinstance(key, RSAKey) or _bits(key) >= SMALLEST_RSA
    return key if is_strong and isinstance(key, RSAKey | ECKey | OKPKey) else None


def _bits(key: RSAKey) -> int:
    return key.public_key.key_size


def verified(token: object, keys: Sequence[Key], provider: Provider) -> Verified:
    """Return the claims of a token that one of the keys verifies. joserfc passes over a key whose `use`, `key_ops` or
    `alg` is for something else. Raises NoKey, and IdentityRefused for what is no
    token or has another algorithm than the allowed ones."""
    header = _header(token, provider)
    algorithm, kid = header.get("alg"), header.get("kid")
    key_type = _KEY_TYPES.get(algorithm) if isinstance(algorithm, str) else None
    if key_type is None:
        raise refused(provider, "algorithm")
    for key in keys:
        if key.key_type != key_type:
            continue
        if kid is not None and key.get("kid", kid) != kid:
            continue
        try:
            decoded = jwt.decode(str(token), key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        kind = header.get("typ")
        return Verified(
            algorithm=str(algorithm),
            type=kind if isinstance(kind, str) else "",
            claims=decoded.claims,
        )
    raise NoKey


def _header(token: object, provider: Provider) -> Mapping[str, Any]:
    from joserfc.jws import extract_compact

    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not token.isascii():
        raise refused(provider, "no token")
    try:
        return extract_compact(token.encode(), None, _REGISTRY).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise refused(provider, "no token") from error


def must_be_for_us(claims: Mapping[str, Any], provider: Provider) -> None:
    """Raises IdentityRefused for another issuer or audience."""
    if claims.get("iss") != provider.issuer:
        raise refused(provider, "issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in audiences:
        raise refused(provider, "audience")
    party = claims.get("azp")
    if (len(audiences) > 1 or party is not None) and party != provider.client_id:
        raise refused(provider, "authorized party")


def must_be_in_time(claims: Mapping[str, Any], provider: Provider, now: datetime) -> None:
    """Raises IdentityRefused for an expired token, and for one of the future."""
    if now >= time_in(claims, "exp", provider) + SKEW:
        raise refused(provider, "expired")
    if time_in(claims, "iat", provider) > now + SKEW:
        raise refused(provider, "issued in the future")
    if "nbf" in claims and time_in(claims, "nbf", provider) > now + SKEW:
        raise refused(provider, "not yet valid")


def must_have_nonce(claims: Mapping[str, Any], nonce: str, provider: Provider) -> None:
    if not _is_same(claims.get("nonce"), nonce):
        raise refused(provider, "nonce")


def must_fit_access_token(token: Verified, access_token: object, provider: Provider) -> None:
    """Check `at_hash`, if the token has one (OpenID Connect Core 1.0, section 3.1.3.6). Raises IdentityRefused."""
    if "at_hash" not in token.claims:
        return
    hashed = _HASHES.get(token.algorithm[-3:], sha512)  # Ed25519 uses SHA-512.
    if not isinstance(access_token, str):
        raise refused(provider, "at_hash")
    digest = hashed(access_token.encode("utf-8", "surrogatepass")).digest()
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not _is_same(token.claims["at_hash"], half):
        raise refused(provider, "at_hash")


def must_be_logout(token: Verified, provider: Provider) -> None:
    """Raises IdentityRefused unless the token says that somebody signed out, and cannot be an id token."""
    if token.type.lower().removeprefix("application/") not in {"", "jwt", "logout+jwt"}:
        raise refused(provider, "type")
    events = token.claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict):
        raise refused(provider, "events")
    if "nonce" in token.claims:
        raise refused(provider, "nonce")
    if token.claims.get("sub") is None and token.claims.get("sid") is None:
        raise refused(provider, "neither sub nor sid")


def id_in(claims: Mapping[str, Any], name: str, provider: Provider) -> str:
    """Return `sub`, `sid` or another id. Raises IdentityRefused unless it is 1 to 255 printable ASCII characters."""
    value = claims.get(name)
    is_id = isinstance(value, str) and value.isascii() and value.isprintable()
    if not isinstance(value, str) or not is_id or not 0 < len(value) <= LONGEST_SUBJECT:
        raise refused(provider, name)
    return value


def optional_id(claims: Mapping[str, Any], name: str, provider: Provider) -> str | None:
    return None if claims.get(name) is None else id_in(claims, name, provider)


def optional_time(claims: Mapping[str, Any], name: str, provider: Provider) -> datetime | None:
    return None if claims.get(name) is None else time_in(claims, name, provider)


def time_in(claims: Mapping[str, Any], name: str, provider: Provider) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(provider, name)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise refused(provider, name) from error


def refused(provider: Provider, reason: str) -> IdentityRefused:
    return IdentityRefused(f"The response of {provider.label} {_INVALID}", reason=reason)


def _is_same(found: object, wanted: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(
        found.encode("utf-8", "surrogatepass"), wanted.encode()
    )
