"""Give functions the properties of a component as the app has set them.

A function that takes an input by its type, as in `def fn(box: gr.Dropdown)`, gets the component's value and properties. Gradio
takes all of them from the caller, who could send other choices or another folder, and the app would send them back as an
update of its component.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.state_holder import SessionState


def value_in(sent: Any) -> Any:
    """Return the value of an input that was sent with properties. A program may send the value alone."""
    return sent.get("value") if isinstance(sent, dict) else sent


def with_own_properties(
    fn: BlockFunction, values: Sequence[Any], state: SessionState | None
) -> list[Any]:
    """Return the values of an event's inputs, with properties for those that the function takes by their type."""
    inputs = list(values)
    for number in fn.component_prop_inputs:
        if number < len(inputs):
            inputs[number] = {**_properties_of(fn.inputs[number], state), "value": inputs[number]}
    return inputs


def _properties_of(block: Block, state: SessionState | None) -> dict[str, Any]:
    """Return the component's properties in the caller's tab. They are copies, because the function may change them."""
    current = block if state is None else state.get(block._id, block)  # noqa: SLF001 -- Gradio's own key.
    properties = {name: one for name, one in current.get_config().items() if name != "value"}
    return deepcopy(properties)
