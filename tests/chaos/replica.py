"""`python -m tests.chaos.replica`: serve like `gradioapp serve`, with a fault inside. The settings come from the environment.

--ahead SECONDS: the clock is ahead, or with a negative number behind.
--jobs-fail FILE: each background job raises while the file exists. Jobs run every half second.
--full FILE: while the file exists, the SQLite database may not grow.
"""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from application.container import build
from application.settings import load, quiet_gradio
from entrypoints import jobs, web
from entrypoints.background import Job
from entrypoints.cli.announcement import Announcement
from entrypoints.cli.serve import listening
from entrypoints.cli.server import Server, configured
from entrypoints.cli.startup import Startup
from tests.chaos.people import WrongClock

JOBS_EVERY: Final = 0.5
_NO_LIMIT: Final = 2**31

JobsOf = Callable[..., Sequence[Job]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ahead", type=float, default=0)
    parser.add_argument("--jobs-fail", type=Path)
    parser.add_argument("--full", type=Path)
    wanted = parser.parse_args()
    settings = load(env_file=None)
    container = build(settings, clock=WrongClock(timedelta(seconds=wanted.ahead)))
    if wanted.jobs_fail is not None:
        jobs.jobs_of = _failing(jobs.jobs_of, wanted.jobs_fail)
    if wanted.full is not None:
        _limit_size(container.engine(), wanted.full)
    quiet_gradio(settings.data_dir)
    from entrypoints.app import create_app  # After the change of the jobs.

    web.configure_logging(settings)
    with listening(settings.host, settings.port) as listener:
        served = Startup(create_app(container))
        Server(configured(served), Announcement(settings=settings)).run(sockets=[listener])


def _failing(jobs_of: JobsOf, file: Path) -> JobsOf:
    """Return a function for the same jobs, each of which raises while the file exists."""

    def with_a_fault(run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def run_or_raise() -> None:
            if file.exists():  # noqa: ASYNC240 -- It takes no time.
                raise ZeroDivisionError("chaos")
            await run()

        return run_or_raise

    def failing(*arguments: Any, **more: Any) -> Sequence[Job]:
        return [
            replace(job, run=with_a_fault(job.run), every=JOBS_EVERY)
            for job in jobs_of(*arguments, **more)
        ]

    return failing


def _limit_size(engine: AsyncEngine, file: Path) -> None:
    @event.listens_for(engine.sync_engine, "begin")
    def limit(connection: Connection) -> None:
        # SQLite takes no limit below the present size, and then says that the disk is full.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if file.exists() else _NO_LIMIT}")


if __name__ == "__main__":
    main()
