"""Replace Gradio's functions for files while a service is mounted.

Gradio moves, copies and downloads every object with its file marker, in values of every component, and it shows any
file of the working directory and the temporary folder. No setting changes that.
"""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import gradio as gr
import safehttpx  # type: ignore[import-untyped]
import structlog
from gradio import processing_utils, utils
from gradio.blocks import Block
from gradio.component_meta import ComponentMeta
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError

from entrypoints.ui.files import caller_names, public_addresses
from entrypoints.ui.files.named_files import (
    hands_json_on,
    has_scheme,
    in_a_list,
    opened_to_show,
    played,
    read_to_show,
)
from entrypoints.ui.files.words import is_special
from entrypoints.ui.limits import LONGEST_PATH
from entrypoints.ui.replacement import Replacement

IsPrivate = Callable[[str], bool]

_private: Final[WeakKeyDictionary[gr.Blocks, IsPrivate]] = WeakKeyDictionary()
"""For each mounted app, a function that returns whether the app may not show a file."""
NOT_TO_SHOW: Final = "Apps may not show this file."
NOT_AT_YOUR_WORD: Final = (
    "The app may not open a file or address only because you have named it. Upload the file instead. "
    "The app's author can allow a folder with allowed_paths."
)

OUT_OF_REACH: Final = (
    "The app may show files of its working directory and of the temporary folder only. "
    "The app's author can allow a folder with allowed_paths."
)

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
_COMPRESSED: Final = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")

log = structlog.get_logger()


def keep_from_showing(demo: gr.Blocks, is_private: IsPrivate) -> None:
    """Stop the app from showing private files, both as copies in Gradio's folder and by their content."""
    _private[demo] = is_private


def let_show(demo: gr.Blocks) -> None:
    """Undo `keep_from_showing`."""
    _private.pop(demo, None)


def _must_be_to_show(path: str, *, may_be_an_address: bool) -> None:
    """Raises gr.Error if the app whose event runs may not show the file."""
    is_private = _of_this_app()
    if is_private is None:
        return
    is_address = has_scheme(path) and not may_be_an_address
    if is_address or len(path) > LONGEST_PATH or is_private(path) or is_special(path):
        raise gr.Error(NOT_TO_SHOW, print_exception=False)
    _must_not_be_said(path)


def _must_not_unpack(block: Block, path: str) -> None:
    """Raises gr.Error for a compressed file of a user, which pandas would unpack: a kilobyte may become a gigabyte."""
    is_compressed = path.lower().endswith(_COMPRESSED)
    is_of_a_user = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(block.GRADIO_CACHE))
    if is_compressed and is_of_a_user:
        raise gr.Error("Unpack this file first: it is compressed.", print_exception=False)


def _must_be_playable(path: str) -> None:
    """Raises gr.Error for anything but a file that the app may show, and an http address, which Gradio downloads
    itself. `cache:/a.mov`, `concat:…` and `frame%d.png` are no files, but ffmpeg would open some."""
    # ffmpeg also takes `http:host/x`, which Gradio does not download.
    if path.startswith(("http://", "https://")) or _of_this_app() is None:
        return
    if not Path(path).is_file():
        raise gr.Error(NOT_TO_SHOW, print_exception=False)
    _must_be_to_show(path, may_be_an_address=False)
    _must_be_in_reach(path)


def _must_be_in_reach(path: str) -> None:
    """Raises gr.Error for a file that Gradio would not copy: one outside the working directory, the temporary folder and
    the author's `allowed_paths`. Gradio does not ask before it reads a file itself."""
    if _of_this_app() is None:
        return
    try:
        processing_utils._check_allowed(path, check_in_upload_folder=False)  # noqa: SLF001 -- Gradio has no public way.
    except InvalidPathError:
        log.warning("output refused: the file is out of the app's reach", path=path)
        raise gr.Error(OUT_OF_REACH, print_exception=False) from None


def _of_this_app() -> IsPrivate | None:
    """Return the function that tells private files from others, or None outside events of a mounted app."""
    demo = LocalContext.blocks.get(None)
    return None if demo is None else _private.get(demo)


