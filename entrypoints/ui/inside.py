"""Requests made of a page in the name of one that came in: through the page's own guard, and over no network."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.access import RECOGNISE, REQUEST_ID, SIGNED_IN
from entrypoints.ui import bodies

_JSON: Final = b"application/json"
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding"})
_OF_THE_ANSWER: Final = frozenset({b"accept", b"accept-encoding", b"range"})


def origin_of(scope: Scope) -> str:
    """As the gate has it: from the settings, or one of the hosts it lets in."""
    host = next(value for name, value in scope["headers"] if name == b"host")
    return f"{scope['scheme']}://{host.decode('latin-1')}"


@dataclass(slots=True)
class Answered:
    """What was answered; of a body larger than `limit` bytes nothing is kept."""

    limit: int | None = None
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_too_large: bool = False

    async def keep(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.lower(): value for name, value in message["headers"]}
            return
        chunk: bytes = message.get("body", b"")
        if self.limit is not None and len(self.body) + len(chunk) > self.limit:
            self.is_too_large = True
            self.body.clear()
        if not self.is_too_large:
            self.body += chunk

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What came in has been let in by the gate; what is made of it is checked like any other request behind that."""

    page: ASGIApp
    path: str
    """Of the page's mount."""
    scope: Scope
    receive: Receive
    """Of what came in, whose body has been read: it tells when the client leaves."""

    @property
    def origin(self) -> str:
        return origin_of(self.scope)

    async def post(self, address: str, body: bytes, content_type: bytes = _JSON) -> Answered:
        """Raises HTTPException and DomainError, as whatever refuses it does."""
        scope, receive = bodies.replaced(self._made("POST", address), body, content_type)
        answered = Answered()
        await self.page(scope, bodies.followed_by(receive, self.receive), answered.keep)
        return answered

    async def get(self, address: str, send: Send, *, query: bytes = b"") -> None:
        """Raises HTTPException and DomainError, as whatever refuses it does."""
        scope = {**self._made("GET", address), "query_string": query}
        await self.page(scope, self.receive, send)

    def _made(self, method: str, address: str) -> Scope:
        whole = f"{self.path}/gradio_api/{address}"
        state = self.scope["state"]
        left_out = _OF_THE_BODY | _OF_THE_ANSWER
        return {
            **self.scope,
            "method": method,
            "path": whole,
            "raw_path": whole.encode("utf-8", "surrogatepass"),
            "query_string": b"",
            "headers": [pair for pair in self.scope["headers"] if pair[0] not in left_out],
            # One of its own: an event leaves there what it knows of its caller.
            "state": {key: state[key] for key in (SIGNED_IN, RECOGNISE, REQUEST_ID)},
            "session": dict(self.scope["session"]),
        }
