"""Rules for the time of events: the quota of an account, and how long used time is kept."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from domain.model.event_time import WINDOW, EventTime, EventTimePolicy
from domain.model.user import UserId
from domain.ports.repositories import EventTimeRepository
from domain.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimeService:
    policy: EventTimePolicy
    clock: Clock

    def quota_of(self, roles: Collection[str]) -> timedelta | None:
        return self.policy.quota_of(roles)

    async def used(self, times: EventTimeRepository, user_id: UserId) -> EventTime:
        """Return what the account has used within the last hour."""
        return await times.of_user(user_id, after=self.clock.now() - WINDOW)

    async def purge(self, times: EventTimeRepository) -> int:
        """Forget used time that counts nowhere any more: the clocks of replicas may differ by minutes."""
        return await times.forget(until=self.clock.now() - 2 * WINDOW)
