"""Limit the files that Gradio makes of inputs for a callback, such as an image from a `data:` URL in an event's body.

They do not count for the account's file quota: no user has asked for them, and a webcam makes thirty per second. Each
account keeps the latest ones, within limits of their own; later the purge removes them as files without an owner.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr

from domain.model.user import UserId
from entrypoints.ui.limits import MADE_INPUTS, MADE_INPUTS_SIZE

MAKERS: Final = (gr.Image, gr.ImageEditor, gr.ImageSlider, gr.Audio, gr.Video)
"""Components that pass paths to a callback, but no text from the caller."""


@dataclass(frozen=True, slots=True)
class MadeInputs:
    """The files made in this process, per account."""

    _sizes: defaultdict[UserId, OrderedDict[str, int]] = field(
        default_factory=lambda: defaultdict(OrderedDict)
    )
    """Bytes of each file by its place in Gradio's folder, the oldest first."""

    def add(self, user_id: UserId, sizes: Mapping[str, int]) -> Sequence[str]:
        """Add new files, and return the places of the oldest ones, which now exceed the limits."""
        theirs = self._sizes[user_id]
        for place, size in sizes.items():
            theirs[place] = size
            theirs.move_to_end(place)
        surplus = []
        total = sum(theirs.values())
        while len(theirs) > len(sizes) and (total > MADE_INPUTS_SIZE or len(theirs) > MADE_INPUTS):
            place, size = theirs.popitem(last=False)
            total -= size
            surplus.append(place)
        return surplus


def paths_made(blocks: Sequence[Any], processed: Sequence[Any]) -> Iterator[str]:
    """Yield the paths that a callback receives."""
    for block, value in zip(blocks, processed, strict=False):
        if isinstance(block, MAKERS):
            yield from _texts_in(value)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_in(inner)
