"""A house at a real address, for clients that know nothing of ASGI."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from tests.ui.conftest import House


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """Answers its origin. At the end open streams are closed as the service closes them: a client that keeps one open
    must not keep the test."""
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
