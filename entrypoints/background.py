"""Jobs that repeat while the service runs, and the signal that ends it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from threading import current_thread, main_thread
from types import FrameType
from typing import Final

import structlog

from domain.errors import StoreUnavailable

PERIODS: Final = 3
"""A job that has not succeeded for so many of its periods is degraded."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    name: str
    """In the log and in `/readyz`."""
    run: Callable[[], Awaitable[object]]
    every: float
    """Seconds between the end of one run and the next."""


class Jobs:
    """Runs each job at once and then again and again. A run that fails is logged, and the job goes on."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._jobs = jobs
        self._now = now
        self._pause = pause
        self._succeeded = {job.name: now() for job in jobs}
        """When each job last did; before its first run, when it could have begun."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._succeeded = {job.name: self._now() for job in self._jobs}
        tasks = [asyncio.create_task(self._repeat(job), name=job.name) for job in self._jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def states(self) -> dict[str, str]:
        """ "ok" for each job by its name, or "degraded" when it has not succeeded for PERIODS: it fails, or it hangs."""
        now = self._now()
        return {
            job.name: "ok" if now - self._succeeded[job.name] < PERIODS * job.every else "degraded"
            for job in self._jobs
        }

    async def _repeat(self, job: Job) -> None:
        while True:
            await self._attempt(job)
            await self._pause(job.every)

    async def _attempt(self, job: Job) -> None:
        try:
            await job.run()
        except StoreUnavailable:
            log.warning("background job postponed: the database does not answer", job=job.name)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            # Something the job waited for was cancelled, and not the job.
            log.exception("background job failed", job=job.name, fault=type(error).__name__)
        except Exception as error:
            log.exception("background job failed", job=job.name, fault=type(error).__name__)
        else:
            self._succeeded[job.name] = self._now()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@asynccontextmanager
async def told_to_stop(stopping: asyncio.Event) -> AsyncIterator[None]:
    """Sets `stopping` at the signal: uvicorn waits for open streams, and they would wait for their tabs."""
    if current_thread() is not main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopping.set)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        stopping.set()
        for number, previous in before.items():
            signal.signal(number, previous)
