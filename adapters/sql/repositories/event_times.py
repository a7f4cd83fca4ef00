"""The time that events have taken, in SQL."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from adapters.sql.rows import EventTimeRow, UtcDateTime
from adapters.sql.statements import Statements, parts, upsert
from domain.model.event_time import NOTHING, EventTime, UsedTime
from domain.model.user import UserId
from domain.ports.repositories import EventTimeRepository

_MICROSECOND: Final = timedelta(microseconds=1)
_OF_USER: Final = select(EventTimeRow.minute, EventTimeRow.microseconds).where(
    EventTimeRow.user_id == bindparam("user_id"),
    EventTimeRow.minute > bindparam("after", type_=UtcDateTime()),
)


class SqlEventTimes(EventTimeRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, used: Collection[UsedTime]) -> None:
        sums: defaultdict[tuple[UUID, datetime], timedelta] = defaultdict(lambda: NOTHING)
        for each in used:
            sums[each.user_id, each.minute] += each.time
        # All transactions lock the rows in the same order, so that none of them waits for the other in a circle.
        for some in parts(sorted(sums.items())):
            new = upsert(EventTimeRow, self._statements.dialect).values(
                [
                    {"user_id": user_id, "minute": minute, "microseconds": time // _MICROSECOND}
                    for (user_id, minute), time in some
                ]
            )
            more = EventTimeRow.microseconds + new.excluded.microseconds
            await self._statements.write(
                new.on_conflict_do_update(
                    index_elements=[EventTimeRow.user_id, EventTimeRow.minute],
                    set_={"microseconds": more},
                )
            )

    async def of_user(self, user_id: UserId, *, after: datetime) -> EventTime:
        found = await self._statements.read(_OF_USER, {"user_id": user_id, "after": after})
        return EventTime(minutes={row.minute: row.microseconds * _MICROSECOND for row in found})

    async def forget(self, *, until: datetime) -> int:
        removed = await self._statements.write(
            delete(EventTimeRow).where(EventTimeRow.minute <= until)
        )
        return removed.rowcount
