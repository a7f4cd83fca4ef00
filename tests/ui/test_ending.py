"""A session that is ended elsewhere stops the work that is under way in it, and tells the tab."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import gradio as gr
import pytest

from domain.model.caller import Caller
from entrypoints.ui.streams import SESSION_EXPIRED
from tests.ui.conftest import Mounts

STEP = 0.1
"""Seconds between two steps of the app's work."""


class Work:
    """A hundred steps, and when each was taken."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.is_under_way = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def step(self) -> int:
        self.taken.append(time.monotonic())
        if len(self.taken) == 5:
            self._loop.call_soon_threadsafe(self.is_under_way.set)
        return len(self.taken)

    def sync(self) -> Iterator[int]:
        for _ in range(100):
            yield self.step()
            threading.Event().wait(STEP)

    async def asynchronous(self) -> AsyncIterator[int]:
        for _ in range(100):
            yield self.step()
            await asyncio.sleep(STEP)


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
async def test_the_last_step_of_an_ended_session_is_taken_within_a_second(
    mounted: Mounts, kind: str
) -> None:
    work = Work()
    demo = gr.Blocks()
    with demo:
        gr.Button().click(getattr(work, kind), None, gr.Number(), api_name="work")
    house = await mounted(demo)
    ada = await house.signed_in()
    tab = await ada.start("work")
    told = asyncio.create_task(ada.stream(tab))
    await asyncio.wait_for(work.is_under_way.wait(), 20)

    assert ada.session is not None
    await house.app.revoke_session(Caller.operator(), ada.session.id)
    ended = time.monotonic()
    said = await asyncio.wait_for(told, 20)

    assert said.encode().endswith(SESSION_EXPIRED)
    assert max(work.taken) - ended < 1
    assert len(work.taken) < 20
