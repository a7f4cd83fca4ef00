"""What Gradio answers to a request it could not read: its routes trust what they are sent, and call it their own fault."""

import errno
from typing import Final

import structlog
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import DiskFull
from entrypoints.access import REQUEST_ID
from entrypoints.ui.disk import is_full

EVENT_STATUS: Final = "event_status"
"""Key in the scope's `state`: what an event of this request that came to nothing is in HTTP; 400 without it."""

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
"""What code raises that was handed something else than it expects. An event's own exceptions never come this far."""
_OF_A_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.EISDIR})

log = structlog.get_logger()


async def answer_with(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs a route of Gradio; what it cannot read is a 400, and so is a refused event. Raises HTTPException, DiskFull, and
    faults as they come."""
    answer = _Answer(send)
    try:
        await inner(scope, receive, answer.send)
    except (*_OF_THE_REQUEST, OSError) as error:
        if is_full(error) and not answer.has_begun:
            log.exception("disk full", path=scope["path"][:500])
            raise DiskFull from error
        if answer.has_begun or (isinstance(error, OSError) and error.errno not in _OF_A_NAME):
            raise
        log.warning(
            "gradio could not read a request",
            path=scope["path"][:500],
            fault=type(error).__name__,
            request_id=scope["state"].get(REQUEST_ID),
        )
        raise HTTPException(400, "This is not a request that the app understands.") from None
    except RuntimeError as error:
        if not (answer.has_begun and isinstance(error.__cause__, HTTPException)):
            raise
        # A stream of nothing: Gradio has said so in it, and raises what can no longer be the status.
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await answer.finish(status=scope["state"].get(EVENT_STATUS, 400))


class _Answer:
    """Holds a 500 back: Gradio sends one and raises afterwards."""

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
