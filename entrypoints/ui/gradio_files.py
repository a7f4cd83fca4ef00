"""Changes what Gradio does with files, for the whole process and where an app asks for it.

Gradio moves, copies and fetches whatever carries its marker, in values of every component, and gives away any file of the
working directory and the temporary folder. Both are decided in functions of its own, which no setting changes.
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

IsPrivate = Callable[[str], bool]

_private: Final[WeakKeyDictionary[gr.Blocks, IsPrivate]] = WeakKeyDictionary()
"""Of each mounted app, what it may not show."""
NOT_TO_SHOW: Final = "This file is not for apps to show."
_OURS: Final = "_is_gradioapps"


def keep_from_showing(demo: gr.Blocks, is_private: IsPrivate) -> None:
    """From now on Gradio copies none of these files into its folder for the app."""
    _private[demo] = is_private
    if not hasattr(processing_utils.save_file_to_cache, _OURS):
        _replace()


def let_show(demo: gr.Blocks) -> None:
    _private.pop(demo, None)


def _replace() -> None:
    processing_utils.save_file_to_cache = _checked(processing_utils.save_file_to_cache)
    processing_utils.async_move_files_to_cache = _of_files_alone(  # type: ignore[assignment]
        processing_utils.async_move_files_to_cache
    )
    for kind in (gr.Dataframe, gr.Label):
        kind.postprocess = _not_of_private(kind.postprocess)  # type: ignore[assignment,method-assign]


def is_not_to_show(demo: gr.Blocks | None, path: str) -> bool:
    """Return whether the app may not read the file for an output; addresses would be fetched."""
    is_private = None if demo is None else _private.get(demo)
    if is_private is None:
        return False
    return has_scheme(path) or len(path) > LONGEST_PATH or is_private(path)


def _not_of_private(postprocess: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(postprocess)
    def checked(self: Any, value: Any) -> Any:
        path = read_to_show(self, value)
        if path is not None and is_not_to_show(LocalContext.blocks.get(None), path):
            raise gr.Error(NOT_TO_SHOW, print_exception=False)
        return postprocess(self, value)

    return checked


def _checked(save: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    def save_file_to_cache(file_path: Any, cache_dir: str) -> str:
        demo = LocalContext.blocks.get(None)
        is_private = None if demo is None else _private.get(demo)
        if is_private is not None and is_private(str(file_path)):
            raise gr.Error(NOT_TO_SHOW, print_exception=False)
        return save(file_path, cache_dir)

    setattr(save_file_to_cache, _OURS, True)
    return save_file_to_cache


def _of_files_alone(move: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def async_move_files_to_cache(data: Any, block: Block, *args: Any, **kwargs: Any) -> Any:
        # What looks like a file there may be somebody's own words: nothing of it is fetched, copied or moved.
        if hands_json_on(block):
            return data
        return await move(data, block, *args, **kwargs)

    return async_move_files_to_cache
