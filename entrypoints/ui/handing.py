"""Hands Gradio the body of a request as it has been read, so that nobody writes it, parses it or copies it once more.

Of 10 MB that took up to a second of the event loop and five times the memory: `json.dumps`, `json.loads`, and the
`model_dump` of Gradio's own models, which copies every value.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import gradio as gr
from starlette.requests import Request
from starlette.types import Receive, Scope

from entrypoints.ui import bodies
from entrypoints.ui.bodies import Body
from entrypoints.ui.replacing import Replacement

_READ: Final = "gradioapp.body"
"""Key in the scope."""


class Input:
    """A list or object among the inputs of an event. Gradio's models take it for a value and do not look into it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def as_inputs(data: list[Any]) -> list[Any]:
    return list(map(_as_input, data))


def as_named_inputs(body: Body) -> Body:
    return {name: _as_input(value) for name, value in body.items()}


def handed_on(scope: Scope, body: Body) -> tuple[Scope, Receive]:
    """The request with a body that is read already."""
    there_is_one = b"{}"
    scope, receive = bodies.replaced(scope, there_is_one, b"application/json")
    return {**scope, _READ: body}, receive


def wrap(demo: gr.Blocks) -> None:
    """Let the app's events get the values themselves."""
    process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api

    async def process_api(block_fn: Any, inputs: list[Any], **kwargs: Any) -> dict[str, Any]:
        return await process(block_fn, inputs=list(map(_value, inputs)), **kwargs)

    demo.process_api = process_api  # type: ignore[method-assign,assignment]


def _as_input(value: Any) -> Any:
    return Input(value) if isinstance(value, dict | list) else value


def _value(value: Any) -> Any:
    """A batch has a row of inputs in place of one."""
    if isinstance(value, list | tuple):
        return [item.value if isinstance(item, Input) else item for item in value]
    return value.value if isinstance(value, Input) else value


def _reading(original: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    async def json(self: Request) -> Any:
        # Taken out: the request outlives its event, and would keep the body.
        return self.scope.pop(_READ) if _READ in self.scope else await original(self)

    return json


READING: Final = Replacement(owner=Request, name="json", by=_reading)
