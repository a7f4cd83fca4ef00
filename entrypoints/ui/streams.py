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
    """Runs `inner` until it is done, the session ends or the server stops; then sends `last_words` and closes."""
    recognise: RecogniseAgain = scope["state"][RECOGNISE]
    stream = _Stream(send, recognise)
    running = asyncio.ensure_future(inner(scope, receive, stream.send))
    watching = asyncio.create_task(_until_over(recognise, stopping))
    refused = asyncio.create_task(stream.is_over.wait())
    try:
        await asyncio.wait({running, watching, refused}, return_when=asyncio.FIRST_COMPLETED)
        if running.done() and not stream.is_over.is_set():
            running.result()
            return
        if watching.done():
            watching.result()
        stream.is_cut = True
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await stream.close_with(last_words)
    finally:
        for task in (running, watching, refused):
            task.cancel()


class _Stream:
    def __init__(self, send: Send, recognise: RecogniseAgain) -> None:
        self._send = send
        self._recognise = recognise
        self._has_started = False
        self.is_cut = False
        self.is_over = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self.is_cut or self.is_over.is_set():
            return
        if _FAILED in message.get("body", b"") and await self._has_ended():
            self.is_over.set()
            return
        if message["type"] == "http.response.start":
            self._has_started = True
        await self._send(message)

    async def _has_ended(self) -> bool:
        """A step that was refused since the session ended: told as a failure of the event, the tab would stay."""
        try:
            await self._recognise(activity=False)
        except SessionEnded:
            return True
        except StoreUnavailable:
            return False
        return False

    async def close_with(self, last_words: bytes) -> None:
        if not self._has_started:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": last_words, "more_body": False})


async def _until_over(recognise: RecogniseAgain, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), ASK_EVERY)
        try:
            await recognise(activity=False)
        except SessionEnded:
            return
        except StoreUnavailable:
            continue  # It was allowed to listen; whether it still is, is asked again in a second.
