"""Count the pixels that an event, and all running events of an account, have opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NoReturn
from weakref import WeakValueDictionary

import gradio as gr
from PIL import Image, TiffImagePlugin

from domain.model.user import UserId
from entrypoints.ui.wire.tiff_directories import DamagedDirectory, tile_of

JPEG_2000_PIXELS: Final = 500_000
JPEG_2000_BYTES: Final = 100_000
"""Pixels and bytes of JPEG 2000, each as slow as the largest image may be: 0.15 seconds of CPU time, in which no other
thread runs. A pixel takes up to 0.3 microseconds, a byte up to 1.4."""
TOGETHER: Final = 2
"""Pixels that one event may open in total, in images of the maximum size."""
SLOW_FORMAT: Final = 20
"""How many pixels one pixel counts as in a format that Pillow decodes in Python, such as QOI: one takes up to 1.5
microseconds."""
NOT_DRAWN: Final = (
    "This image is PostScript (EPS), whatever its name says. Save it as PNG, and send that."
)


class TooManyPixels(gr.Error):
    def __init__(self, text: str) -> None:
        super().__init__(text, title="Image too large", print_exception=False)


class ImageRefused(gr.Error):
    def __init__(self, text: str) -> None:
        super().__init__(text, title="Image refused", print_exception=False)


@dataclass(slots=True)
class Pixels:
    """The pixels that one conversion of inputs or outputs has opened, and its limit."""

    most: int
    of_event: "OfEvent | None" = None
    """What the event holds of its account's room. None if it has no caller, or several."""
    opened: int = 0
    refusal: gr.Error | None = None

    def must_have_room_for(self, size: tuple[int, int]) -> None:
        """Check one image that is not decoded yet. Raises DecompressionBombError."""
        pixels = _pixels_of(size)
        if pixels > self.most:
            self._refuse(
                f"An image has {pixels:,} pixels; the limit is {self.most:,}. Make it smaller."
            )

    def open(self, image: Image.Image) -> None:
        """Count one image. Raises DecompressionBombError."""
        pixels = _cost_of(image)
        if pixels > self.most:
            self._refuse(
                f"A {image.format} image takes as much as {pixels:,} pixels of another one; the limit is {self.most:,}. "
                "Make it smaller, or save it as PNG."
            )
        self._add(pixels)

    def must_have_room_for_page(self, page: TiffImagePlugin.TiffImageFile) -> None:
        """Check a page of a TIFF. Raises DecompressionBombError."""
        try:
            self.must_have_room_for(tile_of(page))
        except DamagedDirectory:
            self.refuse(ImageRefused("This TIFF is damaged: save it anew, or as PNG."))

    def open_jpeg_2000(self, size: tuple[int, int], length: int) -> None:
        """Count one JPEG 2000, alone or within another file, by the time that decoding it takes. Raises
        DecompressionBombError."""
        share = _pixels_of(size) / JPEG_2000_PIXELS + length / JPEG_2000_BYTES
        if share > 1:
            self._refuse(
                f"A JPEG 2000 image of {_pixels_of(size):,} pixels and {length:,} bytes takes too long. "
                "Save it as PNG or JPEG, or make it smaller."
            )
        self._add(int(share * self.most))

    def _add(self, pixels: int) -> None:
        self.opened += pixels
        most = self.most * TOGETHER
        if self.opened > most:
            self._refuse(
                f"The images have more than {most:,} pixels together. Send fewer or smaller images."
            )
        if self.of_event is not None and not self.of_event.take(pixels, most=most):
            self._refuse(
                f"The images of your running events have more than {most:,} pixels together. "
                "Wait until one of them has finished."
            )

    def refuse(self, error: gr.Error) -> NoReturn:
        # The error itself is a ValueError, after which Gradio tries another format.
        self.refusal = error
        raise Image.DecompressionBombError(error.message)

    def _refuse(self, text: str) -> NoReturn:
        self.refuse(TooManyPixels(text))

    def must_not_be_refused(self) -> None:
        """Raises gr.Error if an image was refused, even if Gradio has swallowed that error."""
        if self.refusal is not None:
            raise self.refusal


def _cost_of(image: Image.Image) -> int:
    """Return the pixels that decoding takes as much as. A tile of a TIFF may be larger than its image."""
    pixels = _pixels_of(image.size)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(pixels, _pixels_of(tile_of(image)))
    is_slow = any(tile[0] in Image.DECODERS for tile in getattr(image, "tile", ()))
    return pixels * SLOW_FORMAT if is_slow else pixels


def _pixels_of(size: tuple[int, int]) -> int:
    return max(1, size[0]) * max(1, size[1])


@dataclass(slots=True, weakref_slot=True)
class _OfAccount:
    """The pixels that the running events of one account have opened."""

    opened: int = 0
    change: Lock = field(default_factory=Lock)


@dataclass(slots=True)
class OfEvent:
    """The pixels that one event has opened. They count until it ends: the author's function may keep its images as long."""

    account: _OfAccount
    opened: int = 0

    def take(self, pixels: int, *, most: int) -> bool:
        """Return False, and take nothing, if the account would have opened more than `most`."""
        with self.account.change:
            if self.account.opened + pixels > most:
                return False
            self.account.opened += pixels
            self.opened += pixels
        return True

    def give_back(self) -> None:
        with self.account.change:
            self.account.opened -= self.opened
            self.opened = 0


_accounts: Final[WeakValueDictionary[UserId, _OfAccount]] = WeakValueDictionary()
"""The events of an account keep its entry."""
of_event: Final[ContextVar[OfEvent | None]] = ContextVar("pixels_of_event", default=None)


@contextmanager
def counted_for(user_id: UserId | None) -> Iterator[None]:
    """Count the pixels of the event inside the block for its account. None counts for nobody."""
    if user_id is None:
        yield
        return
    counts = OfEvent(_accounts.setdefault(user_id, _OfAccount()))
    token = of_event.set(counts)
    try:
        yield
    finally:
        of_event.reset(token)
        counts.give_back()
