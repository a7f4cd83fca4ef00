"""Limit ffmpeg and ffprobe when Gradio or pydub starts them.

Each gets a limited command, no standard input, limits of time and memory, and a low priority. It waits for its turn, and
ends with its event and with the service. What it writes is limited too, and does not go to the log. Programs that an
author's own code starts are not changed.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from inspect import signature
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from types import FrameType
from typing import Any, Final
from weakref import WeakSet, ref

import gradio as gr

from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire import media_outputs, media_turns
from entrypoints.ui.wire.media_commands import is_of_media, is_probe, limited

if sys.platform == "linux":
    import resource

CPU_SECONDS: Final = 600
"""CPU time after which a program is killed."""
PROBE_SECONDS: Final = 20
"""CPU time after which an ffprobe is killed: it reads the description of a file only."""
SECONDS: Final = 1800
"""Time after which a program is killed whose end the service waits for."""
MEMORY: Final = 3 * 1024 * 1024 * 1024
"""Bytes of address space of one program: converting a video of 3840 by 2160 pixels takes 2.1 GB of it."""
NICENESS: Final = 10
"""The service itself has 0. A higher number is a lower priority."""

TOO_SLOW: Final = (
    f"The sound or video took longer than {SECONDS // 60} minutes. Send a shorter one."
)

_STARTERS: Final = frozenset({"gradio", "pydub"})
_BETWEEN: Final = frozenset({"subprocess", "asyncio", "psutil"})
"""Packages between the code that starts a program and the system."""
_running: Final[WeakSet[Popen[Any]]] = WeakSet()


def _starter() -> str:
    """Return the package whose code starts the program."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- What the standard library offers.
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _BETWEEN and not __name__.startswith(f"{package}."):
            return package
        frame = frame.f_back
    return ""


def _starting(start: Callable[..., None]) -> Callable[..., None]:
    parameters = signature(start)

    def __init__(self: Any, args: Any, *more: Any, **options: Any) -> None:  # noqa: N807 -- The original's name.
        if not is_of_media(args) or _starter() not in _STARTERS:
            start(self, args, *more, **options)
            return
        given = parameters.bind(self, args, *more, **options).arguments
        given["args"] = limited([os.fspath(part) for part in args])
        is_fed = given.get("stdin") == given.get("stdout") == PIPE and given.get("stderr") is None
        _redirect(given, is_fed=is_fed)
        turn = _turn(is_encoder=is_fed)
        try:
            start(**given)
        except BaseException:
            if turn is not None:
                turn.end()
            raise
        _limit(self.pid, PROBE_SECONDS if is_probe(given["args"]) else CPU_SECONDS)
        _running.add(self)
        if turn is not None:
            turn.begin(self)
        # Not the bound method: a cycle would keep each decoded sound in memory until the next garbage collection.
        self.communicate = partial(_communicate, ref(self))

    return __init__


def _redirect(given: dict[str, Any], *, is_fed: bool) -> None:
    """Redirect what would be the service's own input, output or log. A program that is fed piece by piece runs beside the
    service, which reads no errors of it; the others are waited for."""
    if given.get("stdin") is None:
        given["stdin"] = DEVNULL
    if given.get("stdout") is None:
        given["stdout"] = DEVNULL
    if given.get("stderr") is None:
        given["stderr"] = DEVNULL if is_fed else PIPE


def _turn(*, is_encoder: bool) -> media_turns.Turn | None:
    """Return the turn of a program of the current event, as soon as it may start. Raises gr.Error."""
    programs = media_turns.current.get()
    if programs is None:
        return None
    return media_turns.turn_of_encoder(programs) if is_encoder else media_turns.turn(programs)


def _communicate(
    process: "ref[Popen[Any]]",
    input: Any = None,  # noqa: A002 -- The original's name.
    timeout: float | None = None,
) -> Any:
    running: Any = process()  # The caller has it.
    try:
        return media_outputs.communicate(running, input, SECONDS if timeout is None else timeout)
    except TimeoutExpired:
        if timeout is not None:
            raise
        raise gr.Error(TOO_SLOW, print_exception=False) from None


def _limit(pid: int, seconds: int) -> None:
    if sys.platform == "linux":
        with suppress(ProcessLookupError):  # It has ended already.
            resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 -- Only their numbers.
                os.setpriority(os.PRIO_PROCESS, int(thread), NICENESS)


def end_running() -> None:
    """Kill the programs that still run, unless another service in this process may use them. A thread that waits for one
    would keep the process from ending."""
    if STARTING.is_used:
        return
    media_turns.end_all()
    for process in list(_running):
        if process.poll() is None:
            process.kill()


STARTING: Final = Replacement(owner=Popen, name="__init__", by=_starting)
