"""The content of a signed token. It identifies somebody and grants nothing by itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

SHORTEST_KEY: Final = 32
"""Smallest number of bytes of a signing key (ASVS 11.2.3)."""


class Purpose(StrEnum):
    """Each purpose has its own key, type and audience (ASVS 9.2.2, 9.2.4)."""

    SESSION = "session"
    SETUP = "setup"
    FORM = "form"
    SSO = "sso"
    """A sign-in that has begun at a provider."""
    LINK = "link"
    """A sign-in at a provider that waits for the account's password."""
    DEVICE = "device"
    HOP = "hop"
    """A request that one replica passes to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    subject: str
    """A user's id; for a form the browser's id; for a known device the secrets of its accounts; for a sign-in at a
    provider what the browser keeps of it; for a hop what the request is."""
    secret_id: str
    """`sid`: for a session the secret whose hash is stored, otherwise a nonce."""
    issued_at: datetime
    expires_at: datetime
