"""Refuse to read a file while Gradio's components convert inputs and outputs, whichever library opens it."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import gradio as gr

from entrypoints.ui.files import caller_names
from entrypoints.ui.files.named_files import has_scheme
from entrypoints.ui.files.showing import NOT_AT_YOUR_WORD, NOT_TO_SHOW, IsPrivate, of_this_app

_OF_LIBRARIES: Final = (
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/"),
    *("/sys/devices/system/", "/sys/fs/cgroup/"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/shm/"),  # noqa: S108 -- Semaphores.
)
"""Where libraries look at the machine, for example at its number of cores."""
_OF_A_PROCESS: Final = re.compile(
    r"/proc/(self|\d+)/(task/\d+/)?(stat|statm|status|cgroup|mountinfo)"
)
"""What tells how a process does, and neither its environment nor its arguments."""

_is_guarded: Final[ContextVar[bool]] = ContextVar("is_guarded", default=False)
"""True while Gradio's components convert outputs."""


@contextmanager
def reading_guarded() -> Iterator[None]:
    """Refuse, inside the block, to open any file for reading that the app may not show. This covers all readers in
    Gradio, such as those of subtitles and tables."""
    token = _is_guarded.set(True)
    try:
        yield
    finally:
        _is_guarded.reset(token)


def _must_be_to_open(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook for files that are opened and for programs that are started. Raises gr.Error if one of the files may
    not be read."""
    if event not in _WATCHED or not _is_guarded.get():
        return
    token = _is_guarded.set(False)  # The checks below may open files themselves.
    try:
        for path in _WATCHED[event](args):
            _must_be_readable(path)
    finally:
        _is_guarded.reset(token)


def _opened(args: tuple[Any, ...]) -> Iterator[str]:
    path, mode, flags = args
    is_reading = "r" in mode if mode is not None else not flags & (os.O_WRONLY | os.O_RDWR)
    if is_reading and isinstance(path, str | bytes | os.PathLike):
        yield os.fsdecode(path)


def _arguments(args: tuple[Any, ...]) -> Iterator[str]:
    """Yield the arguments of a program, such as ffmpeg: some of them may be files that it reads."""
    _, arguments, *_ = args
    for argument in arguments if isinstance(arguments, list | tuple) else ():
        if isinstance(argument, str | bytes | os.PathLike):
            yield os.fsdecode(argument)


def _connected(args: tuple[Any, ...]) -> Iterator[str]:
    """Yield the file of a SQLite database, which may be written as an address."""
    (database,) = args
    if isinstance(database, str | bytes | os.PathLike):
        path = os.fsdecode(database)
        yield unquote(urlsplit(path).path) if path.startswith("file:") else path


_WATCHED: Final[dict[str, Callable[[tuple[Any, ...]], Iterator[str]]]] = {
    "open": _opened,
    "subprocess.Popen": _arguments,
    "sqlite3.connect": _connected,
}
"""The audit events that name files, and what yields their paths."""


def _must_be_readable(path: str) -> None:
    is_private, said = of_this_app(), caller_names.current.get()
    if said is not None and (said.names(path) or (has_scheme(path) and said.has_said(path))):
        raise gr.Error(NOT_AT_YOUR_WORD, print_exception=False)
    if is_private is not None and not _is_of_a_library(path) and _is_private(is_private, path):
        raise gr.Error(NOT_TO_SHOW, print_exception=False)


def _is_of_a_library(path: str) -> bool:
    """Return whether the path is one by which libraries look at the machine, and no link leads to or from it."""
    real = os.path.realpath(path)
    if _OF_A_PROCESS.fullmatch(path):
        return _OF_A_PROCESS.fullmatch(real) is not None
    return path.startswith(_OF_LIBRARIES) and real.startswith(_OF_LIBRARIES)


def _is_private(is_private: IsPrivate, path: str) -> bool:
    try:
        return is_private(path)
    except (OSError, ValueError):
        return False  # No file has such a path.


@cache
def watch_reading() -> None:
    """Install the audit hook once per process; it cannot be removed."""
    sys.addaudithook(_must_be_to_open)
