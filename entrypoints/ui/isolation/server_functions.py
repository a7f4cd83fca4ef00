"""Run server functions, which a component calls without an event and a queue, as their caller."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gradio.blocks import Block
from starlette.requests import Request
from starlette.types import Scope

from entrypoints.ui.calls.author_code import author_code
from entrypoints.ui.calls.events import Calls
from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.sdk.injection import inject_into
from entrypoints.ui.sdk.oauth import Scopes, answered
from entrypoints.ui.sdk.roles import must_see


@dataclass(frozen=True, slots=True)
class ServerFunctions:
    calls: Calls
    place: str
    """The app's address."""
    scopes: Scopes
    """What the page needs of each provider."""

    @asynccontextmanager
    async def call(
        self, scope: Scope, component: Block, fn: Callable[..., Any]
    ) -> AsyncIterator[None]:
        """Set the caller while `fn` runs inside the block, and store its changes at the end, before the response is
        sent. Raises SessionEnded, NotAllowed and the errors of `Call.keep`."""
        call = await self.calls.begin(Request(scope), place=self.place, is_activity=True)
        if State in inject_into(fn):
            await call.load_state()
        with call.current():
            must_see(component)
            name = getattr(fn, "__name__", "a server function")
            with await answered(call, fn, self.scopes), author_code(name):
                yield
        await call.keep()
