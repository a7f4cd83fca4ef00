"""The number by which a page notices that another release answers it."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import gradio as gr

_BYTES: Final = 6
"""A number in JavaScript is exact up to 53 bits."""


def app_id_of(demos: Iterable[gr.Blocks]) -> int:
    """Return a number that is the same in all replicas, for as long as the apps have the same components and events: a
    page of one replica then works with every other one."""
    parts = [gr.__version__, *(part for demo in demos for part in _parts(demo))]
    return int.from_bytes(sha256(json.dumps(parts).encode()).digest()[:_BYTES], "big")


def _parts(demo: Any) -> Iterator[list[Any]]:
    for number, block in demo.blocks.items():
        yield [number, block.get_block_name()]
    for number, fn in demo.fns.items():
        inputs, outputs = ([block._id for block in each] for each in (fn.inputs, fn.outputs))  # noqa: SLF001 -- Gradio's own number.
        yield [number, str(fn.api_name), fn.targets, inputs, outputs]
