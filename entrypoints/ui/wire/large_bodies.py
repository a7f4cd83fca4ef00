"""Keep the large bodies of one account from slowing down the events of all others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from entrypoints.ui.wire.json_scan import SLICE

SHORTEST: Final = 1e-6
"""Seconds. `sleep(0)` would resume before the tasks whose input has just arrived."""


class LargeBodies:
    """The large bodies that one account sends. They are counted and parsed one step at a time, with a pause after each
    step that is as long as the step. So they take at most half of the event loop's time, however many there are."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def step(self, *, at: int) -> AsyncIterator[None]:
        """Wait for the steps before this one, and pause after the block. `at` is how many bytes of the body come before;
        a small body, and the beginning of a large one, need not wait."""
        if at < SLICE:
            yield
            return
        clock = asyncio.get_running_loop().time
        async with self._lock:
            begun = clock()
            yield
            await asyncio.sleep(max(clock() - begun, SHORTEST))
