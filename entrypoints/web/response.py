"""Send responses with our headers, and replace a 500 of a framework by our own."""

from collections.abc import Sequence
from typing import Final

from starlette.types import Message, Send

from entrypoints.base_path import BasePath
from entrypoints.web.headers import ResponseHeaders, has_policy, own_policy

PART: Final = 64 * 1024
"""Bytes that the server buffers for one client before it waits."""


class OutgoingResponse:
    """Passes messages on at once. Only a 500 is held back: frameworks send one and then raise, and our own error
    response replaces it."""

    __slots__ = ("_base", "_headers", "_held", "_request_id", "_send", "framers", "status")

    def __init__(
        self, send: Send, headers: ResponseHeaders, request_id: str, base: BasePath
    ) -> None:
        self._send = send
        self._headers = headers
        self._base = base
        self._request_id = request_id.encode("ascii")
        self._held: list[Message] | None = None
        self.status: int | None = None
        """None until the response has begun."""
        self.framers: Sequence[str] = ()
        """The sources of the sites that may show an error page in a frame."""

    async def send(self, message: Message) -> None:
        if self._held is not None:
            self._held.append(message)
        elif message["type"] != "http.response.start":
            await self._pass_on(message)
        elif message["status"] == 500:
            self._held = [message]
        else:
            await self._begin(message)

    async def pass_on(self, message: Message) -> None:
        """Send a message of a response that another replica has completed."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def finish(self) -> None:
        """Send a 500 that was held back, because nothing was raised."""
        held, self._held = self._held, None
        if held:
            await self._begin(held[0])
            for message in held[1:]:
                await self._pass_on(message)

    async def replace(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole response instead of the held one. Call this only if the response has not begun."""
        self._held = None
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        pairs.append((b"content-length", str(len(body)).encode()))
        await self._begin({"type": "http.response.start", "status": status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": body})

    async def _pass_on(self, message: Message) -> None:
        """Send a large body in parts. The server copies each part, and waits for the client before it takes the next
        one. Sent at once, the whole body would be copied for every client that does not read."""
        body = message.get("body", b"")
        if len(body) <= PART:
            await self._send(message)
            return
        for begin in range(0, len(body), PART):
            is_last = begin + PART >= len(body)
            more_body = message.get("more_body", False) or not is_last
            part = {"body": body[begin : begin + PART], "more_body": more_body}
            await self._send({**message, **part})

    async def _begin(self, message: Message) -> None:
        self.status = message["status"]
        headers = list(message.get("headers", []))
        if self.status >= 400 and self.framers and not has_policy(headers):
            headers.append((b"content-security-policy", own_policy(self.framers).encode()))
        headers = self._headers.complete(headers, self._request_id)
        if self._base.path and 300 <= self.status < 400:
            headers = [self._as_seen_outside(pair) for pair in headers]
        await self._send({**message, "headers": headers})

    def _as_seen_outside(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        name, value = header
        if name.lower() != b"location":
            return header
        return name, self._base.outside(value.decode("latin-1")).encode("latin-1")
