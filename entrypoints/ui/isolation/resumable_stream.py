"""One stream that outlives its connection."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from entrypoints.ui import limits
from entrypoints.ui.delivery.streams import MAY_COME_BACK
from entrypoints.ui.wire.exchange import Exchange

_STREAM: Final = b"x-gradioapp-stream"
_AFTER: Final = b"last-event-id"
_NAME: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")
_NUMBER: Final = re.compile(rb"[0-9]{1,15}")
_LEAST: Final = 1024
"""Bytes that a short message counts as."""

Response = Callable[[Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listener:
    """A client that resumes its stream if the connection is cut. `streams.js` sends these headers."""

    stream: bytes
    """The client's name for its stream."""
    after: int | None
    """The number of the last message that has arrived, 0 if there is none. None on the stream's first connection."""

    @classmethod
    def of(cls, scope: Scope) -> Self | None:
        """Return None for all other clients."""
        headers = dict(scope["headers"])
        stream, after = headers.get(_STREAM, b""), headers.get(_AFTER, b"")
        if not _NAME.fullmatch(stream):
            return None
        return cls(stream, int(after) if _NUMBER.fullmatch(after) else None)


@dataclass(frozen=True, slots=True)
class _Kept:
    number: int
    body: bytes

    @property
    def size(self) -> int:
        return max(len(self.body), _LEAST)


class ResumableStream:
    """A response that outlives its connection."""

    def __init__(
        self,
        name: bytes,
        state: dict[str, Any],
        *,
        keep: "Callable[[ResumableStream, int], None]",
        forget: "Callable[[ResumableStream], None]",
    ) -> None:
        """`state` is the one of its scope. `keep` is called with the size of each message, `forget` when the stream can
        no longer be resumed."""
        self.name = name
        self.state = state
        self.is_kept = False
        """True while it waits for the next session of its account."""
        self._keep = keep
        self._forget = forget
        self._start: Message | None = None
        self._kept: deque[_Kept] = deque()
        self._number = 0
        """The number of the latest message."""
        self._sent = 0
        """The number of the latest message that was sent to a connection, dead or alive."""
        self._connection: object | None = None
        """The connection that receives the next messages."""
        self._connections = 0
        """How many connections there are. Those whose place was taken may still send a large message."""
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        self._task: asyncio.Task[None]
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        return self._task.done()

    @property
    def oldest(self) -> int:
        """The bytes of the oldest message that is kept, 0 if there is none."""
        return self._kept[0].size if self._kept else 0

    def drop_oldest(self) -> int:
        return self._kept.popleft().size

    def begin(self, respond: Response, closing: ExitStack) -> None:
        self._task = asyncio.create_task(self._run(respond))
        self._task.add_done_callback(partial(self._ends, closing))

    def leave(self) -> None:
        """Tell Gradio that the client has left."""
        self._left.set()
        self._tell()
        if self.is_over:
            self._forget(self)

    async def ended(self) -> None:
        await asyncio.wait({self._task})

    def stop(self) -> None:
        """End the stream at once."""
        self._left.set()
        self._task.cancel()

    def has_all_after(self, number: int) -> bool:
        """Return whether every message after this one is kept."""
        next_one = self._kept[0].number if self._kept else self._number + 1
        return next_one - 1 <= number <= self._number

    async def send_to(self, exchange: Exchange, listener: Listener) -> None:
        """Send the messages that the listener lacks, and then the next ones, until the stream ends or the client
        leaves. A later connection takes the place of this one. If the handler is cancelled, because the session has
        ended or the server stops, the stream ends too, unless the client may come back with the next session. Raises
        HTTPException for too many connections."""
        if self._connections >= limits.CONNECTIONS_OF_STREAM:
            raise HTTPException(
                429, "Too many connections for one stream. Close some, or try again in 30 seconds."
            )
        self._connections += 1
        try:
            await self._send_over(exchange, listener)
        finally:
            self._connections -= 1

    async def _send_over(self, exchange: Exchange, listener: Listener) -> None:
        position = (listener.after or 0) if listener.stream == self.name else self._sent
        self.name = listener.stream
        connection = self._connection = object()
        self._cancel_timer()
        self.is_kept = False
        self._tell()

        def may_come_back() -> bool:
            return MAY_COME_BACK in exchange.scope.get("state", ())

        sending = asyncio.ensure_future(self._send(exchange.send, connection, position))
        leaving = asyncio.ensure_future(_disconnected(exchange.receive))
        try:
            await asyncio.wait({sending, leaving}, return_when="FIRST_COMPLETED")
        except asyncio.CancelledError:
            if not may_come_back():
                self.stop()
            raise
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            if self._connection is connection:
                self._connection = None
                self.wait_for_another(limits.KEPT_FOR if may_come_back() else limits.CUT_FOR)
        if sending.done():
            sending.result()

    async def _send(self, send: Send, connection: object, position: int) -> None:
        await self._until(partial(self._has_started, connection))
        if self._start is None:
            self._task.result()  # Raises its error.
            return
        await send(self._start)
        while self._connection is connection and (not self.is_over or position < self._number):
            await self._until(partial(self._has_news, connection, position))
            if not self.has_all_after(position):
                self.leave()  # The client is told so when it comes back, or begins a new stream.
                break
            for kept in [kept for kept in self._kept if kept.number > position]:
                if self._connection is not connection:
                    break
                numbered = b"id: %d\n%b" % (kept.number, kept.body)
                await send({"type": "http.response.body", "body": numbered, "more_body": True})
                position = kept.number
                self._sent = max(self._sent, position)
                self._tell()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self._connection is connection and not self._left.is_set():
            self._task.result()

    def _has_started(self, connection: object) -> bool:
        return self._start is not None or self.is_over or self._connection is not connection

    def _has_news(self, connection: object, position: int) -> bool:
        return self._number > position or self.is_over or self._connection is not connection

    async def _run(self, respond: Response) -> None:
        await respond(self._receive, self._put)

    async def _receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _put(self, message: Message) -> None:
        """Keep a message, and wait until it was sent: further ones wait in Gradio's queue, which is bounded."""
        if self._left.is_set():
            return  # Gradio tells the client that its stream was cancelled.
        if message["type"] == "http.response.start":
            self._start = message
            self._tell()
        elif body := message.get("body", b""):
            self._number = number = self._number + 1
            kept = _Kept(number, body)
            self._kept.append(kept)
            self._keep(self, kept.size)
            self._tell()
            await self._until(lambda: self._sent >= number or self._left.is_set())

    def _ends(self, closing: ExitStack, task: asyncio.Task[None]) -> None:
        closing.close()
        if not task.cancelled():
            task.exception()  # Retrieved, so that asyncio does not log it.
        if self._left.is_set():
            self._cancel_timer()
            self._forget(self)
        self._tell()

    def wait_for_another(self, seconds: float) -> None:
        """End the stream as if its client had left, unless a client resumes it within this time."""
        if self._connection is not None:
            return
        self._cancel_timer()
        self.is_kept = seconds == limits.KEPT_FOR
        if not (self._left.is_set() and self.is_over):
            self._timer = asyncio.get_running_loop().call_later(seconds, self.leave)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await self._news.wait()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
