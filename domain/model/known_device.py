"""A browser in which an account has signed in with its password. Strangers cannot use up its limit of attempts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NewType, Self
from uuid import UUID

from domain.model.session import Device, Session, SessionId
from domain.model.user import UserId

KnownDeviceId = NewType("KnownDeviceId", UUID)
"""Public: shown in lists. The secret in the cookie is different, and only its hash is stored."""

LASTS: Final = timedelta(days=365)
"""How long a device stays known after its last sign-in."""
PER_ACCOUNT: Final = 20
"""Known devices of one account; one more forgets the device that has not signed in for the longest time."""
PER_COOKIE: Final = 5
"""Accounts that one browser can be known to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """One account in one browser. Two accounts in one browser are two known devices."""

    id: KnownDeviceId
    user_id: UserId
    secret_hash: bytes
    """SHA-256 of the account's secret in the browser's cookie; 32 bytes."""
    session_id: SessionId
    """The session of the last sign-in, which may have ended."""
    seen_at: datetime
    """The time of the last sign-in."""
    device: Device

    def signed_in(self, session: Session) -> Self:
        """Return a copy after a sign-in that has opened this session."""
        return replace(
            self, session_id=session.id, seen_at=session.created_at, device=session.device
        )
