"""Recognize errors of a full or read-only disk, and raise them as DiskFull."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Final

from gradio import processing_utils

from domain.errors import DiskFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_NAMES_OF_FILES: Final = ("filename", "full_temp_file_path", "path")
"""Variables in which functions of `gradio.processing_utils` have the path that they write."""
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM})


def is_full(error: BaseException | None) -> bool:
    """Return whether the error, or one of its causes, is that the disk is full or read-only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def half_written(error: BaseException | None) -> set[str]:
    """Return the paths that were being written when the error was raised. Gradio writes some outputs directly to their
    final paths and leaves them truncated."""
    found: set[str] = set()
    while error is not None:
        for frame, _ in walk_tb(error.__traceback__):
            if frame.f_code is Path.write_bytes.__code__:
                found.add(str(frame.f_locals["self"]))
            elif _saves(frame):
                names = [frame.f_locals.get(name) for name in _NAMES_OF_FILES]
                found.update(str(name) for name in names if isinstance(name, str | Path))
        error = error.__cause__
    return found


def _saves(frame: FrameType) -> bool:
    is_gradios = frame.f_globals.get("__name__") == processing_utils.__name__
    return is_gradios and frame.f_code.co_name.startswith("save_")


@contextmanager
def writing_files() -> Iterator[None]:
    """Raise DiskFull for errors of writing to Gradio's folder. Use it only around code that writes nowhere else."""
    try:
        yield
    except OSError as error:
        if is_full(error) or error.errno in _REFUSED:
            raise DiskFull from error
        raise
