"""The time that the events of an account take, and its quota within an hour."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.errors import EventTimeUsedUp
from domain.model.user import UserId

WINDOW: Final = timedelta(hours=1)
"""Time for which a used minute counts, from the beginning of the minute."""
MINUTE: Final = timedelta(minutes=1)
NOTHING: Final = timedelta(0)


def minute_of(now: datetime) -> datetime:
    """Return the beginning of the minute, in which time that is used now is counted."""
    return now.replace(second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTime:
    """Time that events of one account have taken within one minute. Several events at once take more than a minute."""

    user_id: UserId
    minute: datetime
    """Its beginning."""
    time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimePolicy:
    everybody: timedelta | None = None
    """Quota of every account within an hour. None: no quota."""
    by_role: Mapping[str, timedelta | None] = field(default_factory=dict)
    """Larger quotas of accounts with a role. None: no quota."""

    @property
    def has_quota(self) -> bool:
        return self.everybody is not None

    def quota_of(self, roles: Collection[str]) -> timedelta | None:
        """Return the largest quota of everybody and of these roles; None for no quota. Roles never make it smaller, so
        an access token with fewer roles than its account never gets more."""
        quotas = [self.everybody, *(self.by_role[role] for role in roles if role in self.by_role)]
        given = [quota for quota in quotas if quota is not None]
        return max(given) if len(given) == len(quotas) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime:
    """What one account has used within an hour."""

    minutes: Mapping[datetime, timedelta] = field(default_factory=dict)
    """The used time, by the beginning of its minute. Older minutes do not count."""

    def total(self, now: datetime) -> timedelta:
        return sum((time for minute, time in self.minutes.items() if counts(minute, now)), NOTHING)

    def plus(self, minutes: Mapping[datetime, timedelta]) -> "EventTime":
        """Return a copy with more used time."""
        both = {
            minute: self.minutes.get(minute, NOTHING) + minutes.get(minute, NOTHING)
            for minute in {*self.minutes, *minutes}
        }
        return EventTime(minutes=both)

    def must_be_below(self, quota: timedelta, now: datetime) -> None:
        """Raises EventTimeUsedUp if the quota is used up. It says when enough minutes do not count any more."""
        left = self.total(now)
        if left < quota:
            return
        for minute in sorted(minute for minute in self.minutes if counts(minute, now)):
            left -= self.minutes[minute]
            if left < quota:
                raise EventTimeUsedUp(quota, free_at=minute + WINDOW, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuota:
    """How much of its quota an account has used within the last hour."""

    used: timedelta
    quota: timedelta


def counts(minute: datetime, now: datetime) -> bool:
    return minute > now - WINDOW
