"""Signed tokens: JSON Web Tokens that only this service makes and reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from adapters.security.keys import derived, root_keys
from domain.errors import SignedTokenRefused
from domain.model.signed_token import Claims, Purpose
from domain.ports.security import SignedTokenCodec
from domain.ports.system import Clock

LONGEST_TOKEN: Final = 4096
"""Characters; our tokens have about 400."""
CLOCKS_DIFFER: Final = timedelta(seconds=5)
"""How far the clock of another replica that issued a token may be ahead of ours."""

_ALGORITHM: Final = "HS256"
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_CLAIMS: Final = frozenset({"iss", "aud", "sub", "sid", "iat", "exp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The signing key of one purpose. Only tokens with exactly this `header` are accepted, so a token cannot choose its
    algorithm, and cannot contain or point to a key (ASVS 9.1.2, 9.1.3, 9.2.2)."""

    signing: bytes = field(repr=False)
    header: Mapping[str, str]


class JwtCodec(SignedTokenCodec):
    """Signs with the first of `keys` and accepts tokens signed with any of them. Add a new key in front; remove an old
    key when its last token has expired. Raises ValueError for a key shorter than SHORTEST_KEY bytes."""

    def __init__(
        self, keys: Sequence[str | bytes], clock: Clock, issuer: str = "gradioapp"
    ) -> None:
        roots = root_keys(keys)
        self._keys = {purpose: [_key(root, purpose) for root in roots] for purpose in Purpose}
        self._clock = clock
        self._issuer = issuer

    def encode(self, purpose: Purpose, claims: Claims) -> str:
        """Times are cut to whole seconds."""
        newest = self._keys[purpose][0]
        payload = {
            "iss": self._issuer,
            "aud": self._audience(purpose),
            "sub": claims.subject,
            "sid": claims.secret_id,
            "iat": claims.issued_at,
            "exp": claims.expires_at,
        }
        return jwt.encode(payload, newest.signing, _ALGORITHM, headers=dict(newest.header))

    def decode(self, purpose: Purpose, signed_token: str) -> Claims:
        if len(signed_token) > LONGEST_TOKEN or not _COMPACT.fullmatch(signed_token):
            raise SignedTokenRefused
        try:
            header = jwt.get_unverified_header(signed_token)
            key = next((key for key in self._keys[purpose] if key.header == header), None)
            if key is None:
                raise SignedTokenRefused
            payload = jwt.decode(
                signed_token,
                key.signing,
                algorithms=[_ALGORITHM],
                audience=self._audience(purpose),
                issuer=self._issuer,
                # PyJWT would use the system's time; our own clock checks the times below.
                options={"strict_aud": True, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise SignedTokenRefused from error
        claims = _claims(payload)
        now = self._clock.now()
        if claims.expires_at <= now or claims.issued_at > now + CLOCKS_DIFFER:
            raise SignedTokenRefused
        return claims

    def _audience(self, purpose: Purpose) -> str:
        return f"{self._issuer}:{purpose}"


def _key(root: bytes, purpose: Purpose) -> _Key:
    return _Key(
        signing=derived(root, f"gradioapp jwt {purpose}"),
        header={
            "alg": _ALGORITHM,
            "kid": derived(root, "gradioapp jwt kid").hex()[:16],
            "typ": f"{purpose}+jwt",
        },
    )


def _claims(payload: Mapping[str, Any]) -> Claims:
    """Raises SignedTokenRefused unless the payload has exactly our claims, with our types."""
    if payload.keys() != _CLAIMS:
        raise SignedTokenRefused
    return Claims(
        subject=_text(payload["sub"]),
        secret_id=_text(payload["sid"]),
        issued_at=_time(payload["iat"]),
        expires_at=_time(payload["exp"]),
    )


def _text(value: object) -> str:
    """Raises SignedTokenRefused unless the value is printable ASCII, like all our ids and secrets."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise SignedTokenRefused
    return value


def _time(value: object) -> datetime:
    if type(value) is not int:  # isinstance would accept a bool.
        raise SignedTokenRefused
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise SignedTokenRefused from error
