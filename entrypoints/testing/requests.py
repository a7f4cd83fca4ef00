"""Send requests to the gate within this process. A response can be read while it is still being sent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import httpx
from starlette.types import ASGIApp, Message, Scope

from entrypoints.testing.refusals import FAULTS

_PATIENCE: Final = 5.0
"""Seconds for an app to notice that the client has disconnected."""


class InProcess(httpx.AsyncBaseTransport):
    """A transport for httpx that calls an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._exchanges: set[_Exchange] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(await request.aread())
        exchange.begin(self._app, _scope(request))
        self._exchanges = {one for one in self._exchanges if not one.is_over} | {exchange}
        start = await exchange.next()
        if start is None:
            raise RuntimeError(f"{request.url.path} sent no response.")
        return httpx.Response(
            start["status"],
            headers=start["headers"],
            stream=exchange,
            request=request,
            extensions={FAULTS: exchange.faults},
        )

    async def aclose(self) -> None:
        for exchange in self._exchanges:
            await exchange.aclose()


class _Exchange(httpx.AsyncByteStream):
    """One request and its response."""

    def __init__(self, body: bytes) -> None:
        self.faults: list[Exception] = []
        self._unsent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._is_closed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self._task is not None and self._task.done()

    def begin(self, app: ASGIApp, scope: Scope) -> None:
        self._task = asyncio.create_task(self._run(app, {**scope, FAULTS: self.faults}))

    async def next(self) -> Message | None:
        """Return the next message of the response, or None at its end."""
        return await self._messages.get()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.next()) is not None:
            yield message.get("body", b"")
            if not message.get("more_body", False):
                break

    async def aclose(self) -> None:
        self._is_closed.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_PATIENCE)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        finally:
            self._messages.put_nowait(None)

    async def _receive(self) -> Message:
        if self._unsent:
            return self._unsent.pop()
        await self._is_closed.wait()
        return {"type": "http.disconnect"}


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "root_path": "",
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 50000),
        "server": (request.url.host, request.url.port or 80),
    }
