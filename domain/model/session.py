"""One sign-in on one device, from its start to its end. The store keeps no session that somebody has ended, and an expired
one only for KEPT_FOR."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType, Self
from uuid import UUID

from domain.errors import SessionExpired
from domain.model.identity import Origin
from domain.model.user import UserId

SessionId = NewType("SessionId", UUID)
"""Public: shown in lists and logs. The secret in the cookie is different, and only its hash is stored."""

TOUCH_EVERY = timedelta(minutes=1)
"""Shortest time between two writes of a session's last use, unless its idle timeout is shorter than four minutes."""

KEPT_FOR = timedelta(minutes=15)
"""How long the store keeps an expired session, so that its browser can go on with the open tabs after the next sign-in. A
session that somebody has ended is removed at once."""


CONFIRMED_FOR = timedelta(minutes=10)
"""How long a session may do what needs a confirmation, after its user has proved again who they are."""

_SKEW = timedelta(minutes=1)
"""How far the clocks of two replicas may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    idle: timedelta
    absolute: timedelta
    per_user: int
    remembered: timedelta | None = None
    """The lifetime of sessions of devices that stay signed in, which have no idle timeout. None: there are none."""

    def lifetime(self, *, is_remembered: bool) -> timedelta:
        """Return the absolute timeout."""
        return self.remembered if is_remembered and self.remembered else self.absolute

    def idle_timeout(self, *, is_remembered: bool) -> timedelta:
        return self.remembered if is_remembered and self.remembered else self.idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    address: str
    """The client's IP address as the web layer saw it, at most 45 characters."""
    agent: str
    """The User-Agent header, cut to 400 characters."""

    @classmethod
    def seen(cls, address: str, agent: str) -> Self:
        """Cut both texts to size and drop unprintable characters of `agent`."""
        printable = "".join(c for c in agent if c.isprintable())
        return cls(address=address[:45], agent=printable[:400])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: SessionId
    user_id: UserId
    secret_hash: bytes
    """SHA-256 of the secret id in the cookie; 32 bytes."""
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    device: Device
    origin: Origin | None = None
    """None for a sign-in with a password."""
    is_remembered: bool = False
    """True if its user has chosen to stay signed in on the device."""
    confirmed_at: datetime | None = None
    """When its user last proved who they are: with a password, or at an identity provider. None: not known."""

    def is_live(self, now: datetime, policy: SessionPolicy) -> bool:
        return now < self.expires_at(policy)

    def expires_at(self, policy: SessionPolicy) -> datetime:
        """Return when the session expires if it is not used again."""
        idle_at = self.seen_at + policy.idle_timeout(is_remembered=self.is_remembered)
        if not self.is_remembered:
            return min(self.ends_at, idle_at)
        # The operator may have shortened the lifetime, or switched it off.
        return min(self.ends_at, idle_at, self.created_at + policy.lifetime(is_remembered=True))

    def has_just_expired(self, now: datetime, policy: SessionPolicy) -> bool:
        """Return whether the session has expired at most KEPT_FOR ago."""
        return timedelta(0) <= now - self.expires_at(policy) < KEPT_FOR

    def must_be_live(self, now: datetime, policy: SessionPolicy) -> None:
        """Raises SessionExpired after the idle or the absolute timeout (ASVS 7.3.1, 7.3.2)."""
        if not self.is_live(now, policy):
            raise SessionExpired

    def is_due_for_touch(self, now: datetime, policy: SessionPolicy) -> bool:
        return now - self.seen_at >= min(
            TOUCH_EVERY, policy.idle_timeout(is_remembered=self.is_remembered) / 4
        )

    def is_confirmed(self, now: datetime) -> bool:
        """Return whether its user has proved within CONFIRMED_FOR who they are."""
        return self.confirmed_at is not None and -_SKEW <= now - self.confirmed_at < CONFIRMED_FOR

    def seen(self, now: datetime) -> Self:
        """Return a copy with a new `seen_at`, never an earlier one: clocks of replicas differ."""
        return replace(self, seen_at=max(self.seen_at, now))
