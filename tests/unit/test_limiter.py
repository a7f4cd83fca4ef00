"""What only the rate limits in memory promise; the rest is in tests/contracts."""

from datetime import timedelta

from adapters.memory.limiter import MemoryAttemptLimiter
from domain.ports.security import Limit, LimitReached
from tests.builders import NOON

EVERY = timedelta(seconds=30)


async def test_the_least_recently_tried_keys_are_forgotten_above_a_number_of_keys() -> None:
    limiter = MemoryAttemptLimiter(most_keys=2)

    async def take(key: bytes, burst: int = 1) -> LimitReached | None:
        return await limiter.take([Limit(key=key, burst=burst, every=EVERY)], NOON)

    await take(b"ada", burst=2)
    await take(b"grace")
    await take(b"ada", burst=2)

    await take(b"new")

    assert await take(b"ada") is not None
    assert await take(b"grace") is None
