"""The event loop of the service runs on, whatever the code of an app raises in it."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Final, NoReturn

import gradio as gr
import pytest

from entrypoints.event_loop import ServiceLoop
from gradioapp.testing import Failed, Served, serving

Work = Callable[[str], Awaitable[str]]


class Own(BaseException):
    pass


async def exits() -> NoReturn:
    sys.exit("no API key")


async def interrupts() -> NoReturn:
    raise KeyboardInterrupt


async def waits_for_one_that_exits(_: str) -> None:
    await asyncio.wait_for(exits(), 5)


async def waits_for_one_that_interrupts(_: str) -> None:
    await asyncio.wait_for(interrupts(), 5)


async def gathers(_: str) -> None:
    await asyncio.gather(asyncio.sleep(0), exits())


async def groups(_: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(exits())


async def awaits_a_task(_: str) -> None:
    await asyncio.create_task(exits())


async def cancels_what_it_awaits(_: str) -> None:
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


async def raises_a_cancellation(_: str) -> None:
    raise asyncio.CancelledError


async def raises_a_generator_exit(_: str) -> None:
    raise GeneratorExit


async def raises_its_own(_: str) -> None:
    raise Own


def raises_its_own_in_a_thread(_: str) -> None:
    raise Own


def closes_in_a_thread(_: str) -> Iterator[str]:
    yield "begun"
    raise GeneratorExit


async def closes(_: str) -> AsyncIterator[str]:
    yield "begun"
    raise GeneratorExit


FAILING: Final = (
    waits_for_one_that_exits,
    waits_for_one_that_interrupts,
    gathers,
    groups,
    awaits_a_task,
    cancels_what_it_awaits,
    raises_a_cancellation,
    raises_a_generator_exit,
    raises_its_own,
    raises_its_own_in_a_thread,
    closes_in_a_thread,
    closes,
)


async def starts_a_task_that_exits(_: str) -> str:
    task = asyncio.create_task(exits())
    await asyncio.wait([task])
    return "done"


async def schedules_an_exit(_: str) -> str:
    asyncio.get_running_loop().call_later(0.01, sys.exit, 8)
    await asyncio.sleep(0.05)
    return "done"


async def stops_the_loop(_: str) -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return "done"


PASSING: Final = (starts_a_task_that_exits, schedules_an_exit, stops_the_loop)


async def exits_at_its_end(_: str) -> AsyncIterator[str]:
    try:
        while True:
            yield "value"
            await asyncio.sleep(0.01)
    finally:
        sys.exit(3)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        for fn in (*FAILING, *PASSING, exits_at_its_end):
            gr.Button().click(fn, text, text, api_name=fn.__name__)
        gr.Button().click(lambda: "still here", None, text, api_name="works")
    with serving(demo) as app:
        yield app


@pytest.mark.parametrize("fn", FAILING)
def test_an_event_fails_alone_whatever_it_raises(fn: Callable[..., Any], served: Served) -> None:
    with pytest.raises(Failed):
        served.signed_in("ada@example.com").call(fn.__name__, "a")

    assert served.signed_in("bob@example.com").call("works") == "still here"


@pytest.mark.parametrize("fn", PASSING)
def test_what_an_event_leaves_behind_ends_nobody_else(
    fn: Callable[..., Any], served: Served
) -> None:
    assert served.signed_in("ada@example.com").call(fn.__name__, "a") == "done"

    assert served.signed_in("bob@example.com").call("works") == "still here"


def test_a_generator_that_exits_when_its_client_leaves_ends_nobody_else(served: Served) -> None:
    values = served.signed_in("ada@example.com").stream("exits_at_its_end", "a")
    assert next(values) == "value"
    assert isinstance(values, Generator)
    values.close()

    assert served.signed_in("bob@example.com").call("works") == "still here"


# The loop itself


def run_in(loop: ServiceLoop, work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return loop.run_until_complete(work())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_the_loop_ends_with_what_it_runs() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "result"

    assert run_in(ServiceLoop(), work) == "result"


def test_an_exit_of_what_the_loop_runs_leaves_it() -> None:
    with pytest.raises(SystemExit, match="no API key"):
        run_in(ServiceLoop(), exits)


def test_an_exit_while_the_loop_ends_does_not_keep_it_running() -> None:
    async def work() -> str:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            loop.call_soon(sys.exit, 1)
        loop.call_soon(loop.call_soon, sys.exit, 1)
        return "result"

    assert run_in(ServiceLoop(), work) == "result"


def test_a_plain_run_forever_ends_with_stop() -> None:
    loop = ServiceLoop()
    loop.call_soon(loop.stop)

    loop.run_forever()

    loop.close()


def test_ctrl_c_leaves_the_loop_while_no_server_handles_it() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(5)

    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        run_in(ServiceLoop(), work)
    with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=ServiceLoop) as runner:
        runner.run(work())
