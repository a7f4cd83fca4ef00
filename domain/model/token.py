"""What a signed token says. It points; it decides nothing by itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Purpose(StrEnum):
    """Each has its own key, type and audience (ASVS 9.2.2, 9.2.4)."""

    SESSION = "session"
    SETUP = "setup"
    FORM = "form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    subject: str
    """Whom it is about: a user's id, or for a form the browser's id."""
    secret_id: str
    """`sid`: for a session the secret whose hash the store keeps, elsewhere a nonce."""
    issued_at: datetime
    expires_at: datetime
