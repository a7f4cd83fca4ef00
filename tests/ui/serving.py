"""Serve a house at a real address, for clients that cannot call ASGI."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from tests.ui.conftest import House


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """Yield the origin. At the end, close open streams like the service does, because a client that
    keeps a stream open must not keep the test running."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        house.gate, lifespan="off", log_config=None, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        house.pages.stopping.set()
        server.should_exit = True
        await serving
