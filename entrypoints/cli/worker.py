"""One of several workers. It serves at a socket that all share, and ends with the supervisor that has started it."""

import asyncio
import os
import signal
import socket
import sys
import time
from multiprocessing.connection import Connection
from threading import Thread
from typing import TYPE_CHECKING, Final

from entrypoints.cli.output import show_all_characters
from entrypoints.cli.program import fault_of

if TYPE_CHECKING:
    from application.settings import Settings
    from application.use_cases import UseCases

SERVING: Final = "serving"
"""What a worker sends when it serves. When it cannot, it sends a Fault."""
LEAVE: Final = "leave"
"""What a supervisor sends to a worker that another one replaces."""
LONGEST_END: Final = 15.0
"""Seconds that a worker gets to end, beside DRAIN_SECONDS. It needs at most 14 of them, see `cli/server.py`."""


def work(listener: socket.socket, line: Connection) -> None:
    """Serve until a signal ends this process. `line` leads to the supervisor; when it is cut, the supervisor has gone."""
    # Ctrl+C reaches all processes of a group. The supervisor passes it on, so that each worker gets it once.
    os.setpgid(0, 0)
    signal.signal(signal.SIGHUP, lambda *_: None)  # It is for the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # No traceback.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    show_all_characters()
    supervised = Supervised(listener, line)
    try:
        from application.container import build
        from application.settings import load
        from entrypoints.cli.serve import serve_at

        supervised.settings = load()
        serve_at(build(supervised.settings), listener, supervised)
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        line.send(fault)
        sys.exit(fault.code)


class Supervised:
    """Tells the supervisor when this worker serves, and ends this worker when the supervisor wants it or has gone."""

    settings: "Settings"

    def __init__(self, listener: socket.socket, line: Connection) -> None:
        self._listener = listener
        self._line = line
        self._loop: asyncio.AbstractEventLoop | None = None
        Thread(target=self._obey, daemon=True).start()

    async def make(self, _: "UseCases | None") -> None:
        self._loop = asyncio.get_running_loop()
        self._line.send(SERVING)

    def _obey(self) -> None:
        is_alone = False
        try:
            self._line.recv()
        except (EOFError, OSError):
            is_alone = True
        if self._loop is not None and not is_alone:
            # The other workers accept the connections that come now.
            self._loop.call_soon_threadsafe(self._loop.remove_reader, self._listener.fileno())
        os.kill(os.getpid(), signal.SIGTERM)
        if is_alone:
            time.sleep(self.settings.drain_seconds + LONGEST_END)
            os.kill(os.getpid(), signal.SIGKILL)
