"""Streams end with the session: a tab that listens is told, and goes to the sign-in page by itself."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import SessionEnded, StoreUnavailable
from entrypoints.access import RECOGNISE, RecogniseAgain

ASK_EVERY: Final = 1.0
"""Seconds. Mostly answered by the cache of recognised sessions."""

SESSION_EXPIRED: Final = (
    b'data: {"msg":"unexpected_error","event_id":null,"message":"Session expired",'
    b'"session_not_found":true,"success":false}\n\n'
)
"""What Gradio's front end takes for "reload this page". A stream that merely stops in the middle of an event hangs the
tab for ever."""

_FAILED: Final = b'"success":false'


async def run_while_signed_in(
    inner: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    stopping: asyncio.Event,
    last_words: bytes,
) -> None:
    """Runs `inner` until it is done, the session ends or the server stops; then sends `last_words` and closes.
    Both are asked every ASK_EVERY seconds: a stream of a quick event is never asked at all."""
    recognise: RecogniseAgain = scope["state"][RECOGNISE]
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stream = _Stream(send, recognise, over)
    running = asyncio.ensure_future(inner(scope, receive, stream.send))
    try:
        while not over.done():
            await asyncio.wait({running, over}, timeout=ASK_EVERY, return_when="FIRST_COMPLETED")
            if running.done() and not over.done():
                running.result()
                return
            if stopping.is_set() or await _has_ended(recognise):
                break
        stream.is_cut = True
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await stream.close_with(last_words)
    finally:
        running.cancel()


async def _has_ended(recognise: RecogniseAgain) -> bool:
    try:
        await recognise(activity=False)
    except SessionEnded:
        return True
    except StoreUnavailable:
        pass  # It was allowed to listen; whether it still is, is asked again in a second.
    return False


class _Stream:
    def __init__(self, send: Send, recognise: RecogniseAgain, over: asyncio.Future[None]) -> None:
        self._send = send
        self._recognise = recognise
        self._over = over
        self._has_started = False
        self.is_cut = False

    async def send(self, message: Message) -> None:
        if self.is_cut or self._over.done():
            return
        if _FAILED in message.get("body", b"") and await _has_ended(self._recognise):
            # A step refused since the session ended: told as a failure of its event, the tab would stay.
            self._over.set_result(None)
            return
        if message["type"] == "http.response.start":
            self._has_started = True
        await self._send(message)

    async def close_with(self, last_words: bytes) -> None:
        if not self._has_started:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": last_words, "more_body": False})
