"""Jobs that repeat while the service runs, and the signal that ends it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType

import structlog

from domain.errors import StoreUnavailable

log = structlog.get_logger()


async def again_and_again(chore: Callable[[], Awaitable[None]], *, every: float) -> None:
    while True:
        try:
            await chore()
        except StoreUnavailable:
            log.warning("chore postponed: the database does not answer", chore=chore.__name__)
        await asyncio.sleep(every)


@asynccontextmanager
async def told_to_stop(stopping: asyncio.Event) -> AsyncIterator[None]:
    """Sets `stopping` at the signal: uvicorn waits for open streams, and they would wait for their tabs."""
    if current_thread() is not main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopping.set)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        stopping.set()
        for number, previous in before.items():
            signal.signal(number, previous)
