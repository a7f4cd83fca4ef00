"""How often something may be tried."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from adapters.memory.limiter import MemoryAttemptLimiter
from adapters.system.clock import StoppedClock

EVERY = timedelta(seconds=30)
MOMENT = timedelta(microseconds=1)


def take(limiter: MemoryAttemptLimiter, key: str = "ada", *, burst: int = 3) -> timedelta | None:
    return limiter.take(key, burst=burst, every=EVERY)


def test_a_burst_goes_through_and_the_next_is_told_how_long_to_wait() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock())

    answers = [take(limiter) for _ in range(4)]

    assert answers == [None, None, None, EVERY]


def test_a_refused_attempt_is_not_counted() -> None:
    clock = StoppedClock()
    limiter = MemoryAttemptLimiter(clock)
    for _ in range(3):
        take(limiter)

    refused = [take(limiter) for _ in range(10)]
    clock.forward(EVERY)

    assert refused == [EVERY] * 10
    assert take(limiter) is None


def test_after_a_burst_one_more_becomes_free_every_so_often() -> None:
    clock = StoppedClock()
    limiter = MemoryAttemptLimiter(clock)
    for _ in range(3):
        take(limiter)

    clock.forward(EVERY - MOMENT)
    too_early = take(limiter)
    clock.forward(MOMENT)
    in_time, once_more = take(limiter), take(limiter)

    assert (too_early, in_time, once_more) == (MOMENT, None, EVERY)


def test_after_a_long_while_there_is_one_burst_and_not_more() -> None:
    clock = StoppedClock()
    limiter = MemoryAttemptLimiter(clock)
    take(limiter)

    clock.forward(timedelta(days=30))

    assert [take(limiter) for _ in range(4)] == [None, None, None, EVERY]


def test_an_attempt_given_back_is_free_again() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock())
    for _ in range(3):
        take(limiter)

    limiter.give_back("ada", every=EVERY)

    assert (take(limiter), take(limiter)) == (None, EVERY)


def test_giving_back_more_than_was_taken_earns_nothing() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock())
    take(limiter)

    for _ in range(10):
        limiter.give_back("ada", every=EVERY)
    limiter.give_back("nobody", every=EVERY)

    assert [take(limiter) for _ in range(4)] == [None, None, None, EVERY]


def test_keys_do_not_disturb_each_other() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock())
    take(limiter, "ada", burst=1)

    assert take(limiter, "grace", burst=1) is None
    assert take(limiter, "ada", burst=1) == EVERY


def test_of_too_many_keys_those_tried_longest_ago_are_forgotten() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock(), most_keys=2)
    take(limiter, "ada", burst=1)
    take(limiter, "grace", burst=1)
    take(limiter, "ada", burst=1)

    take(limiter, "new", burst=1)

    assert take(limiter, "ada", burst=1) == EVERY
    assert take(limiter, "grace", burst=1) is None


def test_threads_together_get_no_more_than_the_burst() -> None:
    limiter = MemoryAttemptLimiter(StoppedClock())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: take(limiter, burst=50), range(400)))

    assert answers.count(None) == 50