def _must_not_be_said(path: str) -> None:
    """Raises gr.Error if the caller has named the path or address in text, and the app has not."""
    said = caller_names.current.get()
    if said is not None and said.names(path):
        log.warning("output refused: the caller has named the file, and the app has not", path=path)
        raise gr.Error(NOT_AT_YOUR_WORD, print_exception=False)
    if said is not None:
        said.note_opened(path)


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
    is_private, said = _of_this_app(), caller_names.current.get()
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


def _showing(postprocess: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(postprocess)
    def checked(self: Any, value: Any) -> Any:
        path = read_to_show(self, value)
        if path is not None:
            _must_be_to_show(path, may_be_an_address=False)  # Gradio would download an address.
            _must_be_in_reach(path)
            _must_not_unpack(self, path)
        value = in_a_list(self, value)
        for path in opened_to_show(self, value):
            _must_not_be_said(path)
            if os.path.isfile(path):  # noqa: PTH113 -- A path may be no path at all.
                _must_be_in_reach(path)
        for path in played(self, value):
            _must_be_playable(path)
        return postprocess(self, value)

    return checked


def _constructing(construct: Callable[..., Any]) -> Callable[..., Any]:
    """An app that builds components in an event, by gr.render or as an update, opens files in their constructors."""

    def __call__(cls: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 -- Python's name.
        if _of_this_app() is None:
            return construct(cls, *args, **kwargs)
        with reading_guarded():
            return construct(cls, *args, **kwargs)

    return __call__


def _copying(save: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    def save_file_to_cache(file_path: Any, cache_dir: str) -> str:
        # Here, Gradio treats the text as a path, even if it looks like an address.
        _must_be_to_show(str(file_path), may_be_an_address=True)
        return save(file_path, cache_dir)

    return save_file_to_cache


def _allowing(check: Callable[..., None]) -> Callable[..., None]:
    def _check_allowed(path: str | Path, check_in_upload_folder: bool) -> None:  # noqa: FBT001 -- Gradio's signature.
        # Gradio refuses names with a leading dot below the working directory. Usually, its own folder with the uploads
        # also lies there, so let it check the uploaded file's folder instead, which is named after the content.
        is_kept = utils.is_in_or_equal(path, utils.get_upload_folder())
        check(utils.abspath(path).parent if is_kept else path, check_in_upload_folder)

    return _check_allowed


def _moving(move: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def async_move_files_to_cache(data: Any, block: Block, *args: Any, **kwargs: Any) -> Any:
        # In plain JSON, an object that looks like a file may come from the caller: do not download, copy or move it.
        if hands_json_on(block):
            return data
        return await move(data, block, *args, **kwargs)

    return async_move_files_to_cache


def _fetching(fetch: Callable[[str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
    async def async_ssrf_protected_get(url: str) -> Any:
        _must_not_be_said(url)
        return await fetch(url)

    return async_ssrf_protected_get


COPYING: Final = Replacement(owner=processing_utils, name="save_file_to_cache", by=_copying)
ALLOWING: Final = Replacement(owner=processing_utils, name="_check_allowed", by=_allowing)
MOVING: Final = Replacement(owner=processing_utils, name="async_move_files_to_cache", by=_moving)
PUBLIC: Final = Replacement(
    owner=safehttpx, name="is_public_ip", by=lambda _: public_addresses.is_public
)
FETCHING: Final = Replacement(owner=processing_utils, name="async_ssrf_protected_get", by=_fetching)
"""All of Gradio's downloads call this function, also those of synchronous code, in a copy of the context."""
CONSTRUCTING: Final = Replacement(owner=ComponentMeta, name="__call__", by=_constructing)
TABLES: Final = Replacement(owner=gr.Dataframe, name="postprocess", by=_showing)
LABELS: Final = Replacement(owner=gr.Label, name="postprocess", by=_showing)
SOUNDS: Final = Replacement(owner=gr.Audio, name="postprocess", by=_showing)
VIDEOS: Final = Replacement(owner=gr.Video, name="postprocess", by=_showing)
PICTURES: Final = Replacement(owner=gr.AnnotatedImage, name="postprocess", by=_showing)
IMAGES: Final = Replacement(owner=gr.Image, name="postprocess", by=_showing)
GALLERIES: Final = Replacement(owner=gr.Gallery, name="postprocess", by=_showing)
SLIDERS: Final = Replacement(owner=gr.ImageSlider, name="postprocess", by=_showing)
