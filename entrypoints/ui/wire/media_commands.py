"""Add limits to the commands of ffmpeg and ffprobe.

ffmpeg looks at the content of a file, not at its name: an upload with the text of a playlist makes it open other files
and addresses, without end if the playlist says so. And a few kilobytes may decode to gigabytes of sound. So a command
gets a list of formats that name no other files, no protocol that connects, and limits of pixels, threads and sound.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

PIXELS: Final = 8192 * 4320
"""Pixels of one picture of a video that a program decodes."""
THREADS: Final = ("-threads", "2")
"""For each decoder and encoder. By default, there are as many as processors, and each takes memory."""
SOUND_BYTES: Final = 128 * 1024 * 1024
"""Bytes of one decoded sound: 12 minutes of a CD, 70 minutes of 16 kHz mono."""

FORMATS: Final = ",".join(
    (
        *("mov", "matroska", "webm", "avi", "flv", "asf", "mpeg", "mpegts", "mpegvideo", "m4v"),
        *("h264", "hevc", "av1", "obu", "ivf", "mxf", "dv", "gif", "mjpeg", "nut"),
        *("mp3", "wav", "w64", "flac", "ogg", "aac", "aiff", "au", "caf", "amr", "amrnb", "amrwb"),
        *("ac3", "eac3", "dts", "ape", "wv", "tta", "voc"),
    )
)
"""Names of ffmpeg's readers. None of them opens a second file, as those of playlists do."""
PROTOCOLS: Final = "file,pipe,fd"

_PROBES: Final = frozenset({"ffprobe", "avprobe"})
_PROGRAMS: Final = _PROBES | {"ffmpeg", "avconv"}
_SOUNDS: Final = frozenset({"wav", "s16le"})
_PIPES: Final = frozenset({"-", "pipe:1"})
_LEVELS: Final = frozenset({"-v", "-loglevel"})
_ERRORS_ONLY: Final = ("-hide_banner", "-nostats", "-loglevel", "error")
"""Otherwise ffmpeg writes the title of the file, which is a user's text. ffprobe writes it too, but pydub reads it."""


def is_of_media(command: Any) -> bool:
    """Return whether the command starts ffmpeg or ffprobe."""
    return (
        isinstance(command, list | tuple)
        and bool(command)
        and all(isinstance(part, str | os.PathLike) for part in command)
        and _name(os.fspath(command[0])) in _PROGRAMS
    )


def is_probe(command: Sequence[str]) -> bool:
    return _name(command[0]) in _PROBES


def limited(command: Sequence[str]) -> list[str]:
    """Return the command with the formats, protocols and pixels that each of its inputs may have, with a number of threads,
    and with a limit for the sound that it writes to a pipe. ffmpeg reports errors only."""
    if is_probe(command):
        return [command[0], *_allowed(command[-1], forced=None), *command[1:]]
    changed: list[str] = []
    forced: str | None = None
    for before, argument, after in zip(("", *command), command, (*command[1:], ""), strict=False):
        if argument in _LEVELS or before in _LEVELS:
            continue
        if before == "-f":
            forced = argument
        if argument == "-i":
            changed += _allowed(after, forced=forced)
            forced = None
        changed.append(argument)
    if forced in _SOUNDS and command[-1] in _PIPES:
        # One byte more than allowed shows that the sound is too long.
        changed[-1:-1] = ["-fs", str(SOUND_BYTES + 1)]
    if "-i" in command:
        changed[-1:-1] = THREADS
    changed[1:1] = _ERRORS_ONLY
    return changed


def _allowed(source: str, *, forced: str | None) -> Iterator[str]:
    """Yield the options of one input. `forced` is the format that the command itself names for it."""
    formats = FORMATS if forced is None else f"{FORMATS},{forced}"
    own = next((name for name in ("cache", "concat") if source.startswith(f"{name}:")), None)
    protocols = PROTOCOLS if own is None else f"{PROTOCOLS},{own}"
    yield from ("-format_whitelist", formats, "-protocol_whitelist", protocols)
    yield from ("-max_pixels", str(PIXELS), *THREADS)


def _name(program: str) -> str:
    return Path(program).name.removesuffix(".exe")
