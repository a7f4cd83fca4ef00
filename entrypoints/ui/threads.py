"""The threads that Gradio's callbacks run in, shared by all apps: one account holds at most half of them."""

import asyncio
import inspect
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from traceback import clear_frames
from typing import Any, Final
from weakref import finalize

from entrypoints.ui.caps import half_of
from entrypoints.ui.turns import Account

_account: Final[ContextVar[Account]] = ContextVar("account", default=None)


@contextmanager
def used_by(account: Account) -> Iterator[None]:
    """Inside, threads are taken in the account's name."""
    token = _account.set(account)
    try:
        yield
    finally:
        _account.reset(token)


def takes_thread(fn: Callable[..., Any] | None) -> bool:
    """Whether Gradio runs the function in a thread, or each step of it; a coroutine it runs on the event loop."""
    is_async = inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)
    return fn is not None and not is_async


class Places:
    """Places of which each account may hold so many. A free one is for the waiting account that holds fewest, and among
    several for each in turn."""

    def __init__(self, total: float, *, each: int) -> None:
        self._free = total
        self._each = each
        self._held: Counter[Account] = Counter()
        self._waiting: dict[Account, deque[asyncio.Future[None]]] = {}
        """The account that was served last comes last."""

    def held(self, account: Account) -> int:
        return self._held[account]

    def are_free_for(self, account: Account) -> bool:
        return self._free > 0 and (account is None or self._held[account] < self._each)

    def take(self, account: Account) -> None:
        """For whoever has asked whether one is free."""
        self._free -= 1
        self._held[account] += 1

    async def wait_for(self, account: Account) -> None:
        """Takes one, as soon as it is free."""
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
            else:  # It had just been handed over.
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
        if not turn.done():  # Else its caller was cancelled, and has not heard of it yet.
            self.take(account)
            turn.set_result(None)

    def _leave(self, account: Account, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(account, deque())
        if turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[account]


class _Step:
    """One step in a thread, as long as anything refers to it."""


_step: Final[ContextVar[_Step | None]] = ContextVar("step", default=None)
"""Copied into the thread with the rest of the context. A step that is cancelled runs on in its thread, which nobody can
stop and nobody waits for; only that this copy goes says when it is over."""


def let_go_of_steps(cancelled: BaseException) -> None:
    """The exception's own frames would keep a copy of the context."""
    error: BaseException | None = cancelled
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__


class Threads:
    """What anyio takes for the limiter of `to_thread.run_sync`: each step of a callback waits here for its thread.

    Beside it, whole events are counted, so that none has to wait in the middle: it would hold up others with the place
    that it has in its function's queue. An event of a function that takes threads begins only while its account has fewer
    under way than it may have threads; one more is left for what async functions take in and put out. A thread that goes on
    after its event was cancelled counts as both until it ends.
    """

    def __init__(self, total: int) -> None:
        self._steps = Places(total, each=half_of(total))
        self._events = Places(math.inf, each=max(1, half_of(total) - 1))

    async def __aenter__(self) -> None:
        await self._steps.wait_for(_account.get())
        _step.set(_Step())

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        account, step = _account.get(), _step.get()
        _step.set(None)
        if kind is asyncio.CancelledError and step is not None:
            self._events.take(account)
            loop = asyncio.get_running_loop()
            finalize(step, _soon, loop, partial(self._end_after_all, account)).atexit = False
        else:
            self._steps.give_back(account)

    def _end_after_all(self, account: Account) -> None:
        self._steps.give_back(account)
        self._events.give_back(account)

    def have_room_for(self, account: Account, fn: Callable[..., Any] | None) -> bool:
        """Whether an event of `fn` may begin."""
        return not takes_thread(fn) or self._events.are_free_for(account)

    @contextmanager
    def counting(self, account: Account, fn: Callable[..., Any] | None) -> Iterator[None]:
        """An event of the queue runs inside; that there is room has been asked."""
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
        """An event past the queue runs inside, as soon as there is room."""
        if not takes_thread(fn):
            yield
            return
        await self._events.wait_for(account)
        try:
            yield
        finally:
            self._events.give_back(account)


def _soon(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """From whichever thread."""
    with suppress(RuntimeError):  # The service has ended.
        loop.call_soon_threadsafe(then)
