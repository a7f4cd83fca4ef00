"""Signed tokens: JSON Web Tokens that only this service makes and only this service reads."""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import jwt

from domain.errors import TokenRefused
from domain.model.token import Claims, Purpose
from domain.ports.security import TokenCodec
from domain.ports.system import Clock

SHORTEST_KEY: Final = 32
"""Bytes (ASVS 11.2.3)."""
LONGEST_TOKEN: Final = 4096
"""Characters; ours have some 400."""
CLOCKS_DIFFER: Final = timedelta(seconds=5)
"""How far another of our servers may be ahead when it says when a token was made."""

_ALGORITHM: Final = "HS256"
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_CLAIMS: Final = frozenset({"iss", "aud", "sub", "sid", "iat", "exp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """Of one purpose. `header` is the only one that is signed and read with it, so a token cannot choose its
    algorithm, nor bring or point at a key (ASVS 9.1.2, 9.1.3, 9.2.2)."""

    signing: bytes = field(repr=False)
    header: Mapping[str, str]


class JwtTokenCodec(TokenCodec):
    """Signs with the first of `keys` and reads what any of them signed: a new key goes in front, an old one leaves
    when its last token has expired. Each of at least SHORTEST_KEY bytes; raises ValueError."""

    def __init__(
        self, keys: Sequence[str | bytes], clock: Clock, issuer: str = "gradioapp"
    ) -> None:
        roots = root_keys(keys)
        self._keys = {purpose: [_key(root, purpose) for root in roots] for purpose in Purpose}
        self._clock = clock
        self._issuer = issuer

    def encode(self, purpose: Purpose, claims: Claims) -> str:
        """Times lose their fraction of a second."""
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

    def decode(self, purpose: Purpose, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN or not _COMPACT.fullmatch(token):
            raise TokenRefused
        try:
            header = jwt.get_unverified_header(token)
            key = next((key for key in self._keys[purpose] if key.header == header), None)
            if key is None:
                raise TokenRefused
            payload = jwt.decode(
                token,
                key.signing,
                algorithms=[_ALGORITHM],
                audience=self._audience(purpose),
                issuer=self._issuer,
                # PyJWT would ask the machine for the time; ours is asked below.
                options={"strict_aud": True, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise TokenRefused from error
        claims = _claims(payload)
        now = self._clock.now()
        if claims.expires_at <= now or claims.issued_at > now + CLOCKS_DIFFER:
            raise TokenRefused
        return claims

    def _audience(self, purpose: Purpose) -> str:
        return f"{self._issuer}:{purpose}"


def root_keys(keys: Sequence[str | bytes]) -> list[bytes]:
    """Raises ValueError for none, for the same twice, and for one shorter than SHORTEST_KEY."""
    roots = [key.encode() if isinstance(key, str) else key for key in keys]
    if not roots:
        raise ValueError("At least one key is needed to sign tokens.")
    if any(len(root) < SHORTEST_KEY for root in roots):
        raise ValueError(
            f"A key to sign tokens has at least {SHORTEST_KEY} bytes. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if len(set(roots)) < len(roots):
        raise ValueError("The same key to sign tokens is given twice. Remove one of the two.")
    return roots


def derived(key: bytes, info: str) -> bytes:
    """32 bytes by HKDF with SHA-256 and no salt (RFC 5869): one secret, as many independent keys as there are uses."""
    extracted = hmac.digest(bytes(sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")


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
    """Raises TokenRefused unless there is all we write, in the types we write, and nothing else."""
    if payload.keys() != _CLAIMS:
        raise TokenRefused
    return Claims(
        subject=_text(payload["sub"]),
        secret_id=_text(payload["sid"]),
        issued_at=_time(payload["iat"]),
        expires_at=_time(payload["exp"]),
    )


def _text(value: object) -> str:
    """Ids and secrets of ours are printable ASCII: anything else nobody could look up, or hash, or log."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise TokenRefused
    return value


def _time(value: object) -> datetime:
    if type(value) is not int:  # A bool is an int to isinstance.
        raise TokenRefused
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise TokenRefused from error
