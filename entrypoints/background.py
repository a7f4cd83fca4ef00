"""Run background jobs while the service runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from domain.errors import StoreUnavailable

PERIODS: Final = 3
"""A job is degraded if it has not succeeded for this many of its periods."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    name: str
    """The name in the log and in `/readyz`."""
    run: Callable[[], Awaitable[object]]
    every: float
    """Seconds between the end of one run and the next."""


class Jobs:
    """Runs each job at the start and then periodically. A run that fails is logged, and the job continues."""

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
        """When each job last succeeded; before its first success, when it was started."""

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
        """Map each job's name to "ok", or to "degraded" if it has not succeeded for PERIODS, because it fails or
        hangs."""
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
            log.warning("background job postponed: the database is unavailable", job=job.name)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            # The job awaited something that was cancelled; the job itself was not.
            log.exception("background job failed", job=job.name, fault=type(error).__name__)
        except Exception as error:
            log.exception("background job failed", job=job.name, fault=type(error).__name__)
        else:
            self._succeeded[job.name] = self._now()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
