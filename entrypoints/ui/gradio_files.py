"""Changes what Gradio does with files while a service is mounted.

Gradio moves, copies and fetches whatever carries its marker, in values of every component, and gives away any file of the
working directory and the temporary folder. It decides both in functions of its own, which no setting changes.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final
from weakref import WeakKeyDictionary

import gradio as gr
from gradio import processing_utils
from gradio.blocks import Block
from gradio.context import LocalContext

from entrypoints.ui.caps import LONGEST_PATH
from entrypoints.ui.named_files import hands_json_on, has_scheme, read_to_show
from entrypoints.ui.replacing import Replacement

IsPrivate = Callable[[str], bool]

_private: Final[WeakKeyDictionary[gr.Blocks, IsPrivate]] = WeakKeyDictionary()
"""Of each mounted app, what it may not show."""
NOT_TO_SHOW: Final = "This file is not for apps to show."


def keep_from_showing(demo: gr.Blocks, is_private: IsPrivate) -> None:
    """From now on the app shows none of these files, neither as a copy in Gradio's folder nor by what is in them."""
    _private[demo] = is_private


def let_show(demo: gr.Blocks) -> None:
    _private.pop(demo, None)


def _must_be_to_show(path: str, *, may_be_an_address: bool) -> None:
    """Raises gr.Error. The app is the one whose event runs."""
    demo = LocalContext.blocks.get(None)
    is_private = None if demo is None else _private.get(demo)
    if is_private is None:  # Not one of a mounted app.
        return
    is_address = has_scheme(path) and not may_be_an_address
    if is_address or len(path) > LONGEST_PATH or is_private(path):
        raise gr.Error(NOT_TO_SHOW, print_exception=False)


def _showing(postprocess: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(postprocess)
    def checked(self: Any, value: Any) -> Any:
        path = read_to_show(self, value)
        if path is not None:
            _must_be_to_show(path, may_be_an_address=False)  # It would be fetched.
        return postprocess(self, value)

    return checked


def _copying(save: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    def save_file_to_cache(file_path: Any, cache_dir: str) -> str:
        _must_be_to_show(str(file_path), may_be_an_address=True)  # To Gradio it is a path here.
        return save(file_path, cache_dir)

    return save_file_to_cache


def _moving(move: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def async_move_files_to_cache(data: Any, block: Block, *args: Any, **kwargs: Any) -> Any:
        # What looks like a file there may be somebody's own words: nothing of it is fetched, copied or moved.
        if hands_json_on(block):
            return data
        return await move(data, block, *args, **kwargs)

    return async_move_files_to_cache


COPYING: Final = Replacement(owner=processing_utils, name="save_file_to_cache", by=_copying)
MOVING: Final = Replacement(owner=processing_utils, name="async_move_files_to_cache", by=_moving)
TABLES: Final = Replacement(owner=gr.Dataframe, name="postprocess", by=_showing)
LABELS: Final = Replacement(owner=gr.Label, name="postprocess", by=_showing)
