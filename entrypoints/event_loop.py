"""The event loop of the service: code of an app that would end the process does not stop it."""

import asyncio
import signal
from collections.abc import Awaitable
from threading import current_thread, main_thread
from typing import Any, Final

import structlog

NAME: Final = "entrypoints.event_loop:ServiceLoop"
"""As uvicorn's option `--loop` has it."""

log = structlog.get_logger()


class ServiceLoop(asyncio.SelectorEventLoop):
    """Runs until what it was started for is complete. asyncio raises SystemExit and KeyboardInterrupt of every task and
    handle out of the loop, and any code in it may call `stop()`: without this class, one event of one app would end the
    service for everybody."""

    _awaited: "asyncio.Future[Any] | None" = None
    """What the loop runs for; None under a plain `run_forever()`."""

    def run_until_complete(self, future: Awaitable[Any]) -> Any:  # type: ignore[override]
        before, self._awaited = self._awaited, asyncio.ensure_future(future, loop=self)
        try:
            return super().run_until_complete(self._awaited)
        finally:
            self._awaited = before

    def run_forever(self) -> None:
        awaited = self._awaited
        while True:
            try:
                super().run_forever()
            except (SystemExit, KeyboardInterrupt) as end:
                if awaited is None or _ends_with(awaited, end) or _is_of_keyboard(end):
                    raise
                log.exception(
                    "code of an app has tried to end the process", fault=type(end).__name__
                )
            else:
                if awaited is not None and not awaited.done():
                    log.error("code of an app has tried to stop the event loop of the service")
            if awaited is None or awaited.done():
                return


def _ends_with(awaited: "asyncio.Future[Any]", end: BaseException) -> bool:
    return awaited.done() and not awaited.cancelled() and awaited.exception() is end


def _is_of_keyboard(end: BaseException) -> bool:
    """Return whether Ctrl+C may have raised this. While a server runs, it handles SIGINT, and Ctrl+C raises nothing."""
    handler = signal.getsignal(signal.SIGINT)
    of_runner = isinstance(
        getattr(getattr(handler, "func", None), "__self__", None), asyncio.Runner
    )
    raises = of_runner or handler is signal.default_int_handler
    return isinstance(end, KeyboardInterrupt) and raises and current_thread() is main_thread()
