"""Convert the values of updates in a thread.

Gradio converts the value of an output in a thread, but the value of an update, such as `gr.Video(value=path)`, on the
event loop: everybody waits while ffmpeg converts one person's video.
"""

from collections.abc import Mapping
from functools import partial
from inspect import signature
from types import SimpleNamespace
from typing import Any, Final

import anyio
import gradio as gr
from gradio import blocks, utils
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.components import Component, _Keywords
from gradio.data_classes import GradioModel, GradioRootModel
from gradio.state_holder import SessionState

from entrypoints.ui.calls.own_updates import as_own
from entrypoints.ui.replacement import Replacement

NO_VALUE: Final = _Keywords.NO_VALUE


class _Converted:
    """The value of an update, as it is sent to the page."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def with_converted_updates(
    demo: gr.Blocks, fn: BlockFunction, outputs: Any, state: SessionState | None
) -> Any:
    """Return the function's results. The values of updates in them are converted."""
    if not fn.postprocess or fn.is_validator_function:
        return outputs
    one = partial(_converted, demo, state)
    if isinstance(outputs, dict) and any(isinstance(key, Block) for key in outputs):
        return {block: await one(block, value) for block, value in outputs.items()}
    if len(fn.outputs) == 1 and not fn.batch:
        return await one(fn.outputs[0], outputs)
    if isinstance(outputs, list | tuple) and len(outputs) == len(fn.outputs):
        return [await one(*pair) for pair in zip(fn.outputs, outputs, strict=True)]
    return outputs  # Gradio refuses it, or leaves the outputs as they are.


async def _converted(demo: gr.Blocks, state: SessionState | None, block: Any, value: Any) -> Any:
    update = _update(block, value)
    shown = update.pop("value", NO_VALUE)
    if shown is NO_VALUE or block.stateful or not isinstance(block, Component):
        return value
    # The properties of the update count for the conversion, as in Gradio.
    current = block if state is None else state.get(block._id, block)  # noqa: SLF001 -- Gradio's own key.
    properties = current.constructor_args | update
    properties = {name: own for name, own in properties.items() if name not in _NO_PROPERTIES}
    changed = type(block)(**properties, render=False)
    result = await anyio.to_thread.run_sync(changed.postprocess, shown, limiter=demo.limiter)
    if isinstance(result, GradioModel | GradioRootModel):
        result = result.model_dump()
    return {**update, "__type__": "update", "value": _Converted(result)}


_NO_PROPERTIES: Final = frozenset({"value", "render", "__type__"})


def _update(block: Any, value: Any) -> dict[str, Any]:
    """Return the update that the value is, in any of Gradio's three forms, or an empty one."""
    if isinstance(value, Block):
        return dict(value.constructor_args)
    if isinstance(value, SimpleNamespace) and getattr(value, "_is_component_update", False):
        known = signature(type(block).__init__).parameters
        return {name: own for name, own in vars(value).items() if name in known}
    if utils.is_prop_update(value):  # type: ignore[no-untyped-call]
        return dict(utils.delete_none(value, skip_value=True))
    return {}


def _finishing(finish: Any) -> Any:
    def postprocess_update_dict(
        block: Any,
        update_dict: Mapping[str, Any],
        postprocess: bool = True,  # noqa: FBT001, FBT002 -- As Gradio has it.
    ) -> Any:
        value = update_dict.get("value")
        if isinstance(value, _Converted):
            update_dict, postprocess = {**update_dict, "value": value.value}, False
        return as_own(finish(block, update_dict, postprocess))

    return postprocess_update_dict


FINISHING: Final = Replacement(owner=blocks, name="postprocess_update_dict", by=_finishing)
