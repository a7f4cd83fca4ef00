"""Send a request to another replica, and stream the response back."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from domain.errors import ReplicaGone
from entrypoints.replicas.homes import Peer
from entrypoints.replicas.hops import HEADER, REFUSED, TOLD, Hops, target_of
from entrypoints.replicas.shares import share_of_files

_CONNECTING: Final = 1.0
"""Seconds until a replica that accepts no connection counts as gone."""
_KEPT: Final = 2.0
"""Seconds for which an unused connection stays open: shorter than those of the other side, so that it is never sent to
while the other side closes it."""
_OF_THE_CONNECTION: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", HEADER),
    }
)
"""Headers of one connection, which are not passed on (RFC 9110, section 7.6.1)."""

Headers = list[tuple[bytes, bytes]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    client: httpx.AsyncClient
    hops: Hops

    @classmethod
    @asynccontextmanager
    async def opened(cls, hops: Hops) -> AsyncIterator["Forwarding"]:
        async with httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=_CONNECTING, pool=_CONNECTING),
            limits=httpx.Limits(
                max_connections=share_of_files(),
                max_keepalive_connections=100,
                keepalive_expiry=_KEPT,
            ),
            trust_env=False,  # No proxy between replicas.
        ) as client:
            yield cls(client=client, hops=hops)

    async def send(
        self,
        peer: Peer,
        signature: str,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        has_body: bool,
    ) -> None:
        """Send the request to the replica, with the signature of its hop, its body if it has one, and its response to the client. Whoever
        leaves ends it for the other. Raises ReplicaGone if there is no response, or the replica goes before its end,
        ClientDisconnect, and what `receive` raises."""
        headers = [*_passed_on(scope["headers"], has_body=has_body), (HEADER, signature.encode())]
        if has_body and b"content-length" not in dict(headers):
            headers.append((b"transfer-encoding", b"chunked"))
        sent = _Sent(receive, has_body=has_body)
        request = self.client.build_request(
            scope["method"],
            peer.replica.url,
            content=sent.chunks() if has_body else None,
            # As the client has written it. A URL would be spelled in another way, and the signature not fit.
            extensions={"target": target_of(scope)},
        )
        request.headers = httpx.Headers(headers)
        await _until_left(
            self._exchange(request, send), peer.gone.wait(), sent.until_client_leaves()
        )

    async def tell(self, peer: Peer, said: Mapping[str, str], secret: str) -> None:
        """Send a replica what no client has sent: `said` in the query, `secret` in the body. Raises ReplicaGone."""
        query = urlencode(said)
        scope = {"method": "POST", "raw_path": TOLD, "query_string": query.encode()}
        signature = self.hops.sign(scope, "-", to=peer.replica.id)
        try:
            response = await self.client.post(
                f"{peer.replica.url}{TOLD.decode()}?{query}",
                content=secret,
                headers={HEADER.decode(): signature},
                timeout=_CONNECTING,
            )
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise ReplicaGone from error

    async def _exchange(self, request: httpx.Request, send: Send) -> None:
        try:
            response = await self.client.send(request, stream=True)
        except httpx.TransportError as error:
            log.warning(
                "a replica does not respond", replica=str(request.url.netloc), why=str(error)
            )
            raise ReplicaGone from error
        try:
            if response.headers.get(HEADER.decode()) == REFUSED:
                log.warning(
                    "a replica refuses what this one sends on: do both have the same SECRET_KEY and time?",
                    replica=str(request.url.netloc),
                )
                raise ReplicaGone
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": _passed_on(response.headers.raw, has_body=True),
                }
            )
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.TransportError as error:
            raise ReplicaGone from error
        finally:
            await response.aclose()


class _Sent:
    """The client's side of a request that is passed on."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self._arrived = asyncio.Event()
        if not has_body:
            self._arrived.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises ClientDisconnect, and what the limits of a body raise."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            yield message.get("body", b"")
        self._arrived.set()

    async def until_client_leaves(self) -> None:
        """Raises ClientDisconnect when the client has left. While its body arrives, `chunks` notices that."""
        await self._arrived.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect


async def _until_left(
    exchange: Coroutine[Any, Any, None],
    gone: Coroutine[Any, Any, Any],
    left: Coroutine[Any, Any, None],
) -> None:
    """Run the exchange until its end. Cancel it when the replica has gone or the client has left. Raises ReplicaGone and
    ClientDisconnect then."""
    tasks = [asyncio.ensure_future(each) for each in (exchange, gone, left)]
    exchanging, going, leaving = tasks
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if exchanging.done():
            exchanging.result()
        elif going.done():
            raise ReplicaGone
        else:
            leaving.result()  # Raises ClientDisconnect.
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _passed_on(headers: Collection[tuple[bytes, bytes]], *, has_body: bool) -> Headers:
    # A length beside a transfer encoding does not count (RFC 9112, section 6.3).
    has_length = has_body and all(name.lower() != b"transfer-encoding" for name, _ in headers)
    unwanted = _OF_THE_CONNECTION if has_length else _OF_THE_CONNECTION | {b"content-length"}
    return [(name.lower(), value) for name, value in headers if name.lower() not in unwanted]
