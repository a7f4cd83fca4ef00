"""The application behind the listener for replicas: it accepts signed hops only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import SignedTokenRefused
from entrypoints.replicas.hops import HEADER, HOP, REFUSED, TOLD, Hops

Told = Callable[[dict[str, str], str], None]
"""Takes what another replica says, and a secret."""

_HEARS: Final = 5.0
"""Seconds for the few bytes that another replica says. The gate limits the bodies of all other requests."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenReplicas:
    gate: ASGIApp
    """The whole service, which checks the request as if the client had sent it here."""
    hops: Hops
    told: Told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            hop = self.hops.read(scope)
        except SignedTokenRefused:
            # Other keys, or a clock that differs by more than ten seconds: only an operator can mend that.
            log.warning("refused a request at the address for replicas: it has no valid signature")
            refusal = PlainTextResponse("Not found", 404, {HEADER.decode(): REFUSED})
            await refusal(scope, receive, send)
            return
        if scope["raw_path"] == TOLD:
            await self._hear(Request(scope, receive), send)
            return
        arrived = {
            **scope,
            "headers": [pair for pair in scope["headers"] if pair[0] != HEADER],
            "client": (hop.peer, hop.port),
            "scheme": hop.scheme,
            "state": {**scope.get("state", {}), HOP: hop},
        }
        await self.gate(arrived, receive, send)

    async def _hear(self, request: Request, send: Send) -> None:
        try:
            async with asyncio.timeout(_HEARS):
                secret = await request.body()
        except TimeoutError:
            await Response(status_code=408)(request.scope, request.receive, send)
            return
        try:
            self.told(dict(request.query_params), secret.decode())
        except (KeyError, ValueError):  # Of another release.
            log.warning("cannot understand what another replica says")
        await Response(status_code=204)(request.scope, request.receive, send)
