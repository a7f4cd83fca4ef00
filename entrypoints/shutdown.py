"""End the service gently: after SIGTERM, it takes no new events, and lets those that run finish for a while."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Final

import structlog

_LOOK_EVERY: Final = 0.1
"""Seconds between two looks whether events still run."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Shutdown:
    draining: asyncio.Event
    """Set by the first SIGTERM: no event begins any more."""
    stopping: asyncio.Event
    """Set when the server stops. uvicorn waits for open streams, so they must end by themselves."""
    is_busy: Callable[[], bool]
    """Returns whether events wait or run."""
    patience: float
    """Seconds that they get after SIGTERM. 0: none."""
    hand_over: Callable[[], Awaitable[None]] | None = None
    """Lets other replicas take the accounts. It gets half of the patience, in which events still begin. None for a
    service that is alone."""
    has_begun: bool = field(default=False, init=False)
    """Whether this process is about to end."""
    _drain: asyncio.Task[None] | None = field(default=None, init=False)
    _before: dict[signal.Signals, Any] = field(default_factory=dict, init=False)

    @asynccontextmanager
    async def noticed(self) -> AsyncIterator[None]:
        """Handle SIGTERM and SIGINT until the block ends, before the server does. Its end stops everything."""
        if current_thread() is not main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        self._before = {number: signal.getsignal(number) for number in numbers}

        def notice(number: int, frame: FrameType | None) -> None:
            with suppress(RuntimeError):  # The loop has ended.
                loop.call_soon_threadsafe(self._begin, signal.Signals(number), frame)

        for number in numbers:
            signal.signal(number, notice)
        try:
            yield
        finally:
            self.draining.set()
            self.stopping.set()
            if self._drain is not None:
                self._drain.cancel()
            for number, previous in self._before.items():
                signal.signal(number, previous)

    def _begin(self, number: signal.Signals, frame: FrameType | None) -> None:
        """Drain at the first SIGTERM. Ctrl+C and every further signal stop at once."""
        is_first, self.has_begun = not self.has_begun, True
        is_gentle = is_first and number is signal.SIGTERM and self.patience > 0
        if is_gentle and (self.hand_over is not None or self.is_busy()):
            if self.hand_over is None:
                self.draining.set()
            self._drain = asyncio.get_running_loop().create_task(self._wait(number, frame))
        else:
            self.draining.set()
            self._stop(number, frame)

    async def _wait(self, number: signal.Signals, frame: FrameType | None) -> None:
        now = asyncio.get_running_loop().time
        end = now() + self.patience
        await self._hand_over(self.patience / 2)
        self.draining.set()
        if self.is_busy():
            log.info("waiting for running events", seconds=round(end - now(), 1))
        while self.is_busy() and not self.stopping.is_set() and now() < end:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _LOOK_EVERY)
        if not self.stopping.is_set():
            self._stop(number, frame)

    async def _hand_over(self, seconds: float) -> None:
        if self.hand_over is None:
            return
        try:
            await asyncio.wait_for(self.hand_over(), seconds)
        except TimeoutError:
            pass
        except Exception:
            log.exception("cannot hand over to the other replicas")

    def _stop(self, number: signal.Signals, frame: FrameType | None) -> None:
        self.stopping.set()
        previous = self._before[number]
        if callable(previous):
            previous(number, frame)
