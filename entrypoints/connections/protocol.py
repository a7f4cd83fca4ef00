"""uvicorn's HTTP/1.1 protocol with limits: a client cannot keep a connection without sending a request or reading the
response."""

import asyncio
import json
import logging
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from entrypoints.connections.table import Connections, group_of
from entrypoints.web.problems import PROBLEM_JSON
from entrypoints.web.proxies import Proxies
from entrypoints.web.summary import CONNECTIONS

log: Final = logging.getLogger(CONNECTIONS)
"""A log handler counts its records and logs a summary: see `entrypoints/web/summary.py`."""

LINGER: Final = 1.0
"""Seconds for which a refused connection stays open. Closing it while the request is arriving would reset it, and the
client might not read the 503."""
LINGERING: Final = 32
"""Refused connections that stay open at once. Further ones are closed immediately."""

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


class Written:
    """A transport that counts the bytes that are written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedProtocol(H11Protocol):
    """Records each change of its state in the table of connections: waiting for a header, receiving a body, or being
    answered."""

    transport: asyncio.Transport

    def __init__(self, table: Connections, proxies: Proxies, **given: Any) -> None:
        super().__init__(**given)
        self.table = table
        self.proxies = proxies
        self.group: str | None = None
        self._is_refused = False
        self._written: Written | None = None

    # Called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        self.group = group_of(peer[0] if isinstance(peer, tuple) else "", self.proxies)
        self.transport = transport
        if self.table.admit(self):
            self._written = Written(transport)
            super().connection_made(cast("asyncio.Transport", self._written))
        else:
            self._refuse()

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)
            self._update_table()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_refused:
            self.table.refused -= 1
        else:
            self.table.is_gone(self)
            super().connection_lost(exc)

    # Called at the end of a response

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update_table()

    # Called by the table of connections

    def is_unfinished(self) -> bool:
        if self.transport.is_closing() or self.unsent():
            return False
        cycle = self.cycle
        return cycle is None or cycle.response_complete or not cycle.response_started

    def unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def sent(self) -> int:
        return 0 if self._written is None else self._written.size - self.unsent()

    def drop(self, why: str) -> None:
        log.warning(why)
        self.transport.abort()

    def close(self, why: str) -> None:
        if not self.transport.is_closing():
            log.info(why)
            self.transport.close()

    def _update_table(self) -> None:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.table.waits(self)
        elif cycle.more_body and not cycle.response_started:
            self.table.arrives(self)
        else:
            self.table.is_answered(self)

    def _refuse(self) -> None:
        """Send 503 without waiting for a request."""
        self._is_refused = True
        log.warning("refused")
        self.transport.write(REFUSAL)
        self.table.refused += 1
        if self.table.refused > LINGERING:
            self.transport.close()
        else:
            self.loop.call_later(LINGER, self.transport.close)
