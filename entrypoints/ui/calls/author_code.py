"""Mark code of an author that runs in an event, and keep it from ending more than its event."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_process: Final[ContextVar[int | None]] = ContextVar("process_of_author_code", default=None)
"""The process in which an event runs. Tasks and threads that the event starts have it too, and so has a forked process,
which may do with itself what it wants."""


class AppEnded(Exception):
    """The author's code has raised what is no Exception, such as SystemExit. It would end the service for everybody, or
    leave its caller without an end of the event."""


@contextmanager
def author_code(name: str) -> Iterator[None]:
    """Mark the block as code of an author. Raise AppEnded where the block raises no Exception, except where the task
    itself is cancelled. `name` is the author's function."""
    mine = _task()
    token = _process.set(os.getpid())
    try:
        yield
    except Exception:
        raise
    except BaseException as end:
        if _is_of_service(end, mine):
            raise
        raise AppEnded(
            f"{name} has raised {type(end).__name__}, which ends only the event"
        ) from end
    finally:
        _process.reset(token)


def is_author_code() -> bool:
    """Return whether the code that runs now belongs to an event of an app, in the service's own process."""
    return _process.get() == os.getpid()


def _is_of_service(end: BaseException, mine: "asyncio.Task[object] | None") -> bool:
    """Return whether the service itself ends the event: its task is cancelled, or its coroutine is closed, which
    another task does."""
    if isinstance(end, asyncio.CancelledError):
        return mine is not None and mine.cancelling() > 0
    return isinstance(end, GeneratorExit) and _task() is not mine


def _task() -> "asyncio.Task[object] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:  # No event loop runs.
        return None
