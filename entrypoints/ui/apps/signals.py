"""Handle signals as an author's code asks for, as far as no app can end the service or keep it from ending."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from threading import current_thread, main_thread
from typing import Any, Final

import structlog
from uvicorn.server import HANDLED_SIGNALS

from entrypoints.ui.apps.launches import RECORDING, Launches, of_this_thread
from entrypoints.ui.apps.threads import in_main_thread
from entrypoints.ui.calls.author_code import is_author_code

log = structlog.get_logger()

_LOOP: Final = asyncio.SelectorEventLoop
_HANDLE: Final = signal.signal
_HANDLE_IN_LOOP: Final = _LOOP.add_signal_handler
_REMOVE_IN_LOOP: Final = _LOOP.remove_signal_handler
_SET_WAKEUP: Final = signal.set_wakeup_fd
_ALARM: Final = signal.alarm
_SET_TIMER: Final = signal.setitimer

_SIGNALS: Final = {
    signal.ITIMER_REAL: signal.SIGALRM,
    signal.ITIMER_VIRTUAL: signal.SIGVTALRM,
    signal.ITIMER_PROF: signal.SIGPROF,
}
_ONLY_MAIN: Final = "signal only works in main thread of the main interpreter"
"""As Python says it. An event may run in that thread, but it is a thread of the service, not the event's own."""
_WAKEUP_ONLY_MAIN: Final = "set_wakeup_fd only works in main thread of the main interpreter"


def _handle_signal(signalnum: int, handler: Any) -> Any:
    """Python sets handlers only in the main thread, and an author's file runs in another one. The service has handlers
    of its own for some signals. Raises ValueError in an event."""
    if is_author_code():
        raise ValueError(_ONLY_MAIN)
    launches = of_this_thread()
    if launches is None or current_thread() is main_thread():
        return _HANDLE(signalnum, handler)
    if signalnum in HANDLED_SIGNALS or not launches.has_main_thread:
        return _left_out(launches, signalnum)
    try:
        before = in_main_thread(
            lambda: _HANDLE(signalnum, launches.guarded(handler) if callable(handler) else handler)
        )
    except TimeoutError:
        return _left_out(launches, signalnum)
    if before is not None:  # It was set from C otherwise.
        launches.held.callback(_restore, signalnum, before)
    return before


def _left_out(launches: Launches, number: int) -> Any:
    launches.handles_signals = True
    return signal.getsignal(number)


def _restore(number: int, before: Any) -> None:
    with suppress(TimeoutError):
        in_main_thread(lambda: _HANDLE(number, before))


def _handle_signal_in_loop(
    loop: asyncio.SelectorEventLoop, sig: int, callback: Any, *args: Any
) -> None:
    """Raises RuntimeError in an event, as asyncio does outside of the main thread."""
    if is_author_code():
        raise RuntimeError(_WAKEUP_ONLY_MAIN)
    launches = of_this_thread()
    if launches is None or current_thread() is main_thread():
        _HANDLE_IN_LOOP(loop, sig, callback, *args)
    else:
        _handle_signal(sig, lambda *_: loop.call_soon_threadsafe(callback, *args))
        launches.signals_of_loop.add(sig)


def _remove_in_loop(loop: asyncio.SelectorEventLoop, sig: int) -> bool:
    """Raises RuntimeError in an event."""
    if is_author_code():
        raise RuntimeError(_WAKEUP_ONLY_MAIN)
    launches = of_this_thread()
    if launches is None or sig not in launches.signals_of_loop:
        return _REMOVE_IN_LOOP(loop, sig)
    is_interrupt = sig == signal.SIGINT
    _handle_signal(sig, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    launches.signals_of_loop.remove(sig)
    return True


def _set_wakeup_fd(fd: int, **options: Any) -> int:
    if is_author_code():
        raise ValueError(_WAKEUP_ONLY_MAIN)
    return _SET_WAKEUP(fd, **options)


def _alarm(seconds: int) -> int:
    return 0 if _would_end("alarm", signal.SIGALRM, seconds) else _ALARM(seconds)


def _set_timer(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
    if _would_end("setitimer", _SIGNALS.get(which), seconds):
        return 0.0, 0.0
    return _SET_TIMER(which, seconds, interval)


def _would_end(name: str, number: int | None, seconds: float) -> bool:
    """Return whether a timer would end the service, because nothing handles its signal, and log that it is not set."""
    is_here = any(one.process == os.getpid() for one in RECORDING)
    if number is None or seconds <= 0 or not is_here or signal.getsignal(number) != signal.SIG_DFL:
        return False
    log.warning(
        f"signal.{name}() does nothing: no handler is set, and its signal would end the service for everybody. "
        "Set a handler while the file is loaded"
    )
    return True


REPLACED: Final[Sequence[tuple[Any, str, Any]]] = (
    (signal, "signal", _handle_signal),
    (signal, "set_wakeup_fd", _set_wakeup_fd),
    (signal, "alarm", _alarm),
    (signal, "setitimer", _set_timer),
    (_LOOP, "add_signal_handler", _handle_signal_in_loop),
    (_LOOP, "remove_signal_handler", _remove_in_loop),
)
