"""The service's secret keys, and the keys that are derived from them for each use."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from domain.model.signed_token import SHORTEST_KEY


def root_keys(keys: Sequence[str | bytes]) -> list[bytes]:
    """Return the keys as bytes. Raises ValueError if there is none, if one appears twice, or if one is shorter than
    SHORTEST_KEY."""
    roots = [key.encode() if isinstance(key, str) else key for key in keys]
    if not roots:
        raise ValueError("At least one key is needed to sign tokens.")
    if any(len(root) < SHORTEST_KEY for root in roots):
        raise ValueError(
            f"A key to sign tokens must have at least {SHORTEST_KEY} bytes. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if len(set(roots)) < len(roots):
        raise ValueError("The same key to sign tokens is given twice. Remove one of the two.")
    return roots


def derived(key: bytes, info: str) -> bytes:
    """Derive 32 bytes by HKDF with SHA-256 and without salt (RFC 5869): each `info` gives an independent key."""
    extracted = hmac.digest(bytes(sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")
