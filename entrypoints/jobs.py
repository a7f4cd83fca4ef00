"""List the background jobs and their intervals."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from application.use_cases import UseCases
from entrypoints import ui
from entrypoints.background import Job
from entrypoints.replicas import BEAT_EVERY, Replicas

AWAKE_EVERY: Final = 30.0
"""Seconds between two renewals of sessions with a running event; far below the shortest idle timeout."""
FORGET_EVERY: Final = 30.0
"""Seconds between two releases of memory that apps hold for ended sessions."""
PURGE_EVERY: Final = 3600.0
"""Seconds between two purges of expired rows."""
PURGE_FILES_EVERY: Final = 6 * 3600.0
"""Seconds between two purges of the folder of files."""


def jobs_of(
    use_cases: UseCases,
    pages: ui.UI,
    *,
    purges_files: bool,
    measures_events: bool = False,
    replicas: Replicas | None = None,
) -> Sequence[Job]:
    """Return the jobs. They are independent: if one fails, the others still run. `purges_files` is False if other
    services share the folder of files. `measures_events` is True if accounts have a quota of event time."""

    async def keep_awake() -> None:
        await use_cases.keep_awake(
            {pages.accounts.holder_of(each) for each in pages.running.sessions()}
        )

    async def purge_sessions() -> None:
        await use_cases.purge_sessions()
        await use_cases.purge_devices()
        await use_cases.purge_attempts()
        await use_cases.purge_event_time()

    async def forget_ended() -> None:
        await pages.accounts.forget(await use_cases.ended_sessions(pages.accounts.sessions()))

    async def purge_files() -> None:
        await use_cases.purge_files(is_spared=pages.is_spared)

    jobs = [
        Job(name="keep-awake", run=keep_awake, every=AWAKE_EVERY),
        Job(name="forget-ended", run=forget_ended, every=FORGET_EVERY),
        Job(name="purge-sessions", run=purge_sessions, every=PURGE_EVERY),
        Job(name="purge-tokens", run=use_cases.purge_tokens, every=PURGE_EVERY),
        Job(name="renew-files", run=pages.claims.renew, every=PURGE_EVERY),
    ]
    if replicas is not None:
        beat = partial(_beat, replicas, pages)
        jobs.append(Job(name="replicas", run=beat, every=BEAT_EVERY))
    if measures_events:
        jobs.append(Job(name="write-event-time", run=pages.times.write, every=ui.WRITE_EVERY))
    if purges_files:
        jobs.append(Job(name="purge-files", run=purge_files, every=PURGE_FILES_EVERY))
    return jobs


async def _beat(replicas: Replicas, pages: ui.UI) -> None:
    if pages.draining.is_set():
        replicas.homes.stop()
    await replicas.homes.beat()
    await replicas.homes.release_unused()
