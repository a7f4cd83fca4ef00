"""Hands Gradio the body of a request as it has been read, so that nobody writes it, parses it or copies it once more.

Of 10 MB that took up to a second of the event loop and five times the memory: `json.dumps`, `json.loads`, and the
`model_dump` of Gradio's own models, which copies every value.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, NoReturn

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope

from entrypoints.ui import bodies
from entrypoints.ui.bodies import Body
from entrypoints.ui.caps import MODEL_NODES
from entrypoints.ui.replacing import Replacement

_READ: Final = "gradioapp.body"
"""Key in the scope."""
_MOST_METADATA: Final = 100


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

    async def process_api(
        block_fn: BlockFunction | int, inputs: list[Any], **kwargs: Any
    ) -> dict[str, Any]:
        fn = demo.fns[block_fn] if isinstance(block_fn, int) else block_fn
        for block, value in zip(fn.inputs, inputs, strict=False):
            for one in value if isinstance(value, list | tuple) else [value]:
                _must_be_checked_quickly(block, one)
        return await process(block_fn, inputs=list(map(_value, inputs)), **kwargs)

    demo.process_api = process_api  # type: ignore[method-assign,assignment]


def _must_be_checked_quickly(block: Block, value: Any) -> None:
    """Pydantic holds the event loop until it has looked at every value, and longest where each of them is wrong.
    Raises gr.Error."""
    if not isinstance(value, Input):
        return
    if isinstance(block, gr.Dataframe):
        _must_be_a_table(value.value)
    elif _is_checked_in_detail(getattr(block, "data_model", None)) and bodies.has_more_values(
        value.value, MODEL_NODES
    ):
        name = block.get_block_name().capitalize()
        _refuse(f"{name} takes at most {MODEL_NODES:,} values at a time: send less.")


def _must_be_a_table(value: Any) -> None:
    rows = value.get("data") if isinstance(value, dict) else None
    more = value.get("metadata") if isinstance(value, dict) else None
    if isinstance(rows, list) and not {list}.issuperset(map(type, rows)):
        _refuse("The rows of a table are lists.")
    if isinstance(more, dict) and len(more) > _MOST_METADATA:
        _refuse(f"A table has at most {_MOST_METADATA} kinds of metadata.")


def _refuse(text: str) -> NoReturn:
    raise gr.Error(text, title="Not as expected", print_exception=False)


@cache
def _is_checked_in_detail(data_model: type[BaseModel] | None) -> bool:
    """False where values are taken as they are, in plain lists."""
    return data_model is not None and _has_kinds(data_model.model_json_schema())


def _has_kinds(schema: Any) -> bool:
    """Whether what is in a list has to be of some kind, other than a list of anything."""
    if isinstance(schema, list):
        return any(map(_has_kinds, schema))
    if not isinstance(schema, dict):
        return False
    items = schema.get("items", {})
    is_list = items.get("type") == "array"
    return (
        "$defs" in schema or (bool(items) and not is_list) or any(map(_has_kinds, schema.values()))
    )


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
