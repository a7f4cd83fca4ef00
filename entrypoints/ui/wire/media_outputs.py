"""Read what ffmpeg and ffprobe write, up to a limit, and refuse or clean what a user's file made of it.

A file's title may be as long as the file. ffprobe writes it twice, and pydub runs a regular expression over it whose
time grows with the square of the spaces in a row, while no other thread runs.
"""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOBase
from threading import Thread
from time import monotonic, sleep
from typing import Any, Final

import gradio as gr

from entrypoints.ui.wire import media_commands
from entrypoints.ui.wire.media_commands import PIXELS, SOUND_BYTES, is_probe

DESCRIPTION: Final = 1024 * 1024
"""Bytes that ffprobe may write about one file, and as many on standard error."""

NOT_PLAYED: Final = (
    "This file is no sound or video of a known format, or it names other files, as a playlist does."
)
TOO_LONG: Final = (
    f"The sound is longer than {SOUND_BYTES // 1024 // 1024} MB once it is decoded. Send a shorter "
    "one. The app's author can take the file as it is, with type='filepath'."
)
TOO_MUCH_TEXT: Final = "The title and the other texts in this sound or video are too long. Remove them and send it again."
TOO_LARGE: Final = f"The pictures of this video are larger than {PIXELS // 1_000_000} million pixels. Send a smaller one."
NOTHING_IN_IT: Final = (
    "This file lacks the sound or the picture that is needed here. Send another one."
)

_PIECE: Final = 64 * 1024
_SMALL: Final = 4096
"""Bytes of a piece after which the reader lets more arrive: ffprobe writes some texts in single bytes."""
_PAUSE: Final = 0.005
"""Seconds."""
_LARGE: Final = 8 * 1024 * 1024
"""Bytes of an output above which its memory is given back."""
_ERRORS: Final = 64 * 1024
"""Bytes of ffmpeg's errors that are read; it writes on."""
_SHOWN: Final = 2_000
"""Bytes of ffmpeg's errors that Gradio gets, which may print them."""
_LONGEST_LINE: Final = 200
"""Bytes of a line of ffprobe without a value, in formats other than JSON."""
_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

_REFUSED: Final = b"not on whitelist"
_SENTENCES: Final = (
    (b"exceeds specified max pixel count", TOO_LARGE),
    (b"does not contain any stream", NOTHING_IN_IT),
)
"""What ffmpeg writes when it fails, and what the user is told."""

_SPACES: Final = re.compile(rb" {9,}")
_UNPRINTABLE: Final = re.compile(rb"[^\x20-\x7e]+")


class _Reader(Thread):
    """Reads one pipe to its end, and keeps as much as the limit and one piece more."""

    def __init__(self, pipe: Any, limit: int, when_full: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._limit = limit
        self._when_full = when_full
        self._pieces: list[bytes] = []
        self._size = 0

    def run(self) -> None:
        with suppress(OSError, ValueError), self._pipe:
            while piece := os.read(self._pipe.fileno(), _PIECE):
                if not self.is_full:
                    self._pieces.append(piece)
                    self._size += len(piece)
                    if self.is_full:
                        self._when_full()
                if len(piece) < _SMALL:
                    sleep(_PAUSE)

    @property
    def is_full(self) -> bool:
        return self._size > self._limit

    def content(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


def communicate(process: Any, sent: bytes | None, timeout: float) -> tuple[Any, Any]:
    """Do what `Popen.communicate` does, up to a limit of bytes. Raises subprocess.TimeoutExpired, after it has killed
    the process, and gr.Error."""
    command, limit = process.args, media_commands.SOUND_BYTES
    if any(isinstance(pipe, TextIOBase) for pipe in (process.stdout, process.stderr)):
        return subprocess.Popen.communicate(process, sent, timeout)
    if is_probe(command):
        readers = [_reader(pipe, DESCRIPTION, process.kill) for pipe in _outputs_of(process)]
    else:
        limits = ((limit, process.kill), (_ERRORS, _go_on))
        readers = [
            _reader(pipe, *each) for pipe, each in zip(_outputs_of(process), limits, strict=True)
        ]
    _wait(process, readers, sent, timeout)
    is_full = [reader is not None and reader.is_full for reader in readers]
    out, err = [None if reader is None else reader.content() for reader in readers]
    if out is not None and len(out) > _LARGE and _trim is not None:
        # The pieces were allocated in this thread's arena, and glibc keeps them there when they are free.
        _trim(0)
    if is_probe(command) and (any(is_full) or process.returncode < 0):
        raise gr.Error(TOO_MUCH_TEXT, title="Too much text", print_exception=False)
    if is_full[0]:
        raise gr.Error(TOO_LONG, title="Sound too long", print_exception=False)
    _must_be_read(process, err or b"")
    return _described(command, out), _cleaned(command, err)


def _go_on() -> None:
    """Let a program go on whose further output is dropped."""


def _outputs_of(process: Any) -> tuple[Any, Any]:
    return process.stdout, process.stderr


def _reader(pipe: Any, limit: int, when_full: Callable[[], None]) -> _Reader | None:
    if pipe is None:
        return None
    reader = _Reader(pipe, limit, when_full)
    reader.start()
    return reader


def _wait(process: Any, readers: list[_Reader | None], sent: bytes | None, timeout: float) -> None:
    """Send the input and wait for the end of all outputs and of the process."""
    ends = monotonic() + timeout
    threads: list[Thread] = [reader for reader in readers if reader is not None]
    if process.stdin is not None:
        writer = Thread(target=_write, args=(process.stdin, sent), daemon=True)
        writer.start()
        threads.append(writer)
    for thread in threads:
        thread.join(max(0, ends - monotonic()))
    try:
        process.wait(max(0.1, ends - monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for thread in threads:  # They close the pipes.
            thread.join(1)
        raise


def _write(pipe: Any, sent: bytes | None) -> None:
    with suppress(OSError, ValueError), pipe:
        if sent:
            pipe.write(sent)


def _must_be_read(process: Any, err: bytes) -> None:
    """Raises gr.Error if the errors have a reason that a user understands."""
    if _REFUSED in err:
        raise gr.Error(NOT_PLAYED, print_exception=False)
    if process.returncode == 0 or is_probe(process.args):
        return  # Another stream was read, such as the sound of a file with a large picture.
    for error, sentence in _SENTENCES:
        if error in err:
            raise gr.Error(sentence, print_exception=False)


def _described(command: list[str], out: bytes | None) -> bytes | None:
    """Return the output without long lines that have no value. `pydub.utils.mediainfo` takes a time for each that grows
    with the square of its length."""
    if out is None or not is_probe(command) or "json" in command:
        return out
    return b"\n".join(
        line for line in out.split(b"\n") if len(line) <= _LONGEST_LINE or b"=" in line
    )


def _cleaned(command: list[str], err: bytes | None) -> bytes | None:
    if err is None:
        return None
    if is_probe(command):
        return _SPACES.sub(b" " * 8, err)
    return _UNPRINTABLE.sub(b" ", err[:_SHOWN])
