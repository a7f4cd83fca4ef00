"""Threads of callbacks: no account holds more than half of the threads on any way, and each thread is released."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import anyio.to_thread
import pytest

from domain.model.user import UserId
from entrypoints.ui.queueing.threads import (
    RUNNING,
    Places,
    Threads,
    _Step,
    takes_thread,
    used_by,
)

ADA, BOB, EVE = (UserId(UUID(int=number)) for number in (1, 2, 3))


async def turns() -> None:
    """Let the waiting tasks continue."""
    for _ in range(5):
        await asyncio.sleep(0)


# Places


async def test_an_account_takes_no_more_places_than_its_share() -> None:
    places = Places(4, each=2)
    for _ in range(2):
        await places.wait_for(EVE)

    assert not places.are_free_for(EVE)
    assert places.are_free_for(ADA)
    assert places.are_free_for(None)


async def test_a_free_place_goes_to_the_account_with_the_fewest_and_then_in_turn() -> None:
    places = Places(3, each=3)
    served: list[Any] = []

    async def takes(account: UserId) -> None:
        await places.wait_for(account)
        served.append(account)

    for _ in range(3):
        places.take(EVE)
    waiting = [asyncio.create_task(takes(one)) for one in (EVE, EVE, EVE, BOB, ADA, ADA)]
    await turns()
    for holder in (EVE, EVE, EVE, BOB, ADA, EVE):
        places.give_back(holder)
        await turns()
    await asyncio.gather(*waiting)

    assert served == [BOB, ADA, EVE, ADA, EVE, EVE]


async def test_an_account_with_many_waiting_does_not_always_come_first() -> None:
    places = Places(1, each=1)
    served: list[Any] = []

    async def takes(account: UserId) -> None:
        await places.wait_for(account)
        served.append(account)

    places.take(BOB)
    waiting = [asyncio.create_task(takes(one)) for one in (EVE, EVE, EVE, ADA)]
    await turns()
    for holder in (BOB, EVE, ADA, EVE):
        places.give_back(holder)
        await turns()
    await asyncio.gather(*waiting)

    assert served == [EVE, ADA, EVE, EVE]


async def test_a_waiter_that_is_cancelled_holds_no_place() -> None:
    places = Places(1, each=1)
    places.take(EVE)
    gone, handed, third = (asyncio.create_task(places.wait_for(one)) for one in (ADA, BOB, ADA))
    await turns()
    gone.cancel()
    await turns()
    places.give_back(EVE)
    handed.cancel()  # It has the place by now, but its task has not continued yet.
    await asyncio.gather(gone, handed, return_exceptions=True)
    await third

    assert (places.held(ADA), places.held(BOB), places.held(EVE)) == (1, 0, 0)
    places.give_back(ADA)
    assert places.are_free_for(BOB)
    assert not places._waiting


async def test_a_place_is_not_given_to_a_cancelled_waiter() -> None:
    places = Places(1, each=1)
    places.take(EVE)
    gone, next_one = (asyncio.create_task(places.wait_for(one)) for one in (ADA, BOB))
    await turns()
    gone.cancel()
    places.give_back(EVE)
    await next_one

    assert (places.held(ADA), places.held(BOB)) == (0, 1)


# Threads


@pytest.fixture(autouse=True)
def counting() -> Iterator[None]:
    """Count threads like while a service is mounted."""
    RUNNING.begin()
    yield
    RUNNING.end()


class Sleepers:
    """Functions that stay in their threads until the test wakes them."""

    def __init__(self) -> None:
        self.wakes = threading.Event()
        self.asleep: Counter[Any] = Counter()
        self.most: Counter[Any] = Counter()
        self._lock = threading.Lock()

    def sleep(self, who: object) -> object:
        with self._lock:
            self.asleep[who] += 1
            self.most[who] = max(self.most[who], self.asleep[who])
        self.wakes.wait(20)
        with self._lock:
            self.asleep[who] -= 1
        return who

    async def until(self, who: object, count: int) -> None:
        async with asyncio.timeout(20):
            while self.asleep[who] != count:  # noqa: ASYNC110 -- A thread has no other way to tell.
                await asyncio.sleep(0.002)


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    sleepers = Sleepers()
    yield sleepers
    sleepers.wakes.set()


def starts(threads: Threads, account: UserId, fn: Callable[..., Any], *args: Any) -> Any:
    async def run() -> Any:
        with used_by(account):
            return await anyio.to_thread.run_sync(fn, *args, limiter=threads)  # type: ignore[arg-type]

    return asyncio.create_task(run())


async def test_one_account_holds_half_of_the_threads(sleepers: Sleepers) -> None:
    threads = Threads(8)
    eves = [starts(threads, EVE, sleepers.sleep, EVE) for _ in range(20)]
    await sleepers.until(EVE, 4)

    assert await asyncio.wait_for(starts(threads, ADA, lambda: "at once"), 10) == "at once"
    sleepers.wakes.set()
    await asyncio.gather(*eves)
    assert sleepers.most[EVE] == 4


async def test_a_cancelled_step_holds_its_thread_until_it_ends(sleepers: Sleepers) -> None:
    threads = Threads(8)
    kept = []  # A log or a debugger may keep the exception.
    for count in range(1, 5):
        eves = starts(threads, EVE, sleepers.sleep, EVE)
        await sleepers.until(EVE, count)
        kept.append(await cancelled(eves))
    waits = starts(threads, EVE, sleepers.sleep, EVE)
    await sleepers.until(EVE, 4)
    assert not threads.have_room_for(EVE, sleepers.sleep)
    assert threads.have_room_for(ADA, sleepers.sleep)

    sleepers.wakes.set()
    await waits
    await until_everything_is_released(threads, EVE)

    assert sleepers.most[EVE] == 4
    assert threads.have_room_for(EVE, sleepers.sleep)


async def test_a_step_that_is_cancelled_before_it_begins_releases_its_thread() -> None:
    threads = Threads(8)
    for _ in range(30):
        step = starts(threads, EVE, lambda: None)
        await turns()
        step.cancel()  # Some have ended by now.
        await asyncio.gather(step, return_exceptions=True)

    await until_everything_is_released(threads, EVE)


def test_a_step_whose_caller_has_left_never_begins() -> None:
    begun: list[int] = []
    step = _Step(begun.append)

    waits = step.when_over(lambda: None)
    step.run(1)

    assert not waits
    assert begun == []


async def cancelled(task: "asyncio.Task[Any]") -> BaseException:
    """Cancel the task like Gradio does, and return the exception."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    return raised.value


