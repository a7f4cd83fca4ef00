"""Listen for the requests of other replicas, apart from the public address."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

_GRACE = 2
"""Seconds that open requests get at the end."""
_KEPT = 10
"""Seconds for which an unused connection stays open. Forwarding closes its own earlier."""


class Limits(Protocol):
    """What the connections of a server may keep open, and for how long."""

    def protocol(self) -> type[asyncio.Protocol]: ...

    async def close_stalled(self) -> None:
        """Close stalled connections from time to time, for ever."""


class CannotListen(Exception):
    """The address of REPLICA_URL is not one of this machine, or is taken."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the public server."""
        yield


def bound(url: str) -> socket.socket:
    """Open a socket at the host and port of the URL; port 0 takes a free one. Raises CannotListen."""
    parts = urlsplit(url)
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(
            parts.hostname, parts.port or 0, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
    except OSError as error:
        raise CannotListen(f"{url}: {error.strerror or error}") from error
    return listener


def url_of(url: str, listener: socket.socket) -> str:
    """Return the URL with the port that the socket has."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{listener.getsockname()[1]}"


@asynccontextmanager
async def listening(app: ASGIApp, listener: socket.socket, limits: Limits) -> AsyncIterator[None]:
    """Serve the app at the socket until the block ends."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            http=limits.protocol(),
            timeout_keep_alive=_KEPT,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]), name="replicas")
    sweeping = asyncio.create_task(limits.close_stalled(), name="stalled replicas")
    try:
        yield
    finally:
        server.should_exit = True
        await task
        sweeping.cancel()
