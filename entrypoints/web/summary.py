"""Log one line with counts per minute, instead of one line for each event that any stranger can cause."""

import asyncio
import logging
from collections import Counter
from typing import Final

import structlog

CONNECTIONS: Final = "gradioapp.connections"
"""The logger for closed and refused connections. Each message is a name to count."""
EVERY: Final = 60.0
"""Seconds between two lines."""

_COUNTED: Final = {
    "uvicorn.error": (
        ("Invalid HTTP request received.", "not_http"),
        ("Unsupported upgrade request.", "upgrades"),
        ("No supported WebSocket library detected.", None),
    ),
    "asyncio": (
        ("socket.accept() out of system resource", "no_file_left"),
        ("socket.send() raised exception.", "written_after_end"),
    ),
}
"""By logger: the beginning of a library's message, and the name under which to count it. None drops the message,
because it always follows a message that is counted."""

log = structlog.get_logger()


class Summary(logging.Filter):
    """A filter for a log handler that drops such records and logs their counts. The first record is logged at once,
    later ones at the end of the minute."""

    def __init__(self, *, every: float = EVERY) -> None:
        super().__init__()
        self._every = every
        self._counts: Counter[str] = Counter()
        self._level = logging.INFO
        self._next: asyncio.TimerHandle | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == CONNECTIONS:
            self._count(str(record.msg), record.levelno)
            return False
        for beginning, what in _COUNTED.get(record.name, ()):
            if str(record.msg).startswith(beginning):
                if what is not None:
                    self._count(what, record.levelno)
                return False
        return True

    def _count(self, what: str, level: int) -> None:
        self._counts[what] += 1
        self._level = max(self._level, min(level, logging.WARNING))
        if self._next is None or self._next.cancelled():
            self._write()

    def _write(self) -> None:
        """Log the counts, and again in a minute if there is a running event loop."""
        counts, self._counts = self._counts, Counter()
        level, self._level = self._level, logging.INFO
        self._next = None
        if counts:
            log.log(level, "connections", **counts)
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._next = loop.call_later(self._every, self._write)
