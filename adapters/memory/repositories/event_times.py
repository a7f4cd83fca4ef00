"""The time that events have taken, in memory."""

from collections.abc import Collection
from datetime import datetime

from adapters.memory.repositories.transactions import MemoryTransaction
from domain.model.event_time import NOTHING, EventTime, UsedTime
from domain.model.user import UserId
from domain.ports.repositories import EventTimeRepository


class MemoryEventTimes(EventTimeRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, used: Collection[UsedTime]) -> None:
        times = self._transaction.writable.event_times
        for each in used:
            key = each.user_id, each.minute
            times[key] = times.get(key, NOTHING) + each.time

    async def of_user(self, user_id: UserId, *, after: datetime) -> EventTime:
        return EventTime(
            minutes={
                minute: time
                for (owner, minute), time in self._transaction.tables.event_times.items()
                if owner == user_id and minute > after
            }
        )

    async def forget(self, *, until: datetime) -> int:
        times = self._transaction.writable.event_times
        old = [key for key in times if key[1] <= until]
        for key in old:
            del times[key]
        return len(old)
