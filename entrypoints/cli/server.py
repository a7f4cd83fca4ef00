"""uvicorn as we run it, and what it says to the person who started it once it really listens."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import typer
import uvicorn

from application.container import build
from application.settings import Settings, load
from application.use_cases.users import SAMPLE_PASSWORD, SAMPLE_USERS
from domain.errors import StoreUnavailable
from entrypoints.cli.connections import (
    ACCEPTED_AT_ONCE,
    Connections,
    connections_of,
    files_allowed,
)
from entrypoints.cli.operating import address, let_go
from entrypoints.cli.protocol import BoundedProtocol
from entrypoints.cli.serve import BACKLOG
from entrypoints.web.proxies import Proxies

GRACE: Final = 10
"""Seconds that open requests have at the end; the whole stop takes at most 12."""

GARBAGE_AFTER: Final = 20_000
"""New lists and objects until garbage is looked for. With Python's 700 half the time of reading a large body goes into
walking what has just been read of it."""


def configured(app: Any, **more: Any) -> uvicorn.Config:
    """Logs, proxy headers and the server's name are the gate's business; see `entrypoints/web`."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=True,
        # No address speaks WebSocket, and a connection that becomes one would escape its bounds.
        ws="none",
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=GRACE,
        **more,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Goes to a child process while reloading, so it has to be picklable there."""

    settings: Settings
    offer_setup: Callable[[], Awaitable[str | None]]

    async def make(self) -> None:
        here = address(self.settings)
        typer.echo(f"Serving at {here} (Ctrl+C stops)")
        if self.settings.sample_users:
            emails = " and ".join(email for email, _ in SAMPLE_USERS)
            typer.echo(f"Sample users: {emails}, password {SAMPLE_PASSWORD}")
        if token := await self.offer_setup():
            typer.echo("There is no admin yet. This link, good for 15 minutes, makes the first:")
            typer.echo(f"  {here}/setup?token={token}")


async def offer_setup_anew() -> str | None:
    """From what the environment says now: for a process that did not build the container itself."""
    container = build(load())
    try:
        token: str | None = await container.use_cases().offer_setup()
        return token
    finally:
        await let_go(container)


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announcement: Announcement) -> None:
        super().__init__(config)
        self.announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._bound(asyncio.get_running_loop())
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(
                BACKLOG
            )  # uvicorn has one number for this and for what is accepted at once.
        # Code and routes stay for good: without this, each collection of garbage walks all of them.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
        try:
            await self.announcement.make()
        except StoreUnavailable:
            typer.echo("The database does not answer.", err=True)

    def _bound(self, loop: asyncio.AbstractEventLoop) -> None:
        """Replace uvicorn's protocol by ours. Here and not in the configuration, which a reloading server sends to another
        process."""
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
    """Close an unfinished connection when asyncio cannot accept another one for want of files: an app may have more files
    open than were reserved."""
    if context.get("message") == "socket.accept() out of system resource":
        table.free(1)
    loop.default_exception_handler(context)
