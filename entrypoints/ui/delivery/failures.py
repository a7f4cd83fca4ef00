"""Turn Gradio's failures on malformed requests, which it answers with 500, into 400."""

import errno
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.types import Message, Send

from domain.errors import DiskFull
from entrypoints.access import REQUEST_ID
from entrypoints.ui.calls.errors import EVENT_STATUS
from entrypoints.ui.full_disk import is_full
from entrypoints.ui.wire.exchange import Exchange

_OF_THE_REQUEST: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    FnIndexInferError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Exceptions that code raises for unexpected input. An event's own exceptions never get here."""
_OF_A_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.EISDIR})

log = structlog.get_logger()

Handler = Callable[[Exchange], Awaitable[None]]


async def respond_or_refuse(handler: Handler, exchange: Exchange) -> None:
    """Run a handler. Respond with 400 if Gradio cannot read the request, and if an event is refused. Raises
    HTTPException, DiskFull, and unexpected errors unchanged."""
    scope, send = exchange.scope, exchange.send
    response = _Response(send)
    try:
        await handler(exchange.sending(response.send))
    except (*_OF_THE_REQUEST, OSError) as error:
        if is_full(error) and not response.has_begun:
            log.exception("disk full", path=scope["path"][:500])
            raise DiskFull from error
        if response.has_begun or (isinstance(error, OSError) and error.errno not in _OF_A_NAME):
            raise
        log.warning(
            "gradio could not read a request",
            path=scope["path"][:500],
            fault=type(error).__name__,
            request_id=scope["state"].get(REQUEST_ID),
        )
        raise HTTPException(400, "The app does not understand this request.") from None
    except RuntimeError as error:
        if not (response.has_begun and isinstance(error.__cause__, HTTPException)):
            raise
        # Gradio has sent the error within the stream, and raises it when the status can no longer change.
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await response.finish(status=scope["state"].get(EVENT_STATUS, 400))


class _Response:
    """Holds back a 500: Gradio sends one and may raise afterwards."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if self._held or (message["type"] == "http.response.start" and message["status"] == 500):
            self._held.append(message)
            return
        self.has_begun = True
        await self._send(message)

    async def finish(self, *, status: int) -> None:
        for message in self._held:
            is_start = message["type"] == "http.response.start"
            await self._send({**message, "status": status} if is_start else message)
