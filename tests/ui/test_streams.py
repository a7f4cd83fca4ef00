"""A stream runs as long as the session of its listener."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from domain.errors import SessionEnded, StoreUnavailable
from domain.model.caller import SignedIn
from entrypoints.access import RECOGNISE
from entrypoints.ui.delivery import streams
from entrypoints.ui.delivery.streams import Streams
from entrypoints.ui.wire.exchange import Exchange
from tests.builders import a_session, a_user

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
LAST_WORDS = b"data: over\n\n"

Inner = Callable[[Scope, Receive, Send], Awaitable[None]]


def body(text: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


@dataclass(slots=True)
class Listener:
    """The listener of a stream; records the messages that arrive."""

    refusal: type[SessionEnded | StoreUnavailable] | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[Message] = field(default_factory=list)
    asked: int = 0
    was_asked_often: asyncio.Event = field(default_factory=asyncio.Event)
    was_activity: bool = False

    async def recognise(self, *, activity: bool) -> SignedIn:
        self.asked += 1
        if self.asked == 3:
            self.was_asked_often.set()
        self.was_activity |= activity
        if self.refusal:
            raise self.refusal
        ada = a_user()
        return SignedIn(user=ada, session=a_session(of=ada), data={})

    async def hears(self, inner: Inner) -> None:
        async def receive() -> Message:
            raise NotImplementedError

        async def send(message: Message) -> None:
            self.heard.append(message)

        async def handler(exchange: Exchange) -> None:
            await exchange.passed_to(inner)

        scope = {"type": "http", "state": {RECOGNISE: self.recognise}}
        exchange = Exchange(scope=scope, receive=receive, send=send)
        ended = Streams(self.stopping).until_session_ends(handler, last_words=LAST_WORDS)
        await asyncio.wait_for(ended(exchange), timeout=5)

    @property
    def bodies(self) -> list[bytes]:
        return [m["body"] for m in self.heard if m["type"] == "http.response.body"]


@dataclass(slots=True)
class Endless:
    """Sends one message and then waits for ever."""

    before: Callable[[], None] = lambda: None
    starts: bool = True
    was_cancelled: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.starts:
            await send(START)
            await send(body(b"data: 1\n\n"))
        self.before()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


@pytest.fixture(autouse=True)
def _checks_the_session_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ASK_EVERY", 0.01)


async def test_a_stream_that_ends_by_itself_is_unchanged() -> None:
    listener = Listener()
    said = [START, body(b"data: 1\n\n"), body(b"data: 2\n\n"), body(b"", more=False)]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)

    await listener.hears(inner)

    assert listener.heard == said


@pytest.mark.asvs("7.4.1")
async def test_a_stream_whose_session_ends_is_cut_after_its_last_words() -> None:
    listener = Listener()
    inner = Endless(before=lambda: setattr(listener, "refusal", SessionEnded))

    await listener.hears(inner)

    assert listener.heard == [START, body(b"data: 1\n\n"), body(LAST_WORDS, more=False)]
    assert inner.was_cancelled


async def test_a_stream_that_has_not_started_is_started_for_its_last_words() -> None:
    listener = Listener(refusal=SessionEnded)

    await listener.hears(Endless(starts=False))

    start, end = listener.heard
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
    assert end == body(LAST_WORDS, more=False)


async def test_a_stream_is_cut_when_the_server_stops() -> None:
    listener = Listener()
    inner = Endless(before=listener.stopping.set)

    await listener.hears(inner)

    assert listener.heard == [START, body(b"data: 1\n\n"), body(LAST_WORDS, more=False)]
    assert inner.was_cancelled


@pytest.mark.asvs("16.5.3")
async def test_an_unavailable_database_does_not_cut_a_stream() -> None:
    listener = Listener(refusal=StoreUnavailable)
    said = [START, body(b"", more=False)]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(said[0])
        await listener.was_asked_often.wait()
        await send(said[1])

    await listener.hears(inner)

    assert listener.heard == said


@pytest.mark.asvs("7.3.1")
async def test_listening_is_no_activity() -> None:
    listener = Listener()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await listener.was_asked_often.wait()

    await listener.hears(inner)

    assert not listener.was_activity


async def test_a_stream_that_ends_at_once_needs_no_session_check() -> None:
    listener = Listener()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b'data: {"success":true}\n\n', more=False))

    await listener.hears(inner)

    assert listener.asked == 0


FAILED = body(b'data: {"msg":"process_completed","success":false}\n\n')


async def test_a_step_that_failed_after_the_end_of_the_session_is_replaced_by_the_last_words() -> (
    None
):
    listener = Listener(refusal=SessionEnded)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(FAILED)
        await send(body(b"data: more\n\n"))

    await listener.hears(inner)

    assert listener.heard == [START, body(LAST_WORDS, more=False)]


@pytest.mark.parametrize("refusal", [None, StoreUnavailable])
async def test_a_step_that_failed_for_another_reason_is_sent(
    refusal: type[StoreUnavailable] | None,
) -> None:
    listener = Listener(refusal=refusal)
    said = [START, FAILED, body(b"", more=False)]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)

    await listener.hears(inner)

    assert listener.heard == said


async def test_a_fault_inside_a_stream_is_raised() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Listener().hears(inner)


async def test_messages_of_a_cut_stream_are_dropped() -> None:
    listener = Listener(refusal=SessionEnded)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await asyncio.Event().wait()
        finally:
            await send(body(b"data: a secret\n\n"))

    await listener.hears(inner)

    assert listener.bodies == [LAST_WORDS]


async def test_a_listener_who_leaves_cancels_the_stream() -> None:
    listener, inner = Listener(), Endless()
    listening = asyncio.create_task(listener.hears(inner))
    for _ in range(5):
        await asyncio.sleep(0)

    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    await asyncio.sleep(0)

    assert inner.was_cancelled


EVENTS: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


async def test_proxies_are_told_not_to_buffer_a_stream_of_events() -> None:
    listener = Listener()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(EVENTS)
        await send(body(b"data: 1\n\n", more=False))

    await listener.hears(inner)

    headers = dict(listener.heard[0]["headers"])
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"no-transform" in headers[b"cache-control"]


@pytest.mark.parametrize(
    ("start", "said", "is_kept_open"),
    [(EVENTS, b"data: 1\n\n", True), (EVENTS, b"data: half", False), (START, b"a file\n\n", False)],
)
async def test_a_silent_stream_is_kept_open_with_blank_lines_between_its_events(
    monkeypatch: pytest.MonkeyPatch, start: Message, said: bytes, *, is_kept_open: bool
) -> None:
    monkeypatch.setattr(streams, "KEPT_OPEN_EVERY", 0.0)
    listener = Listener()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send(body(said))
        await listener.was_asked_often.wait()
        await send(body(b"", more=False))

    await listener.hears(inner)

    blank = listener.bodies[1:-1]
    assert set(blank) == ({b"\n\n"} if is_kept_open else set())


async def test_no_blank_line_is_sent_into_a_chunk_that_a_slow_client_has_not_taken() -> None:
    sent: list[bytes] = []
    may_go_on = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))
        await may_go_on.wait()

    stream = streams._Stream(send, Listener().recognise, asyncio.Future())
    may_go_on.set()
    await stream.send(EVENTS)
    may_go_on.clear()
    sending = asyncio.create_task(stream.send(body(b"data: 1\n\n")))
    await asyncio.sleep(0)
    stream._last_sent = -10.0

    await stream.keep_open()
    may_go_on.set()
    await sending

    assert sent == [b"", b"data: 1\n\n"]
