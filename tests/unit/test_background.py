"""Background jobs continue after errors, and report when they do not succeed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from domain.errors import StoreUnavailable
from entrypoints.background import Job, Jobs

EVERY = 30.0
PERIODS_UNTIL_DEGRADED = 3


class Time:
    """A stopped clock: jobs wait until the test lets a period pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._waiting: list[asyncio.Future[None]] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        assert seconds == EVERY
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        await done

    async def passes(self, periods: float = 1) -> None:
        self.now += periods * EVERY
        for waiting in self._waiting:
            waiting.set_result(None)
        self._waiting.clear()
        await settled()


async def settled() -> None:
    """Return when each job has done what it can do now."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


class Work:
    """Does what the test sets: raises an error, waits for an event, or does nothing."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: BaseException | None = None
        self.hangs = False
        self.was_cancelled = False

    async def __call__(self) -> None:
        self.runs += 1
        if self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        if self.error is not None:
            raise self.error


def jobs_of(time: Time, **works: Work) -> Jobs:
    jobs = [Job(name=name, run=work, every=EVERY) for name, work in works.items()]
    return Jobs(jobs, now=time, pause=time.pause)


async def test_a_job_runs_at_once_and_after_each_period(time: Time) -> None:
    work = Work()

    async with jobs_of(time, purge=work).running():
        await settled()
        at_once = work.runs
        for _ in range(19):
            await time.passes()

    assert (at_once, work.runs) == (1, 20)


@pytest.mark.parametrize(
    "error", [RuntimeError("hunter2"), KeyError(1), asyncio.CancelledError(), StoreUnavailable()]
)
async def test_a_job_goes_on_after_each_error_and_each_is_logged_with_its_name(
    time: Time, lines: list[dict[str, Any]], error: BaseException
) -> None:
    broken, sound = Work(), Work()
    broken.error = error

    async with jobs_of(time, broken=broken, sound=sound).running():
        await settled()
        for _ in range(19):
            await time.passes()

    told = [line for line in lines if line["job"] == "broken"]
    assert (broken.runs, sound.runs, len(told)) == (20, 20, 20)
    assert {line["log_level"] for line in told} <= {"error", "warning"}
    assert not [line for line in lines if line["job"] == "sound"]


async def test_the_log_has_the_traceback_of_an_unexpected_error(
    time: Time, lines: list[dict[str, Any]]
) -> None:
    work = Work()
    work.error = RuntimeError("the reason")

    async with jobs_of(time, purge=work).running():
        await settled()

    assert lines == [
        {
            "event": "background job failed",
            "job": "purge",
            "fault": "RuntimeError",
            "exc_info": True,
            "log_level": "error",
        }
    ]


async def test_a_job_without_success_for_three_periods_is_degraded_until_it_succeeds(
    time: Time,
) -> None:
    broken, sound = Work(), Work()
    jobs = jobs_of(time, broken=broken, sound=sound)
    seen = []

    async with jobs.running():
        await settled()
        broken.error = RuntimeError()
        for _ in range(PERIODS_UNTIL_DEGRADED + 1):
            seen.append(jobs.states()["broken"])
            await time.passes()
        seen.append(jobs.states()["broken"])
        assert jobs.states()["sound"] == "ok"
        broken.error = None
        await time.passes()

        assert jobs.states() == {"broken": "ok", "sound": "ok"}
    assert seen == ["ok", "ok", "ok", "degraded", "degraded"]


async def test_a_job_that_never_succeeded_is_degraded_after_three_periods(time: Time) -> None:
    work = Work()
    work.error = RuntimeError()
    jobs = jobs_of(time, purge=work)
    time.now += 1000  # The service starts slowly.

    async with jobs.running():
        await settled()
        before = jobs.states()
        await time.passes(PERIODS_UNTIL_DEGRADED)

        assert before == {"purge": "ok"}
        assert jobs.states() == {"purge": "degraded"}


async def test_a_job_that_hangs_is_degraded_and_is_cancelled_at_the_end(time: Time) -> None:
    work, sound = Work(), Work()
    work.hangs = True
    jobs = jobs_of(time, hangs=work, sound=sound)

    async with jobs.running():
        await settled()
        for _ in range(PERIODS_UNTIL_DEGRADED):
            await time.passes()
        states = jobs.states()

    assert states == {"hangs": "degraded", "sound": "ok"}
    assert (work.runs, work.was_cancelled) == (1, True)


async def test_ending_cancels_waiting_jobs_and_logs_nothing(
    time: Time, lines: list[dict[str, Any]]
) -> None:
    waiting, working = Work(), Work()
    working.hangs = True
    before = asyncio.all_tasks()

    async with jobs_of(time, waiting=waiting, working=working).running():
        await settled()
        assert len(asyncio.all_tasks() - before) == 2

    assert asyncio.all_tasks() == before
    assert not lines
