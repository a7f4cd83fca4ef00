"""Limit the threads in which Gradio runs callbacks. All apps share them; one account may use at most half of them."""

import asyncio
import inspect
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, Final

from anyio._backends._asyncio import AsyncIOBackend

from entrypoints.ui.limits import half_of
from entrypoints.ui.queueing.event_time import UNLIMITED, EventTimes
from entrypoints.ui.queueing.turns import Account
from entrypoints.ui.replacement import Replacement

_account: Final[ContextVar[Account]] = ContextVar("account", default=None)


@contextmanager
def used_by(account: Account) -> Iterator[None]:
    """Count threads that are used inside the block for this account."""
    token = _account.set(account)
    try:
        yield
    finally:
        _account.reset(token)


def takes_thread(fn: Callable[..., Any] | None) -> bool:
    """Return whether Gradio runs the function, or each step of it, in a thread. It runs coroutines on the event
    loop."""
    is_async = inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)
    return fn is not None and not is_async


class Places:
    """Places of which each account may hold at most `each`. A free place goes to the waiting account that holds the
    fewest; accounts with equal numbers take turns."""

    def __init__(self, total: float, *, each: int) -> None:
        self._free = total
        self._each = each
        self._held: Counter[Account] = Counter()
        self._waiting: dict[Account, deque[asyncio.Future[None]]] = {}
        """Waiting calls by account. The account that got a place last comes last."""

    def held(self, account: Account) -> int:
        return self._held[account]

    def are_free_for(self, account: Account) -> bool:
        return self._free > 0 and (account is None or self._held[account] < self._each)

    def take(self, account: Account) -> None:
        """Take a place. Call this only if `are_free_for` is true."""
        self._free -= 1
        self._held[account] += 1

    async def wait_for(self, account: Account) -> None:
        """Take a place as soon as one is free."""
        if self.are_free_for(account):
            self.take(account)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(account, turn)
            else:  # The place had just been handed over.
                self.give_back(account)
            raise

    def give_back(self, account: Account) -> None:
        self._free += 1
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]
        while (waiting := [one for one in self._waiting if self.are_free_for(one)]) != []:
            self._hand_over_to(min(waiting, key=self._held.__getitem__))

    def _hand_over_to(self, account: Account) -> None:
        turns = self._waiting.pop(account)
        turn = turns.popleft()
        if turns:
            self._waiting[account] = turns
        if not turn.done():  # Otherwise its caller was cancelled, but has not run since.
            self.take(account)
            turn.set_result(None)

    def _leave(self, account: Account, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(account, deque())
        if turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[account]


class _Step:
    """One function that runs in a thread. It cannot be stopped there: if its caller is cancelled, it runs on, and its
    thread becomes free when it has finished."""

    __slots__ = ("_fn", "_is_abandoned", "_is_over", "_is_running", "_lock", "_then")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._lock = Lock()
        self._is_running = self._is_over = self._is_abandoned = False
        self._then: Callable[[], None] | None = None

    def run(self, *args: Any) -> Any:
        """Run the function in the current thread. Do nothing if its caller was cancelled before."""
        with self._lock:
            if self._is_abandoned:
                return None
            self._is_running = True
        try:
            return self._fn(*args)
        finally:
            with self._lock:
                self._is_over, then = True, self._then
            if then is not None:
                then()

    def when_over(self, then: Callable[[], None]) -> bool:
        """Arrange that `then` is called in the thread when the function has finished. Return False if it has finished
        already or has not begun; in the second case it never will."""
        with self._lock:
            if self._is_running and not self._is_over:
                self._then = then
                return True
            self._is_abandoned = True
            return False


_step: Final[ContextVar[_Step | None]] = ContextVar("step", default=None)
"""The function that this task is about to run in a thread."""


def _running(original: Callable[..., Awaitable[Any]]) -> Any:
    async def run_sync_in_worker_thread(
        func: Callable[..., Any],
        args: tuple[Any, ...],
        abandon_on_cancel: bool = False,  # noqa: FBT001, FBT002 -- anyio's signature.
        limiter: Any = None,
    ) -> Any:
        if isinstance(limiter, Threads):
            step = _Step(func)
            _step.set(step)
            func = step.run
        return await original(func, args, abandon_on_cancel, limiter)

    return staticmethod(run_sync_in_worker_thread)


RUNNING: Final = Replacement(owner=AsyncIOBackend, name="run_sync_in_worker_thread", by=_running)


class Threads:
    """A limiter for anyio's `to_thread.run_sync`: each step of a callback waits here for a thread.

    Whole events are counted too, so that no event has to wait for a thread in the middle, where it would block others
    with its place in its function's queue. An event whose function needs threads begins only while its account has
    fewer such events than it may have threads. One thread stays free for the inputs and outputs of async functions. A
    thread that runs on after its event was cancelled counts as both, an event and a thread, until it ends.
    """

    def __init__(self, total: int, *, times: EventTimes = UNLIMITED) -> None:
        self._times = times
        self._steps = Places(total, each=half_of(total))
        self._events = Places(math.inf, each=max(1, half_of(total) - 1))

    async def __aenter__(self) -> None:
        await self._steps.wait_for(_account.get())

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        account, step = _account.get(), _step.get()
        _step.set(None)
        if kind is asyncio.CancelledError and step is not None:
            loop = asyncio.get_running_loop()
            self._events.take(account)
            end = self._times.begin({account: 1})
            over = partial(self._end_after_all, account, end)
            if step.when_over(partial(_soon, loop, over)):
                return
            end()
            self._events.give_back(account)
        self._steps.give_back(account)

    def _end_after_all(self, account: Account, end: Callable[[], None]) -> None:
        end()
        self._steps.give_back(account)
        self._events.give_back(account)

    def have_room_for(self, account: Account, fn: Callable[..., Any] | None) -> bool:
        """Return whether an event of `fn` may begin."""
        return not takes_thread(fn) or self._events.are_free_for(account)

    @contextmanager
    def counting(self, account: Account, fn: Callable[..., Any] | None) -> Iterator[None]:
        """Count a queued event that runs inside the block. Call this only if `have_room_for` is true."""
        if not takes_thread(fn):
            yield
            return
        self._events.take(account)
        try:
            yield
        finally:
            self._events.give_back(account)

    @asynccontextmanager
    async def room_for(
        self, account: Account, fn: Callable[..., Any] | None
    ) -> AsyncIterator[None]:
        """Wait for room, and count an event that runs inside the block without the queue."""
        if not takes_thread(fn):
            yield
            return
        await self._events.wait_for(account)
        try:
            yield
        finally:
            self._events.give_back(account)


def _soon(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """Call `then` on the event loop soon, from any thread."""
    with suppress(RuntimeError):  # The service has ended.
        loop.call_soon_threadsafe(then)
