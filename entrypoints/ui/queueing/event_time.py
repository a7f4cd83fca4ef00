"""Measure how long the events of each account take, and refuse new ones if its quota within an hour is used up.

The sums of all replicas are in the store. This process writes what its own events have used every few seconds, and reads
the sum of an account at most as often. Without a quota, it does nothing at all.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from application.use_cases import UseCases
from domain.errors import StoreUnavailable
from domain.model.event_time import (
    NOTHING,
    EventTime,
    EventTimePolicy,
    UsedTime,
    counts,
    minute_of,
)
from domain.model.user import User, UserId
from entrypoints.ui.queueing.turns import Account

WRITE_EVERY: Final = 5.0
"""Seconds between two writes. A process that is killed loses what its events have used since the last one."""
KNOWN_FOR: Final = 5.0
"""Seconds for which a sum that was read counts as known. Other replicas may add to it meanwhile."""
MEASURE_EVERY: Final = 0.5
"""Seconds between two looks at how long running events have run, if many events are about to join."""

log = structlog.get_logger()

Minutes = dict[datetime, timedelta]


@dataclass(slots=True)
class _Run:
    """An event that runs, or a batch."""

    shares: Mapping[UserId, float]
    since: float


@dataclass(frozen=True, slots=True)
class _Known:
    used: EventTime
    """What the store said."""
    at: float


class EventTimes:
    """Measures nothing, and refuses nobody: for a service without a quota, and for our own pages."""

    def begin(self, shares: Mapping[Account, float]) -> Callable[[], None]:  # noqa: ARG002 -- See MeasuredTimes.
        """Begin to measure an event, or a batch: `shares` has the part of its time that counts for each account. Return
        what ends it."""
        return _nothing

    @contextmanager
    def running(self, shares: Mapping[Account, float]) -> Iterator[None]:
        """Measure an event that runs inside the block."""
        end = self.begin(shares)
        try:
            yield
        finally:
            end()

    async def must_be_left(self, user: User) -> None:
        """Raises EventTimeUsedUp if the user has used up the quota of the last hour, and StoreUnavailable."""

    async def write(self) -> None:
        """Store what events have used since the last time. Raises StoreUnavailable; then the next call stores it."""

    @asynccontextmanager
    async def written_at_end(self) -> AsyncIterator[None]:
        """Store at the end of the block what events inside it have used."""
        try:
            yield
        finally:
            try:
                await self.write()
            except StoreUnavailable:
                log.warning("the time of the last events is lost: the database is unavailable")


UNLIMITED: Final = EventTimes()


class MeasuredTimes(EventTimes):
    def __init__(
        self,
        use_cases: UseCases,
        policy: EventTimePolicy,
        *,
        now: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` returns seconds of a monotonic clock."""
        self._use_cases: Final = use_cases
        self._policy: Final = policy
        self._now: Final = now
        self._seconds: Final = seconds
        self._running: Final[dict[int, _Run]] = {}
        self._number = 0
        self._measured_at = seconds()
        self._unwritten: dict[UserId, Minutes] = {}
        self._being_written: Mapping[UserId, Minutes] = {}
        self._writes = 0
        self._known: Final[dict[UserId, _Known]] = {}
        self._reading: Final[dict[UserId, asyncio.Lock]] = {}
        self._writing: Final = asyncio.Lock()

    # Measuring

    def begin(self, shares: Mapping[Account, float]) -> Callable[[], None]:
        self._number = number = self._number + 1
        ours = {account: share for account, share in shares.items() if account is not None}
        self._running[number] = _Run(ours, self._seconds())

        def end() -> None:
            run = self._running.pop(number, None)
            if run is not None:
                self._measure(run)

        return end

    def _measure_all(self) -> None:
        self._measured_at = self._seconds()
        for run in self._running.values():
            self._measure(run)

    def _measure(self, run: _Run) -> None:
        """Count what the run has taken since it was last measured, in the present minute."""
        now, minute = self._seconds(), minute_of(self._now())
        passed, run.since = timedelta(seconds=now - run.since), now
        for user_id, share in run.shares.items():
            self._count(user_id, {minute: passed * share})

    def _count(self, user_id: UserId, minutes: Mapping[datetime, timedelta]) -> None:
        theirs = self._unwritten.setdefault(user_id, {})
        for minute, used in minutes.items():
            theirs[minute] = theirs.get(minute, NOTHING) + used

    # Quotas

    async def must_be_left(self, user: User) -> None:
        quota = self._policy.quota_of(user.roles)
        if quota is not None:
            (await self._used_by(user.id)).must_be_below(quota, self._now())

    async def _used_by(self, user_id: UserId) -> EventTime:
        known = self._known.get(user_id)
        if known is None or not self._is_fresh(known):
            async with self._reading.setdefault(user_id, asyncio.Lock()):
                known = await self._read(user_id)
        if self._seconds() - self._measured_at >= MEASURE_EVERY:
            self._measure_all()
        used = known.used.plus(self._being_written.get(user_id, {}))
        return used.plus(self._unwritten.get(user_id, {}))

    async def _read(self, user_id: UserId) -> _Known:
        """Read the sum of an account, unless another task has just read it."""
        while (known := self._known.get(user_id)) is None or not self._is_fresh(known):
            writes, at = self._writes, self._seconds()
            used = await self._use_cases.read_event_time(user_id)
            if writes == self._writes:  # Otherwise, the sum may lack what was written meanwhile.
                self._known[user_id] = _Known(used, at)
        return known

    def _is_fresh(self, known: _Known) -> bool:
        return self._seconds() - known.at < KNOWN_FOR

    # Writing

    async def write(self) -> None:
        async with self._writing:
            self._measure_all()
            self._forget_old()
            if not self._unwritten:
                return
            unwritten = self._being_written = self._unwritten
            self._unwritten = {}
            try:
                await self._use_cases.add_event_time(
                    [
                        UsedTime(user_id=user_id, minute=minute, time=used)
                        for user_id, minutes in unwritten.items()
                        for minute, used in minutes.items()
                    ]
                )
            except BaseException:
                for user_id, minutes in unwritten.items():
                    self._count(user_id, minutes)
                raise
            else:
                self._writes += 1
                for user_id in unwritten:
                    self._known.pop(user_id, None)
            finally:
                self._being_written = {}

    def _forget_old(self) -> None:
        """Release sums that are too old to be used, and time that counts no more after the store was away."""
        now = self._now()
        for user_id in [u for u, known in self._known.items() if not self._is_fresh(known)]:
            del self._known[user_id]
        for user_id in [u for u, lock in self._reading.items() if not lock.locked()]:
            del self._reading[user_id]
        for user_id, minutes in list(self._unwritten.items()):
            kept = {minute: used for minute, used in minutes.items() if counts(minute, now)}
            self._unwritten[user_id] = kept
            if not kept:
                del self._unwritten[user_id]


def _nothing() -> None:
    """End nothing."""


def event_times(
    use_cases: UseCases, policy: EventTimePolicy, *, now: Callable[[], datetime]
) -> EventTimes:
    return MeasuredTimes(use_cases, policy, now=now) if policy.has_quota else UNLIMITED
