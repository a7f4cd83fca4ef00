"""Which files the inputs of an event name: decided by the components that read them, never by what the sender says.

Gradio takes for a file what carries its marker, and the marker is set by the sender. Here every path that a component
could read names a file; only components that hand JSON on as it is keep a path as plain text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from pydantic import ValidationError

from entrypoints.ui.bodies import files_in, paths_in

_HAND_JSON_ON: Final = frozenset(
    kind.preprocess for kind in (gr.JSON, gr.State, gr.BrowserState, gr.ParamViewer)
)
_PLAIN_IN_A_CHAT: Final = frozenset({"json", "browserstate", "paramviewer"})
"""The same, as a chat message names them."""
_CONSTRUCTED_FROM_FILES: Final = ("icon", "avatar_images", "examples", "subtitles")
"""Arguments whose texts Gradio takes for files when it makes the component of a chat message."""


_DIGEST: Final = re.compile(r"[0-9a-fA-F]{32}")
"""In the path of each file that Gradio keeps: its folder is named after its content."""


@dataclass(slots=True)
class Named:
    """Paths as they were sent."""

    files: set[str] = field(default_factory=set)
    """Read as files."""
    texts: set[str] = field(default_factory=set)
    """Handed on as text."""

    def add(self, other: "Named") -> None:
        self.files |= other.files
        self.texts |= other.texts


def hands_json_on(block: Block) -> bool:
    """Return whether the component passes its value on unread; a class that reads it in its own way does not."""
    has_model = getattr(block, "data_model", None) is not None
    return getattr(type(block), "preprocess", None) in _HAND_JSON_ON and not has_model


def named_by(blocks: Iterable[Block], values: Iterable[Any]) -> Named:
    """Collect what one sample of an event's inputs names."""
    named = Named()
    for block, value in zip(blocks, values, strict=False):
        named.add(_named_to(block, value))
    return named


def named_by_any_of(blocks: Iterable[Block], values: Iterable[Any]) -> Named:
    """Collect what inputs name of which it is not known yet which component gets which."""
    if not any(map(hands_json_on, blocks)):
        return named_to_unknown(*values)
    return Named(texts=set().union(*map(paths_in, values)))


def named_to_unknown(*values: Any) -> Named:
    """Collect what values name whose reader is not known: each path is one of a file."""
    return Named(files=set().union(*map(paths_in, values)))


def has_scheme(path: str) -> bool:
    """Return whether Gradio, or what it calls, could take the path for an address: `http:`, `file:`, `data:`, …"""
    return ":" in path.lstrip().partition("/")[0]


def may_be_kept(path: str) -> bool:
    """Return whether a text can be the path of somebody's file at all; most texts cannot."""
    return _DIGEST.search(path) is not None


def read_to_show(block: Block, value: Any) -> str | None:
    """Return the path of the file that Gradio itself opens to show this output; None for all others."""
    if isinstance(block, gr.Dataframe) and isinstance(value, str | Path):
        return str(value)
    if isinstance(block, gr.Label) and isinstance(value, str) and value.endswith(".json"):
        return value
    return None


def _named_to(block: Block, value: Any) -> Named:
    if not isinstance(value, dict | list):
        return Named()
    if hands_json_on(block):
        return Named(texts=paths_in(value))
    if isinstance(block, gr.Chatbot):
        return _named_in_chat(value)
    return Named(files=paths_in(value) | _named_in_model(block, value))


def _named_in_model(block: Block, value: Any) -> set[str]:
    """Read the value as the author's own class of component does: its model may give a path another key."""
    model = getattr(block, "data_model", None)
    if model is None or type(block).__module__.startswith("gradio."):
        return set()
    try:
        return paths_in(model.model_validate(value).model_dump())
    except ValidationError:
        return set()  # Gradio refuses it for the same reason.


def _named_in_chat(value: Any) -> Named:
    """Collect what a conversation names. A message may hold a component, which Gradio makes anew from what was sent."""
    named = Named()
    for part, is_plain in _parts(value):
        if is_plain:
            named.texts |= paths_in(part)
            named.files |= files_in(part)  # Gradio moves what carries its marker, wherever it is.
        else:
            named.files |= paths_in(part)
    for message in _components_in(value):
        named.files.update(_constructed_from(message))
    return named


def _parts(value: Any) -> Iterator[tuple[Any, bool]]:
    """Yield each part of a conversation, and whether it is a component's plain JSON."""
    if isinstance(value, list):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, dict) and _is_component(value):
        is_plain = value.get("component") in _PLAIN_IN_A_CHAT
        yield {key: v for key, v in value.items() if key in {"value", "props"}}, is_plain
        yield {key: v for key, v in value.items() if key not in {"value", "props"}}, False
    elif isinstance(value, dict) and isinstance(value.get("content"), list):
        yield {key: v for key, v in value.items() if key != "content"}, False
        yield from _parts(value["content"])
    else:
        yield value, False


def _components_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _components_in(item)
    elif isinstance(value, dict):
        if _is_component(value):
            yield value
            yield from _components_in(value.get("value"))  # Of a chat within the chat.
        elif isinstance(value.get("content"), list):
            yield from _components_in(value["content"])


def _is_component(item: dict[str, Any]) -> bool:
    return item.get("type") == "component" or "component" in item


def _constructed_from(message: dict[str, Any]) -> Iterator[str]:
    arguments = message.get("constructor_args")
    if isinstance(arguments, dict):
        for name in _CONSTRUCTED_FROM_FILES:
            argument = arguments.get(name)
            if name != "subtitles" or isinstance(argument, str):  # A list of them is what is said.
                yield from _texts_in(argument)
    label = message.get("value")
    if message.get("component") == "label" and isinstance(label, dict):
        # gr.Label reads the file that its value names, if it ends like one of JSON.
        yield from (text for text in _texts_in(label) if text.endswith(".json"))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
