"""Configure and run uvicorn, and print the service's address once it listens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any, Final, cast

import typer
import uvicorn

from application.settings import Settings
from application.use_cases import UseCases
from application.use_cases.sample_users import SAMPLE_PASSWORD, SAMPLE_USERS
from domain.errors import StoreUnavailable
from entrypoints import event_loop
from entrypoints.cli.connections import (
    ACCEPTED_AT_ONCE,
    Connections,
    connections_of,
    files_allowed,
)
from entrypoints.cli.memory import tune_memory
from entrypoints.cli.operating import address
from entrypoints.cli.protocol import BoundedProtocol
from entrypoints.cli.serve import BACKLOG
from entrypoints.cli.startup import Startup
from entrypoints.web.proxies import Proxies

GRACE: Final = 10
"""Seconds that open requests get at shutdown. The whole shutdown takes at most 12."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Prints the service's address, and once the sample users and the setup link. It must be picklable, because a
    reloading server sends it to a child process."""

    settings: Settings
    is_made: Event | None = None
    """Set after the first announcement, in all processes. None for a server that does not reload."""

    async def make(self, use_cases: UseCases | None) -> None:
        """`use_cases` is None for a service that could not be built."""
        here = address(self.settings)
        typer.echo(f"Serving at {here} (Ctrl+C stops)")
        if use_cases is None or (self.is_made is not None and self.is_made.is_set()):
            return
        if self.settings.sample_users:
            emails = " and ".join(email for email, _ in SAMPLE_USERS)
            typer.echo(f"Sample users: {emails}, password {SAMPLE_PASSWORD}")
        if token := await use_cases.offer_setup():
            typer.echo("There is no admin yet. Open this link within 15 minutes to make one:")
            typer.echo(f"  {here}/setup?token={token}")
        if self.is_made is not None:
            self.is_made.set()


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announcement: Announcement) -> None:
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
        table = Connections(
            most=most,
            per_group=settings.connections_per_address or max(1, most // 2),
            stall=settings.stall_seconds,
            now=loop.time,
        )
        protocol = partial(BoundedProtocol, table, Proxies(settings))
        self.config.http_protocol_class = cast("type[asyncio.Protocol]", protocol)
        self._sweeping = loop.create_task(_sweep(table))
        loop.set_exception_handler(partial(_make_room, table))


async def _sweep(table: Connections) -> None:
    while True:
        await asyncio.sleep(min(5.0, table.stall / 4))
        table.close_stalled()


def _make_room(
    table: Connections, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Close an unfinished connection if asyncio cannot accept another one because the process has no free file: an app
    may have opened more files than are reserved."""
    if context.get("message") == "socket.accept() out of system resource":
        table.free(1)
    loop.default_exception_handler(context)
