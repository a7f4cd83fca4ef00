"""SIGTERM lets running events finish for a while; Ctrl+C and a second signal do not."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from types import FrameType

import pytest

from entrypoints.shutdown import Shutdown

TERM, INT = signal.SIGTERM, signal.SIGINT


class Server:
    """What stands for uvicorn: its handlers of signals."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.is_busy = True

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.told.append(number)

    @asynccontextmanager
    async def with_patience(
        self, seconds: float, hand_over: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[Shutdown]:
        shutdown = Shutdown(
            draining=asyncio.Event(),
            stopping=asyncio.Event(),
            is_busy=lambda: self.is_busy,
            patience=seconds,
            hand_over=hand_over,
        )
        async with shutdown.noticed():
            yield shutdown


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    before = {number: signal.signal(number, server.handle) for number in (TERM, INT)}
    yield server
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_it_waits_until_the_events_have_finished(server: Server) -> None:
    async with server.with_patience(30) as shutdown:
        signal.raise_signal(TERM)
        await asyncio.sleep(0.3)
        meanwhile = (shutdown.draining.is_set(), shutdown.stopping.is_set(), list(server.told))
        server.is_busy = False
        await asyncio.wait_for(shutdown.stopping.wait(), 5)

    assert meanwhile == (True, False, [])
    assert server.told == [TERM]


async def test_it_waits_no_longer_than_it_may(server: Server) -> None:
    async with server.with_patience(0.2) as shutdown:
        signal.raise_signal(TERM)
        await asyncio.wait_for(shutdown.stopping.wait(), 5)

    assert server.told == [TERM]


@pytest.mark.parametrize("seconds", [0, 30])
async def test_without_events_or_patience_it_stops_at_once(server: Server, seconds: float) -> None:
    server.is_busy = seconds == 0
    async with server.with_patience(seconds) as shutdown:
        signal.raise_signal(TERM)
        await asyncio.sleep(0.05)

        assert shutdown.stopping.is_set()
        assert server.told == [TERM]


@pytest.mark.parametrize("signals", [(INT,), (TERM, TERM), (TERM, INT)])
async def test_ctrl_c_and_a_second_signal_stop_at_once(
    server: Server, signals: tuple[signal.Signals, ...]
) -> None:
    async with server.with_patience(30) as shutdown:
        for number in signals:
            signal.raise_signal(number)
            await asyncio.sleep(0.05)

        assert shutdown.stopping.is_set()
        assert server.told == [signals[-1]]
        await asyncio.sleep(0.3)

    assert server.told == [signals[-1]]


async def test_events_begin_while_accounts_are_handed_over(server: Server) -> None:
    server.is_busy = False
    is_over = asyncio.Event()

    async def hand_over() -> None:
        await is_over.wait()

    async with server.with_patience(30, hand_over) as shutdown:
        signal.raise_signal(TERM)
        await asyncio.sleep(0.1)
        meanwhile = (shutdown.has_begun, shutdown.draining.is_set(), shutdown.stopping.is_set())
        is_over.set()
        await asyncio.wait_for(shutdown.stopping.wait(), 5)

    assert meanwhile == (True, False, False)
    assert server.told == [TERM]


async def test_handing_over_takes_half_of_the_time(server: Server) -> None:
    async with server.with_patience(1, asyncio.Event().wait) as shutdown:  # type: ignore[arg-type]
        signal.raise_signal(TERM)
        await asyncio.wait_for(shutdown.draining.wait(), 0.9)
        is_stopping = shutdown.stopping.is_set()
        await asyncio.wait_for(shutdown.stopping.wait(), 5)

    assert not is_stopping


async def test_a_failure_to_hand_over_is_no_reason_to_stay(server: Server) -> None:
    async def fail() -> None:
        raise ValueError

    server.is_busy = False
    async with server.with_patience(30, fail) as shutdown:
        signal.raise_signal(TERM)
        await asyncio.wait_for(shutdown.stopping.wait(), 5)

    assert server.told == [TERM]


async def test_the_servers_handlers_are_back_afterwards(server: Server) -> None:
    async with server.with_patience(30):
        pass

    assert signal.getsignal(TERM) == server.handle
    assert signal.getsignal(INT) == server.handle
