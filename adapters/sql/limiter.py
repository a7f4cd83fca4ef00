"""Rate limits in SQL, by the generic cell rate algorithm: one statement counts an attempt against all of its limits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, case, cast, delete, func, literal, select, update

from adapters.sql.rows import AttemptRow
from adapters.sql.statements import parts, upsert
from adapters.sql.transactions import SqlTransactions
from domain.ports.security import AttemptLimiter, Limit, LimitReached

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOST_PURGED: Final = 10_000
"""Rows in one transaction."""


class SqlAttemptLimiter(AttemptLimiter):
    def __init__(self, transactions: SqlTransactions, *, by_server: bool = False) -> None:
        """With `by_server`, PostgreSQL's own clock counts and not the time that a method is given: the clocks of replicas
        differ. A SQLite file has the processes of one machine only, and so one clock."""
        self._transactions = transactions
        self._by_server = by_server

    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        # All transactions lock the rows in the same order, so that none of them waits for the other in a circle.
        limits = sorted(limits, key=lambda limit: limit.key)
        row = AttemptRow
        async with self._transactions.writing() as statements:
            time = self._time(now, statements.dialect)
            new = upsert(row, statements.dialect).values(
                [
                    {"key": limit.key, "free_at": time + _number(limit.every), "pending": 1}
                    for limit in limits
                ]
            )
            is_free = row.free_at <= time
            counted = await statements.write(
                new.on_conflict_do_update(
                    index_elements=[row.key],
                    set_={
                        "free_at": new.excluded.free_at
                        + case((is_free, 0), else_=row.free_at - time),
                        "pending": case((is_free, 1), else_=row.pending + 1),
                    },
                    where=row.free_at - time
                    <= _by_key(limits, [(limit.burst - 1) * limit.every for limit in limits]),
                ).returning(row.key)
            )
            keys = {found.key for found in counted}
            reached = {limit.key: limit for limit in limits if limit.key not in keys}
            if not reached:
                await statements.commit()
                return None
            # Without a commit, the attempt counts against none of the limits.
            found = await statements.read(
                select(row.key, (row.free_at - time).label("free_in"), row.pending).where(
                    row.key.in_(reached)
                )
            )
            rows = found.all()
        return LimitReached(
            wait=max(_wait(reached[found.key], found.free_in) for found in rows),
            is_pending=any(found.pending for found in rows),
        )

    async def settle(self, limits: Sequence[Limit], *, counts: bool) -> None:
        row, ours = AttemptRow, AttemptRow.key.in_([limit.key for limit in limits])
        changes: dict[str, Any] = {
            "pending": case((row.pending > 0, row.pending - 1), else_=0),
        }
        if not counts:
            back = _by_key(limits, [limit.every for limit in limits])
            changes["free_at"] = row.free_at - back
        async with self._transactions.writing() as statements:
            await statements.lock(select(row.key).where(ours).order_by(row.key))
            await statements.write(update(row).where(ours).values(changes))
            await statements.commit()

    async def purge(self, now: datetime) -> int:
        row, removed = AttemptRow, 0
        while True:
            async with self._transactions.writing() as statements:
                is_free = row.free_at <= self._time(now, statements.dialect)
                found = await statements.lock(
                    select(row.key).where(is_free).order_by(row.key).limit(_MOST_PURGED)
                )
                keys = [one.key for one in found]
                for some in parts(keys):
                    deleted = await statements.write(delete(row).where(row.key.in_(some), is_free))
                    removed += deleted.rowcount
                await statements.commit()
            if len(keys) < _MOST_PURGED:
                return removed

    def _time(self, now: datetime, dialect: str) -> ColumnElement[int]:
        """Return the time in microseconds. It is the same for all statements of a transaction."""
        if self._by_server and dialect == "postgresql":
            return cast(func.extract("epoch", func.now()) * 1_000_000, BigInteger)
        return literal(_number(now - _EPOCH), BigInteger)


def _by_key(limits: Sequence[Limit], times: Sequence[timedelta]) -> ColumnElement[int]:
    """Return the time, in microseconds, of the limit that a row belongs to."""
    return case(
        *(
            (AttemptRow.key == limit.key, literal(_number(time), BigInteger))
            for limit, time in zip(limits, times, strict=True)
        ),
        else_=literal(0, BigInteger),
    )


def _wait(limit: Limit, free_in: int) -> timedelta:
    return free_in * _MICROSECOND - (limit.burst - 1) * limit.every


def _number(time: timedelta) -> int:
    return time // _MICROSECOND
