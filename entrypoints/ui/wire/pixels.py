"""Limit the pixels of images that are decoded for a caller. Refuse larger images, and PostScript, before anything is
decoded.

Pillow itself only warns up to 179 million pixels, which take about 700 MB of memory per image. We replace Pillow's own
check, because it sees the size of every image, frame and page before it is decoded. The limit applies while Gradio
reads inputs and writes outputs for a caller; elsewhere, an author's own code has Pillow's rule.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from time import monotonic, sleep
from typing import Any, Final

import structlog
from gradio.block_function import BlockFunction
from PIL import (
    EpsImagePlugin,
    Image,
    ImageFile,
    ImageSequence,
    Jpeg2KImagePlugin,
    TiffImagePlugin,
)
from starlette.requests import Request

from domain.model.caller import SignedIn
from domain.model.user import UserId
from entrypoints.access import SIGNED_IN
from entrypoints.ui.calls.steps import Convert, Event, Output, Run, Step
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire.pixel_counts import NOT_DRAWN, ImageRefused, Pixels, counted_for, of_event

PILLOWS: Final = 1024 * 1024 * 1024 // 4 // 3
"""`Image.MAX_IMAGE_PIXELS` if no author has changed it."""

log = structlog.get_logger()


class BoundedPixels(Step):
    """Refuses images of more than `limit` pixels in inputs and outputs of the app's callers."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        if Image.MAX_IMAGE_PIXELS is None:
            log.warning(
                "images have no pixel limit: the app or a library has set PIL.Image.MAX_IMAGE_PIXELS to None"
            )

    async def run(self, event: Event, rest: Run) -> Output:
        token = _has_caller.set(event.request is not None)
        try:
            with counted_for(_account_of(event)):
                return await rest(event)
        finally:
            _has_caller.reset(token)

    async def read(self, fn: BlockFunction, inputs: list[Any], rest: Convert) -> list[Any]:  # noqa: ARG002 -- As in Step.
        with _counted(self._limit):
            return await rest(inputs)

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:  # noqa: ARG002 -- As in Step.
        with _counted(self._limit):
            return await rest(outputs)


_has_caller: Final[ContextVar[bool]] = ContextVar("has_caller", default=False)
"""False while Gradio runs an author's examples by itself."""
_counting: Final[ContextVar[Pixels | None]] = ContextVar("pixels", default=None)


def _account_of(event: Event) -> UserId | None:
    """Return the caller's account, or None for a batch, in which the samples of several callers run together."""
    http = getattr(event.request, "request", None)
    signed_in: SignedIn | None = (
        http.scope["state"].get(SIGNED_IN) if isinstance(http, Request) else None
    )
    return None if signed_in is None else signed_in.user.id


@contextmanager
def _counted(limit: int) -> Iterator[None]:
    """Count the pixels that are opened inside the block. Raises gr.Error at its end if one was refused."""
    most = _most(limit) if _has_caller.get() else None
    pixels = None if most is None else Pixels(most, of_event.get())
    token = _counting.set(pixels)
    try:
        yield
    finally:
        _counting.reset(token)
        if pixels is not None:
            pixels.must_not_be_refused()


def _most(limit: int) -> int | None:
    """Return the higher one of our limit and the author's, or None if the author has switched Pillow's limit off."""
    authors = Image.MAX_IMAGE_PIXELS
    if authors is None:
        return None
    return limit if authors == PILLOWS else max(limit, authors)


def _checking(original: Callable[..., None]) -> Callable[..., None]:
    def _decompression_bomb_check(size: tuple[int, int]) -> None:
        pixels = _counting.get()
        if pixels is not None:
            pixels.must_have_room_for(size)
        if pixels is None or Image.MAX_IMAGE_PIXELS != PILLOWS:
            original(size)

    return _decompression_bomb_check


