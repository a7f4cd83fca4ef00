"""The application behind the listener for replicas: it accepts signed hops only."""

from dataclasses import dataclass

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import SignedTokenRefused
from entrypoints.replicas.hops import HEADER, HOP, Hops

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenReplicas:
    gate: ASGIApp
    """The whole service, which checks the request as if the client had sent it here."""
    hops: Hops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            hop = self.hops.read(scope)
        except SignedTokenRefused:
            # Other keys, or a clock that differs by more than ten seconds: only an operator can mend that.
            log.warning("refused a request at the address for replicas: it has no valid signature")
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return
        arrived = {
            **scope,
            "headers": [pair for pair in scope["headers"] if pair[0] != HEADER],
            "client": (hop.peer, hop.port),
            "scheme": hop.scheme,
            "state": {**scope.get("state", {}), HOP: hop},
        }
        await self.gate(arrived, receive, send)
