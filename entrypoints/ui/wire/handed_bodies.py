"""Pass the parsed body of a request to Gradio, so that it is not serialized, parsed and copied again.

For a body of 10 MB, `json.dumps`, `json.loads` and the `model_dump` of Gradio's models, which copies every value, block
the event loop for up to a second and take five times the memory.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Final, NoReturn

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope

from entrypoints.ui.calls.component_inputs import value_in
from entrypoints.ui.calls.steps import Event, Output, Run, Step
from entrypoints.ui.limits import CHOSEN, COLUMNS, MODEL_NODES
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire import json_bodies
from entrypoints.ui.wire.json_bodies import Body

_READ: Final = "gradioapp.body"
"""Key of the parsed body in the scope."""
_MOST_METADATA: Final = 100


class Input:
    """Wraps a list or object among the inputs of an event, so that Gradio's models treat it as one value and do not
    copy its content."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def as_inputs(data: list[Any]) -> list[Any]:
    return list(map(_as_input, data))


def inputs_in(data: Sequence[Any]) -> list[Any]:
    """Undo `as_inputs`."""
    return [one.value if isinstance(one, Input) else one for one in data]


def as_named_inputs(body: Body) -> Body:
    return {name: _as_input(value) for name, value in body.items()}


def with_parsed_body(scope: Scope, body: Body) -> tuple[Scope, Receive]:
    """Return the request with a body that is parsed already. Gradio's `await request.json()` returns `body`."""
    placeholder = b"{}"
    scope, receive = json_bodies.replaced(scope, placeholder, b"application/json")
    return {**scope, _READ: body}, receive


class UnwrappedInputs(Step):
    """Unwraps the inputs before the app's events run."""

    async def run(self, event: Event, rest: Run) -> Output:
        inputs = _without_properties(event.fn, event.inputs)
        for block, value in zip(event.fn.inputs, inputs, strict=False):
            for one in value if isinstance(value, list | tuple) else [value]:
                _must_be_checked_quickly(block, one)
        return await rest(event.with_inputs(list(map(_value, inputs))))


def _without_properties(fn: BlockFunction, inputs: Sequence[Any]) -> list[Any]:
    """Return the inputs, in which those that were sent with their component's properties are the value alone."""
    values = list(inputs)
    for number in fn.component_prop_inputs:
        if number < len(values):
            one = values[number]
            is_batch = isinstance(one, list | tuple)
            values[number] = list(map(_without, one)) if is_batch else _without(one)
    return values


def _without(sent: Any) -> Any:
    return _as_input(value_in(_value(sent)))


def _must_be_checked_quickly(block: Block, value: Any) -> None:
    """Raises gr.Error for a value that pydantic would check for too long: it blocks the event loop, longest for many
    invalid values."""
    if not isinstance(value, Input):
        return
    if isinstance(block, gr.Dataframe):
        _must_be_a_table(value.value)
    elif isinstance(block, gr.Dropdown | gr.CheckboxGroup):
        if len(value.value) > CHOSEN:
            _refuse(f"At most {CHOSEN:,} values can be chosen at a time.")
    elif _is_checked_in_detail(getattr(block, "data_model", None)) and json_bodies.has_more_values(
        value.value, MODEL_NODES
    ):
        name = block.get_block_name().capitalize()
        _refuse(f"{name} takes at most {MODEL_NODES:,} values at a time: send less.")


def _must_be_a_table(value: Any) -> None:
    rows = value.get("data") if isinstance(value, dict) else None
    more = value.get("metadata") if isinstance(value, dict) else None
    headers = value.get("headers") if isinstance(value, dict) else None
    if isinstance(rows, list) and not {list}.issuperset(map(type, rows)):
        _refuse("The rows of a table are lists.")
    lists = [one for one in (headers, *(rows or ())) if isinstance(one, list)]
    if max(map(len, lists), default=0) > COLUMNS:
        _refuse(f"A table has at most {COLUMNS:,} columns.")
    if isinstance(more, dict) and len(more) > _MOST_METADATA:
        _refuse(f"A table has at most {_MOST_METADATA} kinds of metadata.")


def _refuse(text: str) -> NoReturn:
    raise gr.Error(text, title="Not as expected", print_exception=False)


@cache
def _is_checked_in_detail(data_model: type[BaseModel] | None) -> bool:
    """Return whether pydantic checks the items of lists. It does not for lists of anything."""
    return data_model is not None and _has_kinds(data_model.model_json_schema())


def _has_kinds(schema: Any) -> bool:
    """Return whether the JSON schema has a list whose items have a type, other than lists of anything."""
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
    """Unwrap an input. In a batch, each input is a list with one item per caller."""
    if isinstance(value, list | tuple):
        return inputs_in(value)
    return value.value if isinstance(value, Input) else value


def _reading(original: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    async def json(self: Request) -> Any:
        # Remove the body: the request object outlives its event and would keep the body in memory.
        return self.scope.pop(_READ) if _READ in self.scope else await original(self)

    return json


READING: Final = Replacement(owner=Request, name="json", by=_reading)