def _opening(original: Callable[..., Image.Image]) -> Callable[..., Image.Image]:
    def open(*args: Any, **kwargs: Any) -> Image.Image:  # noqa: A001 -- The original's name.
        image, pixels = original(*args, **kwargs), _counting.get()
        if pixels is not None:
            try:
                pixels.open(image)
            except Image.DecompressionBombError:
                image.close()
                raise
        return image

    return open


def _turning(original: Any) -> Any:
    class Iterator(original):  # type: ignore[misc]
        """Iterates over the frames of an image, and counts each frame that is read from a file."""

        def __getitem__(self, number: int) -> Any:
            return self._counted(super().__getitem__(number))

        def __next__(self) -> Any:
            return self._counted(super().__next__())

        def _counted(self, frame: Any) -> Any:
            pixels = _counting.get()
            is_read = isinstance(frame, ImageFile.ImageFile) and frame.tell() > 0
            if pixels is not None and is_read:  # The first frame was counted when it was opened.
                pixels.open(frame)
            return frame

    return Iterator


def _turning_page(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def _setup(self: TiffImagePlugin.TiffImageFile) -> None:
        pixels = _counting.get()
        if pixels is not None:
            pixels.must_have_room_for_page(self)
        original(self)

    return _setup


def _drawing(original: Callable[..., Any]) -> Callable[..., Any]:
    def Ghostscript(*args: Any, **kwargs: Any) -> Any:  # noqa: N802 -- The original's name.
        # Also for the app's own code: a caller may have sent the file under the name of a PNG.
        if not _has_caller.get():
            return original(*args, **kwargs)
        error, pixels = ImageRefused(NOT_DRAWN), _counting.get()
        if pixels is not None:
            pixels.refuse(error)
        raise error

    return Ghostscript


def _opening_jpeg_2000(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def _open(self: Jpeg2KImagePlugin.Jpeg2KImageFile) -> None:
        original(self)
        pixels = _counting.get()
        if pixels is not None:
            pixels.open_jpeg_2000(self.size, _length_of(self))

    return _open


def _length_of(image: ImageFile.ImageFile) -> int:
    """Return the bytes of the file or of the part of a file that holds the image."""
    file = image.fp
    assert file is not None  # noqa: S101 -- Pillow has just read the header from it.
    before = file.tell()
    try:
        return file.seek(0, os.SEEK_END)
    finally:
        file.seek(before)


def _loading_jpeg_2000(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def load(self: Jpeg2KImagePlugin.Jpeg2KImageFile) -> Any:
        if not self.tile:  # It is decoded already.
            return original(self)
        with _one_jpeg_2000:
            began = monotonic()
            try:
                return original(self)
            finally:
                sleep(monotonic() - began)

    return load


_one_jpeg_2000: Final = RLock()
"""Held while a JPEG 2000 is decoded, and as long again, so that other threads run between two of them."""

CHECKING: Final = Replacement(owner=Image, name="_decompression_bomb_check", by=_checking)
OPENING: Final = Replacement(owner=Image, name="open", by=_opening)
TURNING: Final = Replacement(owner=ImageSequence, name="Iterator", by=_turning)
PAGES: Final = Replacement(owner=TiffImagePlugin.TiffImageFile, name="_setup", by=_turning_page)
"""Each page of a TIFF passes here when it becomes the current one."""
JPEGS_2000: Final = Replacement(
    owner=Jpeg2KImagePlugin.Jpeg2KImageFile, name="_open", by=_opening_jpeg_2000
)
"""All JPEGs 2000 pass here, also those within an ICNS, which `Image.open` does not see."""
LOADING: Final = Replacement(
    owner=Jpeg2KImagePlugin.Jpeg2KImageFile, name="load", by=_loading_jpeg_2000
)
DRAWING: Final = Replacement(owner=EpsImagePlugin, name="Ghostscript", by=_drawing)
"""The only program that Pillow starts to read an image. PostScript is itself a program: it reads other files, and may take
all memory and run for ever."""
