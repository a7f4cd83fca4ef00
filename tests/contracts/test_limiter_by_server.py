"""Rate limits of replicas whose clocks differ, on one PostgreSQL."""

from datetime import timedelta

import pytest

from adapters.sql.limiter import SqlAttemptLimiter
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.ports.security import LimitReached
from tests.builders import NOON
from tests.contracts.conftest import Storage
from tests.contracts.test_limiter import EVERY, limit

pytestmark = pytest.mark.asyncio(loop_scope="session")

AHEAD = timedelta(minutes=5)
A_MOMENT = timedelta(seconds=10)
"""The test takes less time than this on a busy machine."""


def limiters_of(storage: Storage) -> tuple[SqlAttemptLimiter, SqlAttemptLimiter]:
    first, second = storage.units, storage.replica
    assert isinstance(first, SqlUnitsOfWork)
    assert isinstance(second, SqlUnitsOfWork)
    return (
        SqlAttemptLimiter(first.transactions, by_server=True),
        SqlAttemptLimiter(second.transactions, by_server=True),
    )


@pytest.mark.server
@pytest.mark.asvs("V6.3.1")
@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
async def test_replicas_whose_clocks_differ_give_one_burst_and_the_same_wait(
    ahead: timedelta, postgres: Storage
) -> None:
    right, wrong = limiters_of(postgres)

    answers = [
        await limiter.take([limit()], now)
        for _ in range(3)
        for limiter, now in ((wrong, NOON + ahead), (right, NOON))
    ]

    assert answers[:3] == [None] * 3
    waits = [reached.wait for reached in answers[3:] if isinstance(reached, LimitReached)]
    assert len(waits) == 3
    assert all(EVERY - A_MOMENT < wait <= EVERY for wait in waits), waits


@pytest.mark.server
async def test_one_attempt_at_a_replica_that_is_ahead_keeps_nobody_out(postgres: Storage) -> None:
    right, wrong = limiters_of(postgres)
    await wrong.take([limit()], NOON + AHEAD)

    answers = [await right.take([limit()], NOON) for _ in range(3)]

    assert answers[:2] == [None, None]
    assert answers[2] is not None


@pytest.mark.server
async def test_a_replica_that_is_ahead_purges_no_limit_that_still_counts(postgres: Storage) -> None:
    right, wrong = limiters_of(postgres)
    soon = limit("soon", every=timedelta(microseconds=1))
    await right.take([limit()], NOON)
    await right.take([soon], NOON)

    assert await wrong.purge(NOON + timedelta(days=366_00)) == 1


async def test_processes_on_one_sqlite_file_count_by_their_own_clock(sqlite: Storage) -> None:
    limiter, _ = limiters_of(sqlite)
    for _ in range(3):
        await limiter.take([limit()], NOON)

    assert await limiter.take([limit()], NOON) == LimitReached(wait=EVERY, is_pending=True)
    assert await limiter.take([limit()], NOON + EVERY) is None
