"""One sign-in on one device, from its opening to its end. An ended session is gone from the store."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType, Self
from uuid import UUID

from domain.errors import SessionEnded
from domain.model.user import UserId

SessionId = NewType("SessionId", UUID)
"""Public: shown in lists and logs. The secret that opens the session is another, and only its hash is kept."""

TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    idle: timedelta
    absolute: timedelta
    per_user: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    address: str
    """The client's IP address as the gate saw it, at most 45 characters."""
    agent: str
    """The User-Agent header, cut to 400 characters."""

    @classmethod
    def seen(cls, address: str, agent: str) -> Self:
        """Cut to size, without what a store or a log could not carry."""
        printable = "".join(c for c in agent if c.isprintable())
        return cls(address=address[:45], agent=printable[:400])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: SessionId
    user_id: UserId
    secret_hash: bytes
    """SHA-256 of the secret id that the cookie carries; 32 bytes."""
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    device: Device

    def is_live(self, now: datetime, policy: SessionPolicy) -> bool:
        return now < self.ends_at and now < self.seen_at + policy.idle

    def must_be_live(self, now: datetime, policy: SessionPolicy) -> None:
        """Raises SessionEnded after the idle or the absolute end (ASVS 7.3.1, 7.3.2)."""
        if not self.is_live(now, policy):
            raise SessionEnded

    def is_due_for_touch(self, now: datetime) -> bool:
        return now - self.seen_at >= TOUCH_EVERY

    def seen(self, now: datetime) -> Self:
        """Never backwards: clocks of replicas differ."""
        return replace(self, seen_at=max(self.seen_at, now))
