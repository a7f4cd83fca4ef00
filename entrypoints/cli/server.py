"""Configure and run uvicorn, and tell when the service listens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

import typer
import uvicorn

from application.settings import Settings
from application.use_cases import UseCases
from domain.errors import StoreUnavailable
from entrypoints import event_loop
from entrypoints.cli.memory import tune_memory
from entrypoints.cli.serve import BACKLOG
from entrypoints.cli.startup import Startup
from entrypoints.connections import (
    ACCEPTED_AT_ONCE,
    ConnectionLimits,
    Connections,
    connections_of,
    files_allowed,
)
from entrypoints.replicas import SHARES
from entrypoints.web.proxies import Proxies

GRACE: Final = 10
"""Seconds that open requests get at shutdown. The whole shutdown takes at most 12, and 2 more with traces."""


def configured(app: Any, **more: Any) -> uvicorn.Config:
    """Return uvicorn's configuration. `app` is a Service, or with `factory` the name of a function that makes one.
    Logs, proxy headers and the Server header are handled by the gate; see `entrypoints/web`."""
    return uvicorn.Config(
        app,
        loop=event_loop.NAME,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=True,
        # No address accepts WebSockets, and our limits would not apply to them.
        ws="none",
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=GRACE,
        **more,
    )


class Announces(Protocol):
    """Tells that the service listens."""

    @property
    def settings(self) -> Settings: ...

    async def make(self, use_cases: UseCases | None) -> None:
        """`use_cases` is None for a service that could not be built. Raises StoreUnavailable."""


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announcement: Announces) -> None:
        super().__init__(config)
        self.announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._limit_connections(asyncio.get_running_loop())
        # Before uvicorn listens. Raises Fault.
        self.lifespan.startup = partial(self._started, self.lifespan.startup)
        await super().startup(sockets)
        for listener in sockets or ():
            # uvicorn has one setting for the queue's length and for the connections accepted at once.
            listener.listen(BACKLOG)
        tune_memory()
        try:
            await self.announcement.make(self.config.loaded_app.use_cases)
        except StoreUnavailable:
            typer.echo("The database is unavailable.", err=True)

    async def _started(self, startup: Callable[[], Awaitable[None]]) -> None:
        await startup()
        served = self.config.loaded_app
        if isinstance(served, Startup):
            served.must_have_started()

    def _limit_connections(self, loop: asyncio.AbstractEventLoop) -> None:
        """Replace uvicorn's protocol by ours. This cannot be in the configuration, which a reloading server sends to
        another process."""
        settings = self.announcement.settings
        most = connections_of(files_allowed())
        if settings.replica_url is not None:
            most //= SHARES  # The others are for requests to and from other replicas.
        table = Connections(
            most=most,
            per_group=settings.connections_per_address or max(1, most // 2),
            stall=settings.stall_seconds,
            now=loop.time,
        )
        limits = ConnectionLimits(table=table, proxies=Proxies(settings))
        self.config.http_protocol_class = limits.protocol()
        self._sweeping = loop.create_task(limits.close_stalled())
        loop.set_exception_handler(partial(_make_room, table))


def _make_room(
    table: Connections, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Close an unfinished connection if asyncio cannot accept another one because the process has no free file: an app
    may have opened more files than are reserved."""
    if context.get("message") == "socket.accept() out of system resource":
        table.free(1)
    loop.default_exception_handler(context)
