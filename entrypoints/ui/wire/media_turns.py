"""Let ffmpeg and ffprobe wait for their turn, and end them when their event is cancelled.

A video of 150 KB keeps ffmpeg busy for minutes, with 350 MB of memory. The thread of a cancelled event cannot be
stopped: it waits for its program.
"""

import asyncio
import os
import select
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Final
from weakref import WeakSet, finalize

import gradio as gr
import structlog

from domain.errors import SessionEnded, StoreUnavailable
from domain.model.user import UserId
from entrypoints.access import RECOGNISE, SIGNED_IN
from entrypoints.ui import limits
from entrypoints.ui.calls.steps import Event, Output, Run, Step

BETWEEN_CHECKS: Final = 2.0
"""Seconds between two looks at the session of an event with programs."""
WAIT: Final = 1800.0
"""Seconds for which a program waits for its turn."""

GONE: Final = "This event was cancelled."
BUSY: Final = "Other sounds and videos are still being converted. Try again later."
TOO_MANY_STREAMS: Final = f"You have {limits.ENCODERS} running events with a streamed sound. Wait until one of them has finished."

log = structlog.get_logger()

_change: Final = Condition()
"""Held while anything in this module changes."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class OfEvent:
    """The programs of one step of an account's event, also those in its threads."""

    account: UserId
    is_over: bool = False
    """True once the event was cancelled."""
    running: "WeakSet[subprocess.Popen[Any]]" = field(default_factory=WeakSet)

    def end(self) -> None:
        """Kill the programs, and let none start or wait any more."""
        with _change:
            self.is_over = True
            running = list(self.running)
            _change.notify_all()
        for process in running:
            process.kill()

    def must_go_on(self) -> None:
        """Raises gr.Error if the event was cancelled."""
        if self.is_over:
            raise gr.Error(GONE, print_exception=False)


current: Final[ContextVar[OfEvent | None]] = ContextVar("media_of_event", default=None)
"""The programs of the current event; None outside events, and in events without a caller."""
_events: Final[WeakSet[OfEvent]] = WeakSet()


class MediaPrograms(Step):
    """Counts the programs of each event for its caller, and ends them when the event is cancelled. A batch counts for the
    first of its callers."""

    async def run(self, event: Event, rest: Run) -> Output:
        http = getattr(event.requests[0], "request", None)
        state = {} if http is None else http.scope["state"]
        signed_in = state.get(SIGNED_IN)
        if signed_in is None or signed_in.caller.user_id is None:
            return await rest(event)
        programs = OfEvent(signed_in.caller.user_id)
        _events.add(programs)
        token = current.set(programs)
        watching = asyncio.create_task(_end_with_session(programs, state))
        try:
            return await rest(event)
        except asyncio.CancelledError:
            programs.end()
            raise
        finally:
            watching.cancel()
            current.reset(token)


async def _end_with_session(programs: OfEvent, state: Mapping[str, Any]) -> None:
    """End the programs when the caller's session or access token has ended. `state` is that of the scope, and has another
    session after a sign-in that takes over the tab."""
    while not programs.is_over:
        await asyncio.sleep(BETWEEN_CHECKS)
        if programs.running or programs in _waiting:
            try:
                await state[RECOGNISE](activity=False)
            except SessionEnded:
                programs.end()
            except StoreUnavailable:
                log.warning("session not checked while a program runs")


def end_all() -> None:
    """End the programs of all events. Otherwise those that wait would start when others end."""
    for programs in list(_events):
        programs.end()


@dataclass(slots=True, eq=False)
class Turn:
    """The place of one program, from before its start to its end."""

    of: OfEvent
    held: Counter[UserId]
    is_over: bool = False

    def begin(self, process: Any) -> None:
        """Hold the turn until the process ends, whoever waits for it, and kill it when its event is cancelled. Gradio
        itself ends encoders, which outlive a step of their event."""
        _when_ended(process, self.end)
        if self.held is _encoding or _is_on_event_loop():
            return
        with _change:
            self.of.running.add(process)
            is_over = self.of.is_over
        if is_over:
            process.kill()

    def end(self) -> None:
        with _change:
            if not self.is_over:
                self.is_over = True
                self.held[self.of.account] -= 1
                if not self.held[self.of.account]:
                    del self.held[self.of.account]
                _change.notify_all()


_converting: Final[Counter[UserId]] = Counter()
"""Programs that run, by account, except encoders."""
_encoding: Final[Counter[UserId]] = Counter()
"""Encoders of streamed outputs that run, by account."""
_waiting: Final[list[OfEvent]] = []
"""The longest waiting first. An event may be there several times."""


def turn(programs: OfEvent) -> Turn:
    """Return a turn, as soon as there is a place. A free place goes to the waiting account that holds the fewest. On an
    event loop, nothing may wait: the program starts at once, and counts. Raises gr.Error."""
    with _change:
        _waiting.append(programs)
        try:
            programs.must_go_on()
            if not _is_on_event_loop() and not _change.wait_for(
                lambda: programs.is_over or _next() is programs, WAIT
            ):
                raise gr.Error(BUSY, title="Busy", print_exception=False)
            programs.must_go_on()
            _converting[programs.account] += 1
        finally:
            _waiting.remove(programs)
            _change.notify_all()
    return Turn(programs, _converting)


def _next() -> OfEvent | None:
    if _converting.total() >= limits.PROGRAMS:
        return None
    allowed = (each for each in _waiting if _converting[each.account] < limits.ACCOUNT_PROGRAMS)
    return min(allowed, key=lambda each: _converting[each.account], default=None)


def turn_of_encoder(programs: OfEvent) -> Turn:
    """Return a turn for an encoder, which runs as long as its stream. If it held a place of the others, its stream could
    wait for itself. Raises gr.Error."""
    with _change:
        programs.must_go_on()
        if _encoding[programs.account] >= limits.ENCODERS:
            raise gr.Error(TOO_MANY_STREAMS, title="Too many streams", print_exception=False)
        _encoding[programs.account] += 1
    return Turn(programs, _encoding)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _when_ended(process: Any, then: Callable[[], None]) -> None:
    """Call `then` when the process has ended, from any thread; at the latest when nothing uses it any more."""
    finalize(process, then).atexit = False
    if not hasattr(os, "pidfd_open"):
        return
    with suppress(OSError, RuntimeError):  # No more descriptors or threads.
        waiting = os.pidfd_open(process.pid)
        try:
            Thread(target=_wait, args=(waiting, then), daemon=True).start()
        except BaseException:
            os.close(waiting)
            raise


def _wait(waiting: int, then: Callable[[], None]) -> None:
    try:
        ending = select.poll()
        ending.register(waiting, select.POLLIN)
        ending.poll()
    finally:
        os.close(waiting)
        then()
