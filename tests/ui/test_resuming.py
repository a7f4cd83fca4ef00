"""A page resumes a stream whose connection was cut. Nothing is lost, and nobody else can do it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr
import pytest
from starlette.types import Message, Receive, Scope, Send

from domain.model.caller import Caller
from entrypoints.ui import limits
from entrypoints.ui.delivery.streams import RESULT_LOST, SESSION_EXPIRED
from entrypoints.ui.isolation.resumable_stream import Listener, ResumableStream
from entrypoints.ui.isolation.resuming import ResumableStreams
from entrypoints.ui.wire.exchange import Exchange
from tests.ui.attacks import API, OpenStream, joins, opened
from tests.ui.conftest import Browser, House, Mounts

DATA: Final = f"{API}/queue/data"


@dataclass(slots=True)
class Steps:
    """An event that yields each number when it may."""

    may: list[asyncio.Event] = field(default_factory=lambda: [asyncio.Event() for _ in range(4)])
    taken: list[int] = field(default_factory=list)
    is_leftover: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> AsyncIterator[str]:
        try:
            for number, may in enumerate(self.may):
                await may.wait()
                self.taken.append(number)
                yield f"step {number}"
        finally:
            self.is_stopped.set()

    async def leave(self) -> None:
        self.is_leftover.set()

    def app(self) -> gr.Blocks:
        with gr.Blocks() as demo:
            gr.State(0)
            gr.Button().click(self.run, None, gr.Textbox(), api_name="run")
            demo.unload(self.leave)
        return demo  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Tab:
    house: House
    browser: Browser
    stream: str = "one"

    def listens(self, after: int | None = None) -> AbstractAsyncContextManager[Any]:
        headers = {"x_gradioapp_stream": self.stream}
        if after is not None:
            headers["last_event_id"] = str(after)
        return opened(self.house, self.browser, DATA, "session_hash=mine", **headers)


def numbers(stream: OpenStream) -> list[int]:
    return [int(number) for number in re.findall(r"^id: (\d+)$", stream.text, re.MULTILINE)]


@contextmanager
def cut_for(seconds: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "CUT_FOR", seconds)
        yield


async def test_an_event_goes_on_while_its_connection_is_cut_and_its_result_arrives(
    mounted: Mounts,
) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")

    async with tab.listens() as first:
        steps.may[0].set()
        await first.says("step 0")
    for may in steps.may:
        may.set()
    async with tab.listens(after=numbers(first)[-1]) as second:
        await second.says("close_stream")

    assert numbers(first) == list(range(1, len(numbers(first)) + 1))
    assert numbers(second)[0] == numbers(first)[-1] + 1
    assert '"success":true' in second.text
    assert steps.taken == [0, 1, 2, 3]


async def test_a_message_that_was_sent_to_a_dead_connection_is_sent_again(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")
    for may in steps.may:
        may.set()

    async with tab.listens() as dead:
        await dead.says("close_stream")
    async with tab.listens(after=2) as alive:
        await alive.says("close_stream")

    assert dead.text.endswith(alive.text)
    assert numbers(alive)[0] == 3


async def test_a_new_connection_takes_the_place_of_one_that_nobody_reads(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")

    async with tab.listens() as old:
        steps.may[0].set()
        await old.says("step 0")
        async with tab.listens(after=numbers(old)[-1]) as new:
            for may in steps.may:
                may.set()
            await new.says("close_stream")

    assert "close_stream" not in old.text
    assert '"success":true' in new.text


async def test_an_event_is_cancelled_if_nobody_resumes_its_stream(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")

    with cut_for(0.05):
        async with tab.listens() as first:
            steps.may[0].set()
            await first.says("step 0")
        await asyncio.sleep(0.2)
    for may in steps.may:
        may.set()
    await asyncio.wait_for(steps.is_stopped.wait(), 10)
    async with tab.listens(after=numbers(first)[-1]) as second:
        await second.says("close_stream")

    assert second.text == RESULT_LOST.decode()
    assert steps.taken in ([0], [0, 1])


async def test_the_end_of_the_server_is_told_from_a_lost_result(mounted: Mounts) -> None:
    house = await mounted(Steps().app())
    tab = Tab(house, await house.signed_in())

    async with tab.listens(after=3) as stream:
        await stream.says("unexpected_error")

    assert stream.text == SESSION_EXPIRED.decode()


async def test_an_event_without_a_page_that_resumes_is_cancelled_at_once(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    ada = await house.signed_in()
    await joins(ada, house, "run", tab="mine")

    async with opened(house, ada, DATA, "session_hash=mine") as stream:
        steps.may[0].set()
        await stream.says("step 0")
    for may in steps.may:
        may.set()
    await asyncio.wait_for(steps.is_stopped.wait(), 10)

    assert "id:" not in stream.text
    assert steps.taken in ([0], [0, 1])


async def test_a_stream_is_resumed_only_by_its_own_session(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    ada, phone = await house.signed_in(), await house.signed_in()
    bob = await house.signed_in("bob@example.org")
    await joins(ada, house, "run", tab="mine")
    for may in steps.may:
        may.set()
    async with Tab(house, ada).listens() as first:
        await first.says("close_stream")

    for other in (phone, bob):
        async with Tab(house, other).listens(after=0) as stream:
            await stream.says("unexpected_error")
        assert "step" not in stream.text


@pytest.mark.parametrize("kind", ["events", "heartbeat"])
async def test_a_closed_tab_ends_its_streams_at_once(mounted: Mounts, kind: str) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    beat = f"{API}/heartbeat/mine"

    if kind == "events":
        await joins(tab.browser, house, "run", tab="mine")
        async with tab.listens() as stream:
            steps.may[0].set()
            await stream.says("step 0")
        steps.may[1].set()
    else:
        async with opened(house, tab.browser, beat, x_gradioapp_stream="two") as stream:
            await stream.says("ALIVE")
        await asyncio.sleep(0.1)
        assert not steps.is_leftover.is_set()
    closed = await tab.browser.http.post(f"{beat}/close")

    assert closed.status_code == 204
    await asyncio.wait_for((steps.is_stopped if kind == "events" else steps.is_leftover).wait(), 10)


async def test_a_heartbeat_that_is_cut_does_not_unload_the_tab(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    ada = await house.signed_in()
    beat = f"{API}/heartbeat/mine"

    async with opened(house, ada, beat, x_gradioapp_stream="one") as first:
        await first.says("ALIVE")
    async with opened(house, ada, beat, x_gradioapp_stream="one", last_event_id="0") as second:
        await second.says("ALIVE")

    assert numbers(second)[0] == 1
    assert not steps.is_leftover.is_set()


@pytest.mark.asvs("7.4.1")
async def test_an_ended_session_ends_a_resumable_stream_and_nobody_resumes_it(
    mounted: Mounts,
) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")

    async with tab.listens() as stream:
        steps.may[0].set()
        await stream.says("step 0")
        assert tab.browser.session is not None
        await house.use_cases.revoke_session(Caller.operator(), tab.browser.session.id)
        await stream.says("session_not_found")
        steps.may[1].set()
        await asyncio.wait_for(steps.is_stopped.wait(), 10)

    assert stream.text.encode().endswith(SESSION_EXPIRED)
    [account] = house.pages.accounts.all()
    assert account.streams.total() == 0
    assert account.resumable.size == 0


async def test_a_cut_stream_counts_as_open_until_it_ends(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")

    async with tab.listens() as stream:
        steps.may[0].set()
        await stream.says("step 0")
    [account] = house.pages.accounts.all()

    assert account.streams.total() == 1
    for may in steps.may:
        may.set()
    async with tab.listens(after=0) as stream:
        await stream.says("close_stream")
    assert account.streams.total() == 0


async def test_the_messages_that_are_kept_are_bounded_for_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SENT_AGAIN", 10_000)
    streams = ResumableStreams()

    async def respond(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(50):
            await send({"type": "http.response.body", "body": b"x" * 3000, "more_body": True})

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        pass

    exchange = Exchange(scope={}, receive=receive, send=send)
    for name in (b"one", b"two"):
        listener = Listener(name, None)
        stream = streams.begin((name, DATA), listener, respond, nullcontext(), state={})
        await stream.send_to(exchange, listener)

    assert 10_000 <= streams.size < 13_000
    assert stream.has_all_after(46)
    assert not stream.has_all_after(45)
    streams.leave(b"one")
    streams.leave(b"two")
    assert streams.size == 0


async def test_a_stream_whose_messages_were_dropped_ends_when_its_client_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SENT_AGAIN", 1)
    streams = ResumableStreams()

    async def respond(receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await receive()

    async def listens(stream: ResumableStream, listener: Listener) -> bytes:
        """Return what arrives until the stream ends, or until the client leaves after the first message."""
        body, has_message = bytearray(), asyncio.Event()

        async def receive() -> Message:
            await has_message.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            body.extend(message.get("body", b""))
            if message.get("body"):
                has_message.set()

        scope: Scope = {"type": "http", "headers": []}
        await stream.send_to(Exchange(scope=scope, receive=receive, send=send), listener)
        return bytes(body)

    first, again = Listener(b"a", None), Listener(b"a", 0)
    heartbeat = streams.begin(("tab", "a"), first, respond, nullcontext(), state={})
    assert await listens(heartbeat, first) == b"id: 1\ndata: 1\n\n"
    other = streams.begin(("tab", "b"), first, respond, nullcontext(), state={})
    assert await listens(other, first) == b"id: 1\ndata: 1\n\n"  # Drops the heartbeat's message.

    assert await listens(heartbeat, again) == b""

    streams.leave("tab")
    await asyncio.sleep(0)


async def test_one_stream_has_few_connections_at_once(mounted: Mounts) -> None:
    steps = Steps()
    house = await mounted(steps.app())
    tab = Tab(house, await house.signed_in())
    await joins(tab.browser, house, "run", tab="mine")
    blocked = asyncio.Event()
    [account] = house.pages.accounts.all()

    async def reads_nothing(message: Message) -> None:
        if message.get("body"):
            await blocked.wait()

    async def stays() -> Message:
        await blocked.wait()
        return {"type": "http.disconnect"}

    async with tab.listens() as first:
        steps.may[0].set()
        await first.says("step 0")
        [stream] = account.resumable._streams.values()
        exchange = Exchange(scope={}, receive=stays, send=reads_nothing)
        unread = [
            asyncio.create_task(stream.send_to(exchange, Listener(b"one", 0)))
            for _ in range(limits.CONNECTIONS_OF_STREAM - 1)
        ]
        await asyncio.sleep(0)
        async with tab.listens(after=0) as refused:
            await refused.has_begun.wait()
        assert refused.status == 429
        blocked.set()
        await asyncio.gather(*unread)

    async with tab.listens(after=0) as again:
        await again.says("step 0")
