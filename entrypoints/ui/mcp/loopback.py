"""Make further requests to a page on behalf of an incoming one, with the same checks and without a network."""

from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.access import RECOGNISE, REQUEST_ID, SIGNED_IN, TRACE
from entrypoints.base_path import BasePath
from entrypoints.ui.wire import json_bodies
from entrypoints.ui.wire.exchange import HeldResponse, origin_of

_JSON: Final = b"application/json"
_BODY_HEADERS: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding"})
_RESPONSE_HEADERS: Final = frozenset({b"accept", b"accept-encoding", b"range"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """Makes requests to a page as the caller of an incoming request. The gate has checked the incoming request; the new
    ones pass all checks behind the gate."""

    page: ASGIApp
    path: str
    """The path of the page's mount."""
    scope: Scope
    """The scope of the incoming request."""
    receive: Receive
    """The incoming request's `receive`. Its body has been read, so it only reports when the client disconnects."""

    base: BasePath

    @property
    def link(self) -> str:
        """The page's address as the client knows it, without a trailing slash."""
        return f"{origin_of(self.scope)}{self.base.outside(self.path)}"

    async def post(self, address: str, body: bytes, content_type: bytes = _JSON) -> HeldResponse:
        """Return the response to a POST. Raises HTTPException and DomainError."""
        scope, receive = json_bodies.replaced(self._new_scope("POST", address), body, content_type)
        response = HeldResponse()
        await self.page(scope, json_bodies.followed_by(receive, self.receive), response.hold)
        return response

    async def get(self, address: str, send: Send, *, query: bytes = b"") -> None:
        """Send the response to a GET. Raises HTTPException and DomainError."""
        scope = {**self._new_scope("GET", address), "query_string": query}
        await self.page(scope, self.receive, send)

    def _new_scope(self, method: str, address: str) -> Scope:
        whole = f"{self.path}/gradio_api/{address}"
        state = self.scope["state"]
        kept = (SIGNED_IN, RECOGNISE, REQUEST_ID, TRACE)
        left_out = _BODY_HEADERS | _RESPONSE_HEADERS
        return {
            **self.scope,
            "method": method,
            "path": whole,
            "raw_path": whole.encode("utf-8", "surrogatepass"),
            "query_string": b"",
            "headers": [pair for pair in self.scope["headers"] if pair[0] not in left_out],
            # A new mapping for each request: an event stores data about its caller in it.
            "state": {key: state[key] for key in kept if key in state},
            "session": dict(self.scope["session"]),
        }
