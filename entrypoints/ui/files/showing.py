"""Refuse to show a file: one that is private, out of the app's reach, or that only the caller has named."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import gradio as gr
import structlog
from gradio import processing_utils
from gradio.blocks import Block
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError

from entrypoints.ui.files import caller_names
from entrypoints.ui.files.named_files import has_scheme
from entrypoints.ui.files.words import is_special
from entrypoints.ui.limits import LONGEST_PATH

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

_COMPRESSED: Final = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")

log = structlog.get_logger()


def keep_from_showing(demo: gr.Blocks, is_private: IsPrivate) -> None:
    """Stop the app from showing private files, both as copies in Gradio's folder and by their content."""
    _private[demo] = is_private


def let_show(demo: gr.Blocks) -> None:
    """Undo `keep_from_showing`."""
    _private.pop(demo, None)


def must_be_to_show(path: str, *, may_be_an_address: bool) -> None:
    """Raises gr.Error if the app whose event runs may not show the file."""
    is_private = of_this_app()
    if is_private is None:
        return
    is_address = has_scheme(path) and not may_be_an_address
    if is_address or len(path) > LONGEST_PATH or is_private(path) or is_special(path):
        raise gr.Error(NOT_TO_SHOW, print_exception=False)
    must_not_be_said(path)


def must_not_unpack(block: Block, path: str) -> None:
    """Raises gr.Error for a compressed file of a user, which pandas would unpack: a kilobyte may become a gigabyte."""
    is_compressed = path.lower().endswith(_COMPRESSED)
    is_of_a_user = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(block.GRADIO_CACHE))
    if is_compressed and is_of_a_user:
        raise gr.Error("Unpack this file first: it is compressed.", print_exception=False)


def must_be_playable(path: str) -> None:
    """Raises gr.Error for anything but a file that the app may show, and an http address, which Gradio downloads
    itself. `cache:/a.mov`, `concat:…` and `frame%d.png` are no files, but ffmpeg would open some."""
    # ffmpeg also takes `http:host/x`, which Gradio does not download.
    if path.startswith(("http://", "https://")) or of_this_app() is None:
        return
    if not Path(path).is_file():
        raise gr.Error(NOT_TO_SHOW, print_exception=False)
    must_be_to_show(path, may_be_an_address=False)
    must_be_in_reach(path)


def must_be_in_reach(path: str) -> None:
    """Raises gr.Error for a file that Gradio would not copy: one outside the working directory, the temporary folder and
    the author's `allowed_paths`. Gradio does not ask before it reads a file itself."""
    if of_this_app() is None:
        return
    try:
        processing_utils._check_allowed(path, check_in_upload_folder=False)  # noqa: SLF001 -- Gradio has no public way.
    except InvalidPathError:
        log.warning("output refused: the file is out of the app's reach", path=path)
        raise gr.Error(OUT_OF_REACH, print_exception=False) from None


def must_be_in_reach_or_written(path: str) -> None:
    """Raises gr.Error like must_be_in_reach, except for a file that the author has written into a component: when an
    event changes that component, Gradio makes it anew."""
    said = caller_names.current.get()
    if said is None or not said.is_written_by_author(path):
        must_be_in_reach(path)


def of_this_app() -> IsPrivate | None:
    """Return the function that tells private files from others, or None outside events of a mounted app."""
    demo = LocalContext.blocks.get(None)
    return None if demo is None else _private.get(demo)


def must_not_be_said(path: str) -> None:
    """Raises gr.Error if the caller has named the path or address in text, and the app has not."""
    said = caller_names.current.get()
    if said is not None and said.names(path):
        log.warning("output refused: the caller has named the file, and the app has not", path=path)
        raise gr.Error(NOT_AT_YOUR_WORD, print_exception=False)
    if said is not None:
        said.note_opened(path)
