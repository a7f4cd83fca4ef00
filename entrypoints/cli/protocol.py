"""HTTP/1.1 as uvicorn speaks it, within bounds: nobody holds a connection without asking for something, or without
reading what is answered."""

import asyncio
import json
import logging
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from entrypoints.cli.connections import Connections, group_of
from entrypoints.web.problems import PROBLEM_JSON
from entrypoints.web.proxies import Proxies
from entrypoints.web.summary import CONNECTIONS

log: Final = logging.getLogger(CONNECTIONS)
"""Its lines are counted and summed up."""

LINGER: Final = 1.0
"""Seconds that a refused connection stays open: closed while its request is still arriving, it would be reset, and
the client might not see why."""
LINGERING: Final = 32
"""Refused connections that stay open for so long; more are closed at once."""

_DETAIL: Final = json.dumps(
    {
        "type": "urn:gradioapp:problem:too-many-connections",
        "title": "Busy",
        "status": 503,
        "detail": "Too many connections are open. Close some, or try again later.",
    }
).encode()
REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\ncontent-type: "
    + PROBLEM_JSON.encode()
    + b"\r\ncontent-length: "
    + str(len(_DETAIL)).encode()
    + b"\r\n\r\n"
    + _DETAIL
)


class BoundedProtocol(H11Protocol):
    """Says of itself at each step whether it is waited for, arriving or being answered."""

    transport: asyncio.Transport

    def __init__(self, table: Connections, proxies: Proxies, **given: Any) -> None:
        super().__init__(**given)
        self.table = table
        self.proxies = proxies
        self.group: str | None = None
        self._is_refused = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        self.group = group_of(peer[0] if isinstance(peer, tuple) else "", self.proxies)
        self.transport = transport
        if self.table.admit(self):
            super().connection_made(transport)
        else:
            self._refuse()

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_refused:
            self.table.refused -= 1
        else:
            self.table.is_gone(self)
            super().connection_lost(exc)

    # What a response calls

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell()

    # What the table of connections asks

    def is_unfinished(self) -> bool:
        if self.transport.is_closing() or self.unsent():
            return False
        cycle = self.cycle
        return cycle is None or cycle.response_complete or not cycle.response_started

    def unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def drop(self, why: str) -> None:
        log.warning(why)
        self.transport.abort()

    def close(self, why: str) -> None:
        if not self.transport.is_closing():
            log.info(why)
            self.transport.close()

    def _tell(self) -> None:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.table.waits(self)
        elif cycle.more_body and not cycle.response_started:
            self.table.arrives(self)
        else:
            self.table.is_answered(self)

    def _refuse(self) -> None:
        """Before there is a request, so that none has to be read."""
        self._is_refused = True
        log.warning("refused")
        self.transport.write(REFUSAL)
        self.table.refused += 1
        if self.table.refused > LINGERING:
            self.transport.close()
        else:
            self.loop.call_later(LINGER, self.transport.close)
