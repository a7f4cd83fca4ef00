"""Request bodies: the time they may take, and the bytes of them that may be in memory."""

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import pairwise
from typing import Any, Final, TypeVar

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message

from application.settings import load
from domain.model.user import UserId
from entrypoints.base_path import AT_ROOT
from entrypoints.web.headers import ResponseHeaders
from entrypoints.web.limits import IN_ALL, PER_ACCOUNT, SLOWEST, UNCOUNTED, ArrivingBodies, Body
from entrypoints.web.response import PART, OutgoingResponse
from tests.builders import a_user
from tests.web.conftest import Door

T = TypeVar("T")

STALL: Final = 30.0
"""Seconds that a sender may pause. The clock of these tests skips them."""


class SkippedTime(asyncio.SelectorEventLoop):
    """An event loop that puts its clock forward instead of waiting."""

    def __init__(self) -> None:
        self.skipped = 0.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return super().time() + self.skipped


class _Skipping(selectors.DefaultSelector):
    def __init__(self, loop: SkippedTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout:
            self._loop.skipped += timeout
        return ready


def run(act: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SkippedTime) as runner:
        return runner.run(act)


async def _read(arriving: Body) -> list[Message]:
    """Read the body to its end. Raises HTTPException."""
    messages = [await arriving.receive()]
    while messages[-1]["more_body"]:
        messages.append(await arriving.receive())
    return messages


def part(size: int = 1, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b"a" * size, "more_body": more}


def body(
    *sent: tuple[float, Message],
    account: UserId | None = None,
    arriving: Any = None,
    check: Any = None,
) -> Body:
    """Return a body of these messages, each sent after its seconds."""
    coming = list(sent)

    async def receive() -> Message:
        after, message = coming.pop(0)
        await asyncio.sleep(after)
        return message

    return Body(receive, limit=10**6, stall=STALL, account=account, arriving=arriving, check=check)


def refused(arriving: Body) -> HTTPException:
    with pytest.raises(HTTPException) as refusal:
        run(_read(arriving))
    return refusal.value


def test_a_body_that_stalls_is_refused_and_its_connection_closed() -> None:
    refusal = refused(body((0, part()), (STALL + 1, part(more=False))))

    assert refusal.status_code == 408
    assert refusal.headers == {"connection": "close"}


def test_a_body_that_arrives_too_slowly_is_refused() -> None:
    assert refused(body(*[(10.0, part())] * 4, (0, part(more=False)))).status_code == 408


def test_a_slow_body_with_short_pauses_arrives() -> None:
    pause = STALL - 1
    slow = [(pause, part(int(SLOWEST * pause)))] * 20

    assert len(run(_read(body(*slow, (pause, part(more=False)))))) == 21


def test_bytes_that_arrived_fast_do_not_allow_a_longer_pause() -> None:
    hoarded = part(int(SLOWEST * STALL * 20))

    assert refused(body((0, hoarded), (STALL + 1, part(more=False)))).status_code == 408


def test_a_session_is_checked_once_a_second_while_its_body_arrives() -> None:
    checked: list[float] = []

    async def check() -> None:
        checked.append(asyncio.get_running_loop().time())

    run(_read(body(*[(0.3, part(1000))] * 40, (0, part(more=False)), check=check)))

    assert len(checked) == 10
    assert all(after - before >= 1 for before, after in pairwise(checked))


def test_a_client_may_stay_connected_for_any_time_after_its_body() -> None:
    streaming = body((0, part(more=False)), (STALL * 20, {"type": "http.disconnect"}))

    async def listen() -> Message:
        await streaming.receive()
        return await streaming.receive()

    assert run(listen())["type"] == "http.disconnect"


def statuses(act: Callable[[], None], count: int) -> list[int]:
    """Run `act` this many times, and return the statuses; 200 means that nothing was raised."""
    found = []
    for _ in range(count):
        try:
            act()
        except HTTPException as refused:
            found.append(refused.status_code)
        else:
            found.append(200)
    return found


def test_arriving_bytes_are_limited_per_account_and_in_total() -> None:
    arriving = ArrivingBodies(largest=100)
    accounts = [a_user().id for _ in range(IN_ALL // PER_ACCOUNT + 1)]

    first = statuses(lambda: arriving.add(accounts[0], 100), PER_ACCOUNT + 1)
    arriving.remove(accounts[0], 100)
    others = [statuses(lambda a=a: arriving.add(a, 100), PER_ACCOUNT) for a in accounts[1:]]  # type: ignore[misc]

    assert first == [200] * PER_ACCOUNT + [429]
    assert others[:-1] == [[200] * PER_ACCOUNT] * (len(others) - 1)
    assert others[-1] == [503] * PER_ACCOUNT


@pytest.mark.parametrize("end", ["arrives", "is released"])
async def test_a_body_counts_until_it_has_arrived_or_is_released(end: str) -> None:
    account = a_user().id
    arriving = ArrivingBodies(largest=UNCOUNTED)
    large = body(
        *[(0.0, part(UNCOUNTED))] * PER_ACCOUNT,
        (0, part(more=False)),
        account=account,
        arriving=arriving,
    )
    for _ in range(PER_ACCOUNT):
        await large.receive()
    assert statuses(lambda: arriving.add(account, 1), 1) == [429]
    arriving.remove(account, 1)

    if end == "arrives":
        await large.receive()
    large.release()

    assert statuses(lambda: arriving.add(account, UNCOUNTED), PER_ACCOUNT) == [200] * PER_ACCOUNT


async def test_the_first_bytes_of_a_body_are_not_counted() -> None:
    account = a_user().id
    arriving = ArrivingBodies(largest=0)

    small = body((0, part(UNCOUNTED)), (0, part()), account=account, arriving=arriving)

    assert len((await small.receive())["body"]) == UNCOUNTED
    with pytest.raises(HTTPException):
        await small.receive()


class Stopping(httpx.AsyncByteStream):
    def __init__(self, size: int) -> None:
        self.size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a" * self.size
        await asyncio.sleep(60)


async def test_the_gate_refuses_a_body_that_stalls(make_door: Callable[..., Door]) -> None:
    door = make_door(stall_seconds=0.2)
    async with await door.signed_in() as ada:
        answer = await ada.post("/gradio/size", content=Stopping(10))

    assert answer.status_code == 408
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert "over a better connection" in answer.json()["detail"]


async def test_a_large_response_is_sent_in_parts() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    answer = OutgoingResponse(
        send, ResponseHeaders(load(env_file=None, environment="test")), "1", AT_ROOT
    )
    whole = bytes(range(256)) * (PART // 100)

    await answer.send({"type": "http.response.start", "status": 200, "headers": []})
    await answer.send({"type": "http.response.body", "body": whole, "more_body": True})
    await answer.send({"type": "http.response.body", "body": whole})

    assert b"".join(message["body"] for message in sent[1:]) == whole * 2
    assert max(len(message["body"]) for message in sent[1:]) <= PART
    assert [message.get("more_body", False) for message in sent[1:]].count(False) == 1
    assert not sent[-1].get("more_body")
