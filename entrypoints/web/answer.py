"""The way out: every answer leaves dressed, and a fault becomes an answer too."""

from typing import Final

from starlette.types import Message, Send

from entrypoints.web.headers import Dressing

PART: Final = 64 * 1024
"""Bytes that the server keeps for one client before it stops taking more."""


class Answer:
    """Passes messages on as they come. Only a 500 waits: frameworks send one and raise afterwards, and then
    ours goes out instead of theirs."""

    __slots__ = ("_dressing", "_held", "_request_id", "_send", "status")

    def __init__(self, send: Send, dressing: Dressing, request_id: str) -> None:
        self._send = send
        self._dressing = dressing
        self._request_id = request_id.encode("ascii")
        self._held: list[Message] | None = None
        self.status: int | None = None
        """None until the answer has begun to leave."""

    async def send(self, message: Message) -> None:
        if self._held is not None:
            self._held.append(message)
        elif message["type"] != "http.response.start":
            await self._pass_on(message)
        elif message["status"] == 500:
            self._held = [message]
        else:
            await self._begin(message)

    async def finish(self) -> None:
        """Nothing was raised: a 500 that waits was meant as it stands."""
        held, self._held = self._held, None
        if held:
            await self._begin(held[0])
            for message in held[1:]:
                await self._pass_on(message)

    async def replace(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """A whole answer, instead of one that has not begun."""
        self._held = None
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        pairs.append((b"content-length", str(len(body)).encode()))
        await self._begin({"type": "http.response.start", "status": status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": body})

    async def _pass_on(self, message: Message) -> None:
        """Send a large body in parts: the server copies each part, and waits for the client before it takes the next. As one
        part, the body would be copied for every client that does not read."""
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
        headers = self._dressing.dressed(message.get("headers", []), self._request_id)
        await self._send({**message, "headers": headers})