async def until_everything_is_released(threads: Threads, account: UserId) -> None:
    async with asyncio.timeout(20):
        while threads._steps.held(account) or threads._events.held(account):  # noqa: ASYNC110 -- A thread has no event.
            await asyncio.sleep(0.002)


async def test_events_without_the_queue_wait_only_for_threads_of_their_own_account() -> None:
    threads = Threads(8)
    go_on = asyncio.Event()
    begun: Counter[Any] = Counter()

    async def runs(account: UserId, fn: Callable[..., Any]) -> None:
        async with threads.room_for(account, fn):
            begun[account, fn] += 1
            await go_on.wait()

    def plain() -> None: ...

    async def coroutine() -> None: ...

    running = [asyncio.create_task(runs(EVE, plain)) for _ in range(10)]
    running += [asyncio.create_task(runs(EVE, coroutine)) for _ in range(10)]
    running += [asyncio.create_task(runs(ADA, plain))]
    await turns()
    at_first = dict(begun)
    has_room = threads.have_room_for(EVE, plain), threads.have_room_for(EVE, coroutine)
    go_on.set()
    await asyncio.gather(*running)

    assert at_first == {(EVE, plain): 3, (EVE, coroutine): 10, (ADA, plain): 1}
    assert has_room == (False, True)
    assert begun[EVE, plain] == 10
    assert threads.have_room_for(EVE, plain)


@pytest.mark.parametrize(("total", "events"), [(1, 1), (2, 1), (3, 1), (4, 1), (8, 3), (40, 19)])
def test_the_number_of_events_that_use_threads_is_limited(total: int, events: int) -> None:
    threads = Threads(total)

    with several(threads, events):
        assert not threads.have_room_for(EVE, several)
    assert threads.have_room_for(EVE, several)


@contextmanager
def several(threads: Threads, count: int) -> Iterator[None]:
    if count == 0:
        yield
        return
    assert threads.have_room_for(EVE, several)
    with threads.counting(EVE, several), several(threads, count - 1):
        yield


def test_coroutines_use_no_thread() -> None:
    async def coroutine() -> None: ...

    async def steps() -> AsyncIterator[int]:
        yield 1

    def plain() -> None: ...

    def sync_steps() -> Iterator[int]:
        yield 1

    assert [takes_thread(fn) for fn in (coroutine, steps, None)] == [False] * 3
    assert [takes_thread(fn) for fn in (plain, sync_steps, len)] == [True] * 3
