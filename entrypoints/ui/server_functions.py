"""Functions of an author that a component's own code calls, past events and queue: the caller is there for them too."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gradio.blocks import Block
from starlette.requests import Request
from starlette.types import Scope

from entrypoints.ui.calling import Calls
from entrypoints.ui.injection import inject_into
from entrypoints.ui.roles import must_see
from entrypoints.ui.values import State


@dataclass(frozen=True, slots=True)
class ServerFunctions:
    calls: Calls
    place: str
    """The app's address."""

    @asynccontextmanager
    async def call(
        self, scope: Scope, component: Block, fn: Callable[..., Any]
    ) -> AsyncIterator[None]:
        """Inside, `fn` runs; what it changed is kept at the end, before anything is answered. Raises SessionEnded,
        NotAllowed, and what keeping raises."""
        call = await self.calls.begin(Request(scope), place=self.place, is_activity=True)
        if State in inject_into(fn):
            await call.load_state()
        with call.current():
            must_see(component)
            yield
        await call.keep()
