"""One request and its response, as the handlers of a mounted app receive them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.model.caller import SignedIn
from entrypoints.access import SIGNED_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    scope: Scope
    receive: Receive
    send: Send
    names: Mapping[str, str] = field(default_factory=dict)
    """The text of each named group in the address's pattern."""

    @property
    def signed_in(self) -> SignedIn:
        """Return the caller. Use it only at addresses that need a session."""
        signed_in: SignedIn = self.scope["state"][SIGNED_IN]
        return signed_in

    def sending(self, send: Send) -> Self:
        return replace(self, send=send)

    def at(self, path: str) -> Self:
        """Replace the request's path."""
        if self.scope["path"] == path:
            return self
        raw = path.encode("utf-8", "surrogatepass")
        return replace(self, scope={**self.scope, "path": path, "raw_path": raw})

    def uncompressed(self) -> Self:
        """Ask for a response whose body can be read."""
        headers = [pair for pair in self.scope["headers"] if pair[0] != b"accept-encoding"]
        return replace(self, scope={**self.scope, "headers": headers})

    async def passed_to(self, app: ASGIApp) -> None:
        await app(self.scope, self.receive, self.send)


@dataclass(slots=True)
class HeldResponse:
    """A response that is kept in memory, to read or change it. Not for streams, which may never end."""

    limit: int | None = None
    """Bytes. A longer body is dropped, and `is_too_large` is set."""
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Names in lower case."""
    body: bytearray = field(default_factory=bytearray)
    is_too_large: bool = False

    async def hold(self, message: Message) -> None:
        """Store the next message of an ASGI application."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.lower(), value) for name, value in message["headers"]]
            return
        chunk: bytes = message.get("body", b"")
        if self.limit is not None and len(self.body) + len(chunk) > self.limit:
            self.is_too_large = True
            self.body.clear()
        if not self.is_too_large:
            self.body += chunk

    def header(self, name: bytes) -> bytes:
        """Return the header's value, or empty bytes if it is missing."""
        return next((value for each, value in self.headers if each == name), b"")

    def json(self) -> Any:
        return json.loads(self.body)

    def rewrite(self, body: bytes) -> None:
        """Replace the body and its Content-Length."""
        self.body = bytearray(body)
        self.headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        self.headers.append((b"content-length", str(len(body)).encode()))

    async def send_to(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": bytes(self.body)})


class _NoBody:
    """An empty request body. The client never disconnects."""

    def __init__(self) -> None:
        self._is_read = False

    async def receive(self) -> Message:
        if self._is_read:
            await asyncio.get_running_loop().create_future()  # Nothing more comes.
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def held_response(app: ASGIApp, scope: Scope) -> HeldResponse:
    """Run the application for a request without a body, and return its whole response. Hide from the application that
    the client has disconnected: Starlette would stop in the middle, and we would cache an incomplete file."""
    held = HeldResponse()
    await app(scope, _NoBody().receive, held.hold)
    return held


async def respond_rewritten(
    app: ASGIApp, exchange: Exchange, rewrite: Callable[[bytes], bytes]
) -> None:
    """Apply `rewrite` to the body of a response with status 200, and send it. Send other responses unchanged."""
    held = await held_response(app, exchange.uncompressed().scope)
    if held.status == 200:
        held.rewrite(rewrite(bytes(held.body)))
    await held.send_to(exchange.send)


def origin_of(scope: Scope) -> str:
    """Return scheme and host as the gate has set them: the configured ones, or one of the allowed hosts."""
    host = next(value for name, value in scope["headers"] if name == b"host")
    return f"{scope['scheme']}://{host.decode('latin-1')}"
