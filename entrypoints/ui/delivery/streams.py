"""Keep streams open through proxies, and end them when their session ends, so that the tab goes to the sign-in page by
itself."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Final

from starlette.types import Message, Receive, Send

from domain.errors import SessionEnded, SessionExpired, StoreUnavailable
from domain.model.session import SessionId
from entrypoints.access import RECOGNISE, SIGNED_IN, RecogniseAgain
from entrypoints.ui.wire.exchange import Exchange

ASK_EVERY: Final = 1.0
"""Seconds between two checks of a stream's session. The session cache answers most of them."""

KEPT_OPEN_EVERY: Final = 1.5
"""Seconds of silence before a blank line is sent: some proxies close a stream after three silent seconds."""
_BLANK: Final = b"\n\n"
"""Not a comment of server-sent events: Gradio's Python client rejects those."""
_UNBUFFERED: Final = [
    (b"cache-control", b"private, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # For nginx.
]

SESSION_EXPIRED: Final = (
    b'data: {"msg":"unexpected_error","event_id":null,"message":"Session expired",'
    b'"session_not_found":true,"success":false}\n\n'
)
"""A message after which Gradio's front end reloads the page. If a stream merely stops in the middle of an event, the
tab waits forever."""
RESULT_LOST: Final = (
    b'data: {"msg":"log","event_id":null,"level":"error","title":"Connection lost","log":"The connection was interrupted '
    b'for too long, and the result is lost. Run it again.","duration":null,"visible":true}\n\n'
    b'data: {"msg":"unexpected_error","event_id":null,"message":"The result is lost.","session_not_found":false,'
    b'"success":false}\n\n'
    b'data: {"msg":"close_stream","event_id":null}\n\n'
)
"""A toast, the end of the tab's events, and the end of the stream, after which Gradio's front end opens a new one for the
next event."""

IS_OVER: Final = "stream_is_over"
"""Key in the scope's `state`: set when the session has ended or the server stops, so that no client comes back."""
MAY_COME_BACK: Final = "client_may_come_back"
"""Key in the scope's `state`: set when the session has expired, or another one has taken its tabs over, so that the client
may come back with the next session."""
RESUMES: Final = "client_resumes_streams"
"""Key in the scope's `state`: set if the client connects again after its stream was cut."""
_FAILED: Final = b'"success":false'


Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Streams:
    """Wraps handlers, so that their streams end when the session ends or the server stops."""

    stopping: asyncio.Event
    watch: Callable[[SessionId], Callable[[], bool]] = lambda _: _never
    """Returns a function that tells whether another session has taken over the tabs of a session."""
    counted: Callable[[], AbstractContextManager[object]] = nullcontext
    """Counts a stream that is open inside the block."""

    def until_session_ends(
        self, handler: Handler, *, last_words: bytes = b"", cleans_up: bool = False
    ) -> Handler:
        """Wrap a handler. `last_words` are sent if the stream is ended early. A handler that `cleans_up` is then told
        that the client has left, and runs to its end; others are cancelled."""

        async def handle(exchange: Exchange) -> None:
            with self.counted():
                await self._run(handler, exchange, last_words, cleans_up=cleans_up)

        return handle

    async def _run(
        self, handler: Handler, exchange: Exchange, last_words: bytes, *, cleans_up: bool
    ) -> None:
        """Check the session and the server every ASK_EVERY seconds. The stream of a quick event ends before the first
        check."""
        state = exchange.scope["state"]
        recognise: RecogniseAgain = state[RECOGNISE]
        is_taken_over = self.watch(state[SIGNED_IN].session.id) if SIGNED_IN in state else _never
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stream = _Stream(exchange.send, recognise, over)
        leaves = asyncio.Event()
        inner = exchange.sending(stream.send)
        if cleans_up:
            inner = replace(inner, receive=_until(leaves, exchange.receive))
        running = asyncio.ensure_future(handler(inner))
        end: SessionEnded | None = None
        try:
            while not over.done():
                await asyncio.wait(
                    {running, over}, timeout=ASK_EVERY, return_when="FIRST_COMPLETED"
                )
                if running.done() and not over.done():
                    running.result()
                    return
                end = await _end_of(recognise)
                if self.stopping.is_set() or end is not None:
                    break
                await stream.keep_open()
            stream.is_cut = True
            goes_on = RESUMES in state and is_taken_over() and not self.stopping.is_set()
            if goes_on:
                state[MAY_COME_BACK] = True
                last_words = b""
            if cleans_up:
                has_expired = isinstance(end, SessionExpired) and not self.stopping.is_set()
                state[MAY_COME_BACK if goes_on or has_expired else IS_OVER] = True
                leaves.set()
                await stream.close_with(last_words)
                await running
                return
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await stream.close_with(last_words)
        finally:
            running.cancel()


def _never() -> bool:
    return False


def _until(leaves: asyncio.Event, receive: Receive) -> Receive:
    """Return a `receive` after which the client seems to leave when the event is set."""

    async def receive_or_leave() -> Message:
        message = asyncio.ensure_future(receive())
        left = asyncio.ensure_future(leaves.wait())
        try:
            await asyncio.wait({message, left}, return_when="FIRST_COMPLETED")
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            left.cancel()

    return receive_or_leave


async def _end_of(recognise: RecogniseAgain) -> SessionEnded | None:
    """Return why the session has ended, or None if it lives."""
    try:
        await recognise(activity=False)
    except SessionEnded as error:
        return error
    except StoreUnavailable:
        pass  # The session was live before; it is checked again in a second.
    return None


class _Stream:
    def __init__(self, send: Send, recognise: RecogniseAgain, over: asyncio.Future[None]) -> None:
        self._send = send
        self._recognise = recognise
        self._over = over
        self._has_started = False
        self._is_of_events = False
        self._is_between_events = True
        self._is_sending = False
        self._last_sent = 0.0
        self.is_cut = False

    async def send(self, message: Message) -> None:
        if self.is_cut or self._over.done():
            return
        if _FAILED in message.get("body", b"") and await _end_of(self._recognise):
            # The step failed because the session has ended. A failed event alone would not reload the tab.
            self._over.set_result(None)
            return
        if message["type"] == "http.response.start":
            message = self._started(message)
        elif body := message.get("body", b""):
            self._is_between_events = body.endswith(_BLANK)
        self._is_sending = True
        try:
            await self._send(message)
        finally:
            self._is_sending = False
            self._last_sent = asyncio.get_running_loop().time()

    def _started(self, message: Message) -> Message:
        self._has_started = True
        kind = next((v for name, v in message["headers"] if name.lower() == b"content-type"), b"")
        self._is_of_events = kind.startswith(b"text/event-stream")
        more = _UNBUFFERED if self._is_of_events else []
        return {**message, "headers": [*message["headers"], *more]}

    async def keep_open(self) -> None:
        """Send a blank line if nothing has been sent for a while."""
        now = asyncio.get_running_loop().time()
        is_silent = not self._is_sending and now - self._last_sent >= KEPT_OPEN_EVERY
        if is_silent and self._is_of_events and self._is_between_events:
            self._last_sent = now
            await self._send({"type": "http.response.body", "body": _BLANK, "more_body": True})

    async def close_with(self, last_words: bytes) -> None:
        if not self._has_started:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), *_UNBUFFERED]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": last_words, "more_body": False})
