"""Bounds the pixels of images that are decoded for a caller: as an error, and before anything is decoded.

Pillow itself only warns up to 179 million pixels, some 700 MB of memory each. Its own check is where every image passes
whose size is known and whose content is not, further frames and pages included. Outside of what Gradio reads and writes
for a caller, an author's own code has Pillow's rule.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import gradio as gr
import structlog
from PIL import Image, ImageFile, ImageSequence

from entrypoints.ui.replacing import Replacement

TOGETHER: Final = 2
"""Largest images' worth of pixels that one event may have opened."""
PILLOWS: Final = 1024 * 1024 * 1024 // 4 // 3
"""`Image.MAX_IMAGE_PIXELS` where no author has changed it."""

log = structlog.get_logger()


class TooManyPixels(gr.Error):
    def __init__(self, text: str) -> None:
        super().__init__(text, title="Image too large", print_exception=False)


@dataclass(slots=True)
class _Pixels:
    """What one event may have opened, and has."""

    most: int
    opened: int = 0
    refusal: str | None = None

    def must_have_room_for(self, size: tuple[int, int]) -> None:
        """One image, which is not yet decoded. Raises DecompressionBombError."""
        pixels = _pixels_of(size)
        if pixels > self.most:
            self._refuse(
                f"An image has {pixels:,} pixels, and may have {self.most:,}: make it smaller."
            )

    def open(self, size: tuple[int, int]) -> None:
        """Raises DecompressionBombError."""
        self.opened += _pixels_of(size)
        if self.opened > self.most * TOGETHER:
            self._refuse(
                f"The images have more than {self.most * TOGETHER:,} pixels together: send fewer, or smaller ones."
            )

    def _refuse(self, text: str) -> NoReturn:
        # A gr.Error is a ValueError, for which Gradio tries another format.
        self.refusal = text
        raise Image.DecompressionBombError(text)

    def must_not_be_too_many(self) -> None:
        """Raises TooManyPixels, whatever Gradio made of the refusal."""
        if self.refusal is not None:
            raise TooManyPixels(self.refusal)


def wrap(demo: gr.Blocks, *, limit: int) -> None:
    """What callers of the app send, and get, is read and written with at most `limit` pixels in an image."""
    if Image.MAX_IMAGE_PIXELS is None:
        log.warning(
            "images have no limit of pixels: the app, or a library, has set PIL.Image.MAX_IMAGE_PIXELS to None"
        )
    process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api
    preprocess: Callable[..., Awaitable[list[Any]]] = demo.preprocess_data
    postprocess: Callable[..., Awaitable[list[Any]]] = demo.postprocess_data

    async def process_api(*args: Any, request: Any = None, **kwargs: Any) -> dict[str, Any]:
        token = _has_caller.set(request is not None)
        try:
            return await process(*args, request=request, **kwargs)
        finally:
            _has_caller.reset(token)

    async def preprocess_data(*args: Any, **kwargs: Any) -> list[Any]:
        with _counted(limit):
            return await preprocess(*args, **kwargs)

    async def postprocess_data(*args: Any, **kwargs: Any) -> list[Any]:
        with _counted(limit):
            return await postprocess(*args, **kwargs)

    demo.process_api = process_api  # type: ignore[method-assign]
    demo.preprocess_data = preprocess_data  # type: ignore[method-assign]
    demo.postprocess_data = postprocess_data  # type: ignore[method-assign]


_has_caller: Final[ContextVar[bool]] = ContextVar("has_caller", default=False)
"""False while Gradio itself runs an author's examples."""
_counting: Final[ContextVar[_Pixels | None]] = ContextVar("pixels", default=None)


@contextmanager
def _counted(limit: int) -> Iterator[None]:
    """Raises TooManyPixels."""
    most = _most(limit) if _has_caller.get() else None
    pixels = None if most is None else _Pixels(most)
    token = _counting.set(pixels)
    try:
        yield
    finally:
        _counting.reset(token)
        if pixels is not None:
            pixels.must_not_be_too_many()


def _most(limit: int) -> int | None:
    """An author's own limit counts where it is higher; None where the author has none."""
    authors = Image.MAX_IMAGE_PIXELS
    if authors is None:
        return None
    return limit if authors == PILLOWS else max(limit, authors)


def _pixels_of(size: tuple[int, int]) -> int:
    return max(1, size[0]) * max(1, size[1])


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
                pixels.open(image.size)
            except Image.DecompressionBombError:
                image.close()
                raise
        return image

    return open


def _turning(original: Any) -> Any:
    class Iterator(original):  # type: ignore[misc]
        """Of the frames of an image: each that is read from a file counts."""

        def __getitem__(self, number: int) -> Any:
            return self._counted(super().__getitem__(number))

        def __next__(self) -> Any:
            return self._counted(super().__next__())

        def _counted(self, frame: Any) -> Any:
            pixels = _counting.get()
            is_read = isinstance(frame, ImageFile.ImageFile) and frame.tell() > 0
            if pixels is not None and is_read:  # The first frame was counted when it was opened.
                pixels.open(frame.size)
            return frame

    return Iterator


CHECKING: Final = Replacement(owner=Image, name="_decompression_bomb_check", by=_checking)
OPENING: Final = Replacement(owner=Image, name="open", by=_opening)
TURNING: Final = Replacement(owner=ImageSequence, name="Iterator", by=_turning)
