"""Files that Gradio makes of inputs for a callback, such as an image of a `data:` URL in an event's body.

Nobody has asked for them, and a webcam makes thirty a second, so they do not count for the quota. Each account keeps the
latest, up to limits of their own; the purge removes them as orphans.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr

from domain.model.user import UserId
from entrypoints.ui.caps import MADE_INPUTS, MADE_INPUTS_SIZE

MAKERS: Final = (gr.Image, gr.ImageEditor, gr.ImageSlider, gr.Audio, gr.Video)
"""Components that give a callback paths, and no text that a caller wrote."""


@dataclass(frozen=True, slots=True)
class MadeInputs:
    """The files made in this process, per account."""

    _sizes: defaultdict[UserId, OrderedDict[str, int]] = field(
        default_factory=lambda: defaultdict(OrderedDict)
    )
    """Bytes at each place, the oldest first."""

    def add(self, user_id: UserId, sizes: Mapping[str, int]) -> Sequence[str]:
        """Note new files, and return the places of the oldest ones that are too many now."""
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
    """Yield what a callback gets as a path."""
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
