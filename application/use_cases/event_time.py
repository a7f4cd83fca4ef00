"""Use cases of the time that events take: the service adds and purges it, and accounts see what they have used."""

from collections.abc import Collection
from dataclasses import dataclass

from domain.model.caller import Caller
from domain.model.event_time import EventQuota, EventTime, UsedTime
from domain.model.user import UserId
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.event_time import EventTimeService


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEventTime:
    units_of_work: UnitsOfWork

    async def __call__(self, used: Collection[UsedTime]) -> None:
        """Add time that events of any accounts have used."""
        async with self.units_of_work.writing() as work:
            await work.event_times.add(used)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEventTime:
    units_of_work: UnitsOfWork
    times: EventTimeService

    async def __call__(self, user_id: UserId) -> EventTime:
        """Return what the account has used within the last hour, on all replicas, as far as they have written it."""
        async with self.units_of_work.reading() as work:
            return await self.times.used(work.event_times, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEventQuota:
    times: EventTimeService
    read: ReadEventTime

    async def __call__(self, caller: Caller) -> EventQuota | None:
        """Return how much of its quota the caller's account has used; None without a quota. Asks no store then."""
        quota = self.times.quota_of(caller.roles)
        if quota is None:
            return None
        used = await self.read(caller.account())
        return EventQuota(used=used.total(self.times.clock.now()), quota=quota)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeEventTime:
    units_of_work: UnitsOfWork
    times: EventTimeService

    async def __call__(self) -> int:
        """Forget used time that does not count any more; return how many rows there were."""
        async with self.units_of_work.writing() as work:
            forgotten = await self.times.purge(work.event_times)
            await work.commit()
        return forgotten
