"""Reach the code that runs in another thread."""

import ctypes
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from threading import Event, Thread, current_thread, main_thread
from typing import Any, Final

_LONGEST: Final = 5.0
"""Seconds to wait for the main thread."""
_PENDING: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def in_main_thread(call: Callable[[], Any]) -> Any:
    """Return what the call returns in the main thread, which runs it between two instructions, whatever it waits for.
    Raises TimeoutError if it runs no Python code; then the call is not made later either."""
    if current_thread() is main_thread():
        return call()
    done, abandoned = Event(), Event()
    results: list[Any] = []
    faults: list[BaseException] = []

    def run(_: object) -> int:
        if abandoned.is_set():
            return 0
        try:
            results.append(call())
        except BaseException as error:
            faults.append(error)
        done.set()
        return 0

    pending = _PENDING(run)  # It must live until it has run.
    _waiting.append(pending)
    ctypes.pythonapi.Py_AddPendingCall(pending, None)
    if not done.wait(_LONGEST):
        abandoned.set()
        raise TimeoutError("Python's main thread does not run.")
    _waiting.remove(pending)
    if faults:
        raise faults[0]
    return results[0]


_waiting: Final[list[Any]] = []


def raise_in(thread: Thread, error: type[BaseException]) -> None:
    """Raise the exception in the thread as soon as it runs Python code."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(error)
        )


def loop_in(thread: Thread) -> AbstractEventLoop | None:
    """Return the event loop that runs in the thread, or None."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 -- Python's own way to another thread's frame.
    while frame is not None:
        loop = frame.f_locals.get("self")
        if isinstance(loop, AbstractEventLoop) and frame.f_code.co_name == "run_forever":
            return loop
        frame = frame.f_back
    return None
