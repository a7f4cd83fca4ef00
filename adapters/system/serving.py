"""Count the processes that serve one SQLite file. Each of them holds a lock on one byte of a file beside it.

A lock of `fcntl` belongs to the process: the kernel releases it when the process ends for any reason, and a forked
child does not inherit it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from adapters.system.files import FILE_MODE

try:
    import fcntl
except ImportError:  # pragma: no cover -- Windows has no such locks.
    fcntl = None  # type: ignore[assignment]

SUFFIX: Final = "-serving"
PLACES: Final = 64
"""The largest number of processes that can be counted."""
_COUNTING: Final = 0
"""The byte that a process locks while it counts and takes places, so that concurrent processes see each other."""
_TIMEOUT: Final = 1.0
"""Seconds to wait for this byte's lock, which is held for less than a millisecond."""


class CannotBeCounted(Exception):
    """The folder is not writable, or its file system has no locks."""


@contextmanager
def place_beside(database: Path) -> Iterator[int]:
    """Take a place until the block ends; yield the number of other processes that serve the file. Raises
    CannotBeCounted. Use one block at a time per process: closing the file releases all locks that the process has on
    it."""
    descriptor = _opened(database, os.O_CREAT)
    try:
        with _counting(descriptor):
            free = [place for place in _places() if _take(descriptor, place)]
            for place in free[1:]:
                _leave(descriptor, place)
        yield PLACES - len(free)
    finally:
        os.close(descriptor)


def places_taken_beside(database: Path) -> int:
    """Count the other processes that serve the file. Raises CannotBeCounted."""
    try:
        descriptor = _opened(database)
    except FileNotFoundError:
        return 0
    try:
        with _counting(descriptor):
            free = [place for place in _places() if _take(descriptor, place)]
            for place in free:  # Before another process counts.
                _leave(descriptor, place)
        return PLACES - len(free)
    finally:
        os.close(descriptor)


def _places() -> range:
    return range(1, PLACES + 1)


def _opened(database: Path, flags: int = 0) -> int:
    if fcntl is None:
        raise CannotBeCounted  # pragma: no cover
    file = database.with_name(f"{database.name}{SUFFIX}")
    try:
        return os.open(file, os.O_RDWR | os.O_CLOEXEC | flags, FILE_MODE)
    except FileNotFoundError:
        if flags:
            raise CannotBeCounted from None
        raise
    except OSError as error:
        raise CannotBeCounted from error


@contextmanager
def _counting(descriptor: int) -> Iterator[None]:
    until = time.monotonic() + _TIMEOUT
    try:
        while not _take(descriptor, _COUNTING):
            if time.monotonic() > until:
                raise CannotBeCounted
            time.sleep(0.01)
        yield
    except OSError as error:  # Some network file systems have no locks.
        raise CannotBeCounted from error
    finally:
        with suppress(OSError):
            _leave(descriptor, _COUNTING)


def _take(descriptor: int, place: int) -> bool:
    """Lock a byte; return False if another process has locked it. Raises OSError."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: POSIX allows both.
        return False
    return True


def _leave(descriptor: int, place: int) -> None:
    fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)
