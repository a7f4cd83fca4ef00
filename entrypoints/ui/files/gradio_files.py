"""Replace Gradio's functions for files while a service is mounted.

Gradio moves, copies and downloads every object with its file marker, in values of every component, and it shows any
file of the working directory and the temporary folder. No setting changes that.
"""

import os
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import gradio as gr
import safehttpx  # type: ignore[import-untyped]
from gradio import processing_utils, utils
from gradio.blocks import Block
from gradio.component_meta import ComponentMeta
from gradio.data_classes import FileData
from gradio.helpers import Examples
from gradio_client.client import Endpoint  # type: ignore[import-untyped]

from entrypoints.ui.files import public_addresses
from entrypoints.ui.files.named_files import (
    drawn_on,
    hands_json_on,
    in_a_list,
    opened_to_show,
    played,
    read_to_show,
)
from entrypoints.ui.files.reading import reading_guarded
from entrypoints.ui.files.showing import (
    must_be_in_reach,
    must_be_in_reach_or_written,
    must_be_playable,
    must_be_to_show,
    must_not_be_said,
    must_not_unpack,
    of_this_app,
)
from entrypoints.ui.replacement import Replacement


def _showing(postprocess: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(postprocess)
    def checked(self: Any, value: Any) -> Any:
        path = read_to_show(self, value)
        if path is not None:
            must_be_to_show(path, may_be_an_address=False)  # Gradio would download an address.
            must_be_in_reach(path)
            must_not_unpack(self, path)
        value = in_a_list(self, value)
        for path in opened_to_show(self, value):
            must_not_be_said(path)
            if os.path.isfile(path):  # noqa: PTH113 -- A path may be no path at all.
                must_be_in_reach(path)
        for path in played(self, value):
            must_be_playable(path)
        for path in drawn_on(self):
            must_be_in_reach_or_written(path)
        return postprocess(self, value)

    return checked


def _constructing(construct: Callable[..., Any]) -> Callable[..., Any]:
    """An app that builds components or examples in an event, by gr.render or as an update, opens files in their
    constructors."""

    def __call__(made: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 -- Python's name.
        if of_this_app() is None:
            return construct(made, *args, **kwargs)
        with reading_guarded():
            return construct(made, *args, **kwargs)

    return __call__


def _subtitling_video(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def _format_subtitles(self: gr.Video, subtitle: Any) -> Any:
        _must_be_subtitles(subtitle)
        return read(self, subtitle)

    return _format_subtitles


def _subtitling_audio(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def _process_subtitle_file(self: gr.Audio, subtitle_file: Any) -> Any:
        _must_be_subtitles(subtitle_file)
        return read(self, subtitle_file)

    return _process_subtitle_file


def _must_be_subtitles(named: Any) -> None:
    """Gradio takes the text out of a file with subtitles, and does not ask whether the app may show that file."""
    if isinstance(named, str | Path):
        must_be_in_reach_or_written(str(named))


def _copying(save: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    def save_file_to_cache(file_path: Any, cache_dir: str) -> str:
        # Here, Gradio treats the text as a path, even if it looks like an address.
        must_be_to_show(str(file_path), may_be_an_address=True)
        return save(file_path, cache_dir)

    return save_file_to_cache


def _flagging(copy: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def _copy_to_dir(self: FileData, dir: str) -> Any:  # noqa: A002 -- Gradio's signature.
        """Flagging copies every object with a path in a value, and does not ask whether the app may show the file."""
        must_be_to_show(self.path, may_be_an_address=False)
        must_be_in_reach(self.path)
        return copy(self, dir)

    return _copy_to_dir


def _uploading(upload: Callable[[Any, dict[str, Any], int], Any]) -> Callable[..., Any]:
    def _upload_file(
        self: Any, f: dict[str, Any], data_index: int
    ) -> Any:  # Gradio calls it by these names.
        """An app of gr.load sends each object with the marker of a file to its Space, also one in plain JSON."""
        must_be_to_show(str(f.get("path", "")), may_be_an_address=True)
        return upload(self, f, data_index)

    return _upload_file


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
        must_not_be_said(url)
        return await fetch(url)

    return async_ssrf_protected_get


COPYING: Final = Replacement(owner=processing_utils, name="save_file_to_cache", by=_copying)
FLAGGING: Final = Replacement(owner=FileData, name="_copy_to_dir", by=_flagging)
UPLOADING: Final = Replacement(owner=Endpoint, name="_upload_file", by=_uploading)
ALLOWING: Final = Replacement(owner=processing_utils, name="_check_allowed", by=_allowing)
MOVING: Final = Replacement(owner=processing_utils, name="async_move_files_to_cache", by=_moving)
PUBLIC: Final = Replacement(
    owner=safehttpx, name="is_public_ip", by=lambda _: public_addresses.is_public
)
FETCHING: Final = Replacement(owner=processing_utils, name="async_ssrf_protected_get", by=_fetching)
"""All of Gradio's downloads call this function, also those of synchronous code, in a copy of the context."""
CONSTRUCTING: Final = Replacement(owner=ComponentMeta, name="__call__", by=_constructing)
EXAMPLES: Final = Replacement(owner=Examples, name="__init__", by=_constructing)
VIDEO_SUBTITLES: Final = Replacement(owner=gr.Video, name="_format_subtitles", by=_subtitling_video)
AUDIO_SUBTITLES: Final = Replacement(
    owner=gr.Audio, name="_process_subtitle_file", by=_subtitling_audio
)
TABLES: Final = Replacement(owner=gr.Dataframe, name="postprocess", by=_showing)
LABELS: Final = Replacement(owner=gr.Label, name="postprocess", by=_showing)
SOUNDS: Final = Replacement(owner=gr.Audio, name="postprocess", by=_showing)
VIDEOS: Final = Replacement(owner=gr.Video, name="postprocess", by=_showing)
PICTURES: Final = Replacement(owner=gr.AnnotatedImage, name="postprocess", by=_showing)
IMAGES: Final = Replacement(owner=gr.Image, name="postprocess", by=_showing)
GALLERIES: Final = Replacement(owner=gr.Gallery, name="postprocess", by=_showing)
SLIDERS: Final = Replacement(owner=gr.ImageSlider, name="postprocess", by=_showing)
