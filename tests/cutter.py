"""A proxy that closes each connection after some seconds, like some load balancers."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial


class Cutter:
    """Passes bytes on between its port and another one of this machine."""

    def __init__(self, to: int) -> None:
        self.after = 3600.0
        """Seconds after which a connection is cut, whatever it is doing. Can be changed at any time."""
        self._to = to

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            behind, to_behind = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {
            asyncio.ensure_future(_pass_on(reader, to_behind)),
            asyncio.ensure_future(_pass_on(behind, writer)),
        }
        try:
            while not any(one.done() for one in both):
                await asyncio.wait(both, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                if loop.time() - began > self.after:
                    break
        except asyncio.CancelledError:
            pass  # The test is over. Python 3.11 logs a cancelled handler as a fault.
        finally:
            for one in both:
                one.cancel()
            for side in (writer, to_behind):
                side.transport.abort()

    async def run(self, port: int, has_begun: Callable[[Callable[[], object]], None]) -> None:
        """Call `has_begun` with a function that ends the run."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        async with server:
            has_begun(partial(loop.call_soon_threadsafe, over.set))
            await over.wait()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()


@contextmanager
def cutter(port: int, to: int) -> Iterator[Cutter]:
    """Run a Cutter in a thread of its own, because Playwright has the loop of ours."""
    made, begun = Cutter(to), queue.Queue[Callable[[], object]]()
    thread = threading.Thread(target=lambda: asyncio.run(made.run(port, begun.put)))
    thread.start()
    end = begun.get(timeout=10)
    try:
        yield made
    finally:
        end()
        thread.join(timeout=10)
