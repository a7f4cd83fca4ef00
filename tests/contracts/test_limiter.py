"""Promises of every storage about rate limits."""

import asyncio
from datetime import timedelta
from hashlib import sha256

import pytest

from domain.ports.security import Limit, LimitReached
from tests.builders import NOON
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERY = timedelta(seconds=30)
MOMENT = timedelta(microseconds=1)


def limit(name: str = "ada", *, burst: int = 3, every: timedelta = EVERY) -> Limit:
    return Limit(key=sha256(name.encode()).digest(), burst=burst, every=every)


async def test_a_burst_is_allowed_and_the_next_attempt_gets_a_time_to_wait(
    storage: Storage,
) -> None:
    answers = [await storage.limiter.take([limit()], NOON) for _ in range(4)]

    assert answers == [None, None, None, LimitReached(wait=EVERY, is_pending=True)]


async def test_a_refused_attempt_is_not_counted(storage: Storage) -> None:
    for _ in range(3):
        await storage.limiter.take([limit()], NOON)

    refused = [await storage.limiter.take([limit()], NOON) for _ in range(10)]
    later = await storage.limiter.take([limit()], NOON + EVERY)

    assert all(refused)
    assert later is None


async def test_one_attempt_becomes_free_in_each_period_and_not_a_moment_earlier(
    storage: Storage,
) -> None:
    for _ in range(3):
        await storage.limiter.take([limit()], NOON)

    too_early = await storage.limiter.take([limit()], NOON + EVERY - MOMENT)
    in_time = await storage.limiter.take([limit()], NOON + EVERY)
    once_more = await storage.limiter.take([limit()], NOON + EVERY)

    assert too_early is not None
    assert too_early.wait == MOMENT
    assert in_time is None
    assert once_more is not None
    assert once_more.wait == EVERY


async def test_a_burst_is_free_again_after_a_long_time_and_does_not_add_up(
    storage: Storage,
) -> None:
    await storage.limiter.take([limit()], NOON)

    year = NOON + timedelta(days=366)
    answers = [await storage.limiter.take([limit()], year) for _ in range(4)]

    assert answers == [None, None, None, LimitReached(wait=EVERY, is_pending=True)]


async def test_an_attempt_that_is_taken_back_is_free_again(storage: Storage) -> None:
    for _ in range(3):
        await storage.limiter.take([limit()], NOON)

    await storage.limiter.settle([limit()], counts=False)

    assert await storage.limiter.take([limit()], NOON) is None
    assert await storage.limiter.take([limit()], NOON) is not None


async def test_taking_back_more_than_was_counted_does_not_add_up(storage: Storage) -> None:
    await storage.limiter.take([limit()], NOON)
    for _ in range(5):
        await storage.limiter.settle([limit(), limit("nobody")], counts=False)

    answers = [await storage.limiter.take([limit()], NOON) for _ in range(4)]

    assert answers == [None, None, None, LimitReached(wait=EVERY, is_pending=True)]


async def test_a_limit_is_pending_until_all_counted_attempts_are_settled(
    storage: Storage,
) -> None:
    for _ in range(3):
        await storage.limiter.take([limit()], NOON)
    pending = []

    for _ in range(4):
        reached = await storage.limiter.take([limit()], NOON)
        assert reached is not None
        pending.append(reached.is_pending)
        await storage.limiter.settle([limit()], counts=True)

    assert pending == [True, True, True, False]


async def test_attempts_that_were_never_settled_are_forgotten_with_their_limit(
    storage: Storage,
) -> None:
    """A process may be killed while it checks a password."""
    for _ in range(3):
        await storage.limiter.take([limit()], NOON)
    later = NOON + 3 * EVERY
    for _ in range(3):
        await storage.limiter.take([limit()], later)
        await storage.limiter.settle([limit()], counts=True)

    assert await storage.limiter.take([limit()], later) == LimitReached(
        wait=EVERY, is_pending=False
    )


async def test_keys_do_not_share_a_limit(storage: Storage) -> None:
    await storage.limiter.take([limit("ada", burst=1)], NOON)

    assert await storage.limiter.take([limit("grace", burst=1)], NOON) is None
    assert await storage.limiter.take([limit("ada", burst=1)], NOON) is not None


async def test_an_attempt_counts_against_all_of_its_limits_or_none(storage: Storage) -> None:
    narrow, wide = limit("narrow", burst=1), limit("wide", burst=3, every=2 * EVERY)
    await storage.limiter.take([narrow, wide], NOON)

    for limits in ([narrow, wide], [wide, narrow], [narrow, limit("new", burst=1)]):
        assert await storage.limiter.take(limits, NOON) == LimitReached(wait=EVERY, is_pending=True)

    left = [await storage.limiter.take([wide], NOON) for _ in range(3)]
    assert left == [None, None, LimitReached(wait=2 * EVERY, is_pending=True)]
    assert await storage.limiter.take([limit("new", burst=1)], NOON) is None


async def test_the_longest_wait_of_several_limits_is_returned(storage: Storage) -> None:
    short, long = limit("short", burst=1), limit("long", burst=1, every=3 * EVERY)
    await storage.limiter.take([short, long], NOON)
    await storage.limiter.settle([short], counts=True)

    assert await storage.limiter.take([long, short], NOON) == LimitReached(
        wait=3 * EVERY, is_pending=True
    )
    assert await storage.limiter.take([short], NOON) == LimitReached(wait=EVERY, is_pending=False)


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_of_a_hundred_attempts_at_two_replicas_exactly_the_burst_passes(
    storage: Storage,
) -> None:
    limits = [limit(str(number), burst=60 - number * 10) for number in range(3)]
    limiters = [storage.limiter, storage.replica_limiter]

    results = await asyncio.gather(
        *(
            limiters[number % 2].take(limits[:: 1 if number % 3 else -1], NOON)
            for number in range(100)
        )
    )

    assert results.count(None) == 40
    assert {found.wait for found in results if found} == {EVERY}


async def test_concurrent_attempts_that_are_taken_back_leave_nothing_counted(
    storage: Storage,
) -> None:
    limits = [limit("one", burst=40), limit("two", burst=50)]
    limiters = [storage.limiter, storage.replica_limiter]

    async def passes(number: int) -> None:
        assert await limiters[number % 2].take(limits, NOON) is None
        await limiters[1 - number % 2].settle(limits[::-1], counts=False)

    await asyncio.gather(*(passes(number) for number in range(40)))

    results = [await storage.limiter.take(limits, NOON) for _ in range(41)]
    assert results.count(None) == 40
    assert await storage.limiter.purge(NOON) == 0


async def test_only_limits_that_are_free_again_are_purged(storage: Storage) -> None:
    await storage.limiter.take([limit("one"), limit("two")], NOON)
    await storage.limiter.take([limit("two")], NOON)

    purged = [
        await storage.replica_limiter.purge(time)
        for time in (NOON + EVERY - MOMENT, NOON + EVERY, NOON + EVERY, NOON + 2 * EVERY)
    ]

    assert purged == [0, 1, 0, 1]


async def test_a_purge_of_many_limits_removes_all_that_are_free(storage: Storage) -> None:
    for hundred in range(12):
        await storage.limiter.take([limit(f"{hundred}/{number}") for number in range(100)], NOON)

    assert await storage.limiter.purge(NOON + EVERY) == 1200
