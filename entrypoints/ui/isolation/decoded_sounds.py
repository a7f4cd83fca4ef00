"""Limit the sounds that Gradio has decoded for the running events of one account.

A file of 100 KB may be a sound of 120 MB. The limit of one sound is in `media_commands.py`. Pieces of streamed sounds are
decoded one at a time too, and are not kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any, Final
from weakref import WeakValueDictionary, finalize

import gradio as gr
from gradio import processing_utils
from gradio.components import audio
from pydub.exceptions import CouldntDecodeError  # type: ignore[import-untyped]

from domain.model.user import UserId
from entrypoints.ui import limits
from entrypoints.ui.files import caller_names
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire import media_turns
from entrypoints.ui.wire.media_outputs import NOT_PLAYED, NOTHING_IN_IT

_MB: Final = 1024 * 1024


@dataclass(slots=True, weakref_slot=True)
class _Sounds:
    """The decoded sounds of one account."""

    size: int = 0
    """Bytes of arrays that are still in use."""
    turn: Lock = field(default_factory=Lock)
    """Held while a sound is decoded, which takes four times its size."""
    change: RLock = field(default_factory=RLock)
    """Held while `size` changes. A garbage collection may release an array at any time, also in the same thread."""

    def keep(self, data: Any) -> None:
        """Count the array until nothing uses it. Raises gr.Error if there is no room for it."""
        array = data if data.base is None else data.base  # A part of the array keeps it alive.
        with self.change:
            self.must_have_room(array.nbytes)
            self.size += array.nbytes
        finalize(array, self._release, array.nbytes)

    def must_have_room(self, size: int) -> None:
        """Raises gr.Error if there is no room for so many bytes."""
        if self.size + size > limits.SOUNDS:
            raise gr.Error(
                f"The sounds of your running events take {self.size // _MB} MB of {limits.SOUNDS // _MB} once "
                "they are decoded. Wait until one of them has finished.",
                title="Too many sounds",
                print_exception=False,
            )

    def _release(self, size: int) -> None:
        with self.change:
            self.size -= size


_accounts: Final[WeakValueDictionary[UserId, _Sounds]] = WeakValueDictionary()
"""An array that is in use keeps its account's sounds here."""
_finding: Final = Lock()


def _of_caller() -> _Sounds | None:
    """Return the sounds of the account whose input or output is converted, or None if there is none."""
    caller = caller_names.current.get()
    if caller is None:
        return None
    with _finding:
        return _accounts.setdefault(caller.account, _Sounds())


@contextmanager
def _in_turn(sounds: _Sounds) -> Iterator[None]:
    with sounds.turn:
        if (programs := media_turns.current.get()) is not None:
            programs.must_go_on()  # The event may have been cancelled meanwhile.
        yield


@contextmanager
def _said() -> Iterator[None]:
    """Raise gr.Error where pydub cannot read the file inside the block."""
    try:
        yield
    except IndexError:  # It takes the first of no streams.
        raise gr.Error(NOTHING_IN_IT, print_exception=False) from None
    except CouldntDecodeError:
        raise gr.Error(NOT_PLAYED, print_exception=False) from None


def _decoding(original: Callable[..., Any]) -> Callable[..., Any]:
    def audio_from_file(*args: Any, **kwargs: Any) -> Any:
        sounds = _of_caller()
        if sounds is None:
            return original(*args, **kwargs)
        with _in_turn(sounds):
            with _said():
                rate, data = original(*args, **kwargs)
            sounds.keep(data)
        return rate, data

    return audio_from_file


def _decoding_piece(original: Callable[..., Any]) -> Callable[..., Any]:
    def decode_to_pcm(*args: Any, **kwargs: Any) -> Any:
        with _said():
            rate, channels, pcm = original(*args, **kwargs)
        if (sounds := _of_caller()) is not None:
            sounds.must_have_room(len(pcm))
        return rate, channels, pcm

    return decode_to_pcm


def _encoding_piece(original: Callable[..., Any]) -> Callable[..., Any]:
    def _encode_chunk(self: gr.Audio, *args: Any, **kwargs: Any) -> Any:
        sounds = _of_caller()
        if sounds is None:
            return original(self, *args, **kwargs)
        with _in_turn(sounds):  # The piece is in memory until the encoder has taken it.
            return original(self, *args, **kwargs)

    return _encode_chunk


DECODING: Final = Replacement(owner=processing_utils, name="audio_from_file", by=_decoding)
DECODING_PIECES: Final = Replacement(owner=audio, name="decode_to_pcm", by=_decoding_piece)
ENCODING_PIECES: Final = Replacement(owner=gr.Audio, name="_encode_chunk", by=_encoding_piece)
