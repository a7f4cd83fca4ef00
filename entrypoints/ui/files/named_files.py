"""Find the files that the inputs of an event name. The components that read the inputs decide, never the sender.

Gradio treats every object with its file marker as a file, and the sender sets that marker. Here, every path that a
component could read counts as a file. Only in components that pass JSON on unchanged does a path stay plain text.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.data_classes import FileData
from pydantic import BaseModel, ValidationError

from entrypoints.ui.limits import NAMED_FILES
from entrypoints.ui.wire.json_bodies import files_in, objects_with, paths_in

TOO_MANY: Final = f"An event takes at most {NAMED_FILES} files. Send fewer at a time."

_HAND_JSON_ON: Final = frozenset(
    kind.preprocess for kind in (gr.JSON, gr.State, gr.BrowserState, gr.ParamViewer)
)
_PLAIN_IN_A_CHAT: Final = frozenset({"json", "browserstate", "paramviewer"})
"""Names, in chat messages, of the components that pass JSON on unchanged."""
_CONSTRUCTED_FROM_FILES: Final = ("icon", "avatar_images", "examples", "subtitles", "watermark")
"""Constructor arguments whose texts Gradio treats as files when it makes the component of a chat message."""


_OF_A_FILE: Final = frozenset({*FileData.model_fields, "is_stream", "alt_text"})
"""Members of a file object. All but its `path` say something about the file, and name none."""
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{32}")
"""A hash, which is part of the path of each file in Gradio's folder: the folder is named after the content."""


@dataclass(slots=True)
class Named:
    """The paths in inputs, as they were sent."""

    files: set[str] = field(default_factory=set)
    """Paths that a component reads as files."""
    texts: set[str] = field(default_factory=set)
    """Paths that a component passes on as text."""
    count: int = 0
    """Number of paths, including repeated ones: Gradio reads each of them."""

    def add(self, other: "Named") -> None:
        self.files |= other.files
        self.texts |= other.texts
        self.count += other.count


def hands_json_on(block: Block) -> bool:
    """Return whether the component passes its JSON value on unchanged. False for a subclass that reads the value
    itself."""
    has_model = getattr(block, "data_model", None) is not None
    return getattr(type(block), "preprocess", None) in _HAND_JSON_ON and not has_model


def named_by(blocks: Iterable[Block], values: Iterable[Any]) -> Named:
    """Collect the files that one sample of an event's inputs names."""
    named = Named()
    for block, value in zip(blocks, values, strict=False):
        named.add(_named_to(block, value))
        if not hands_json_on(block):
            named.count += len(objects_with("path", value))
    return named


def named_by_any_of(blocks: Iterable[Block], values: Iterable[Any]) -> Named:
    """Collect the files that inputs name, if it is not known which component reads which input."""
    if not any(map(hands_json_on, blocks)):
        return named_to_unknown(*values)
    return Named(texts=set().union(*map(paths_in, values)))


def named_to_unknown(*values: Any) -> Named:
    """Collect the files that values name, if their reader is not known. Each path counts as a file, and so does each
    text below `files`, as in chat messages, where an app expects a list of paths."""
    files: set[str] = set().union(*map(paths_in, values), *map(_numbers_in, values))
    for message in objects_with("files", list(values)):
        named = message["files"]
        # An app that walks an object gets the names of its members.
        files.update(_listed(list(named.items()) if isinstance(named, dict) else named))
    return Named(files=files, count=max(len(files), len(objects_with("path", list(values)))))


def _numbers_in(value: Any) -> set[str]:
    """Return the numbers that are sent as a `path`. Nobody owns a file with such a name."""
    paths = (item["path"] for item in objects_with("path", value))
    return {str(path) for path in paths if isinstance(path, int)}


def _listed(value: Any) -> Iterator[str]:
    """Yield the texts in a list of files, at any depth, but not what describes a file. Yield numbers as well: a function
    that opens one opens the file of the process with this number."""
    if isinstance(value, str | int):
        yield str(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _listed(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name not in _OF_A_FILE:
                yield name
                yield from _listed(part)
            elif name == "path":
                yield from _listed(part)


def has_scheme(path: str) -> bool:
    """Return whether Gradio, or a library that it calls, could treat the path as a URL: `http:`, `file:`, `data:`, …"""
    return ":" in path.lstrip().partition("/")[0]


def may_be_kept(path: str) -> bool:
    """Return whether a text can be the path of a user's file at all. Most texts cannot."""
    return _DIGEST.search(path) is not None


def read_to_show(block: Block, value: Any) -> str | None:
    """Return the path of the file whose content Gradio reads to show this output, or None."""
    if isinstance(block, gr.Dataframe) and isinstance(value, str | Path):
        return os.path.expanduser(value)  # noqa: PTH111 -- As pandas does it.
    if isinstance(block, gr.Label) and isinstance(value, str) and value.endswith(".json"):
        return value
    return None


_MEDIA: Final = (gr.Audio, gr.Video, gr.AnnotatedImage, gr.Image, gr.Gallery, gr.ImageSlider)


def in_a_list(block: Block, value: Any) -> Any:
    """Return the items of a gallery in a list. Gradio takes any iterable, and some can be read only once."""
    is_of_items = isinstance(block, gr.Gallery) and isinstance(value, Iterable)
    return list(value) if is_of_items and not isinstance(value, str | bytes | BaseModel) else value


def opened_to_show(block: Block, value: Any) -> Iterator[str]:
    """Yield the paths that Gradio may open to show this output before it copies the file: audio, videos, images."""
    if isinstance(block, _MEDIA):
        yield from _paths_among(value)


def drawn_on(block: Block) -> Iterator[str]:
    """Yield the path of the picture that Gradio draws on this component's outputs."""
    path = getattr(getattr(block, "watermark", None), "watermark", None)
    if isinstance(path, str | Path):
        yield str(path)


def played(block: Block, value: Any) -> Iterator[str]:
    """Yield the paths that Gradio passes to ffmpeg or ffprobe to show this output. Those understand many protocols and
    patterns."""
    if isinstance(block, gr.Gallery):
        items = value if isinstance(value, list) else []
        values = [item[0] if isinstance(item, list | tuple) and item else item for item in items]
    elif isinstance(block, gr.Video) and isinstance(value, list | tuple):
        values = list(value)  # With subtitles.
    elif isinstance(block, gr.Video | gr.Audio):
        values = [value]
    else:
        return
    yield from (str(one) for one in values if isinstance(one, str | Path))


def _paths_among(value: Any) -> Iterator[str]:
    if isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _paths_among(part)


def kept_among(value: Any) -> Iterator[str]:
    """Yield the texts in an output, at any depth, that may be paths of users' files."""
    if isinstance(value, str | Path):
        yield from filter(may_be_kept, [str(value)])
    elif isinstance(value, FileData):
        yield value.path
    elif isinstance(value, list | tuple):
        for part in value:
            yield from kept_among(part)
    elif isinstance(value, dict):
        yield from kept_among(list(value.values()))


def _named_to(block: Block, value: Any) -> Named:
    if not isinstance(value, dict | list):
        return Named()
    if hands_json_on(block):
        return Named(texts=paths_in(value))
    if isinstance(block, gr.Chatbot):
        return _named_in_chat(value)
    return Named(files=paths_in(value) | _numbers_in(value) | _named_in_model(block, value))


def _named_in_model(block: Block, value: Any) -> set[str]:
    """Collect the paths in a value as an author's own component reads it: its data model may give a path another
    key."""
    model = getattr(block, "data_model", None)
    if model is None or type(block).__module__.startswith("gradio."):
        return set()
    try:
        return paths_in(model.model_validate(value).model_dump())
    except ValidationError:
        return set()  # Gradio refuses the value for the same reason.


def _named_in_chat(value: Any) -> Named:
    """Collect the files that a chat's value names. A message may contain a component, which Gradio makes anew from the
    sent values."""
    named = Named()
    for part, is_plain in _parts(value):
        if is_plain:
            named.texts |= paths_in(part)
            # Gradio moves every object with its marker, even in plain JSON.
            named.files |= files_in(part)
        else:
            named.files |= paths_in(part)
    for message in _components_in(value):
        named.files.update(_constructed_from(message))
    return named


def _parts(value: Any) -> Iterator[tuple[Any, bool]]:
    """Yield each part of a chat's value, and whether it is a component's plain JSON."""
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
            # The value may be a chat within the chat.
            yield from _components_in(value.get("value"))
        elif isinstance(value.get("content"), list):
            yield from _components_in(value["content"])


def _is_component(item: dict[str, Any]) -> bool:
    return item.get("type") == "component" or "component" in item


def _constructed_from(message: dict[str, Any]) -> Iterator[str]:
    arguments = message.get("constructor_args")
    if isinstance(arguments, dict):
        for name in _CONSTRUCTED_FROM_FILES:
            argument = arguments.get(name)
            # A list of subtitles contains their texts, not a file.
            if name != "subtitles" or isinstance(argument, str):
                yield from _texts_in(argument)
    label = message.get("value")
    if message.get("component") == "label" and isinstance(label, dict):
        # gr.Label reads the file that its value names, if the name ends with .json.
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


def shown_by(fn: BlockFunction, outputs: Any) -> Iterator[tuple[Block, Any]]:
    """Yield each output's component and its new value, also from updates."""
    if isinstance(outputs, dict) and outputs and all(isinstance(key, Block) for key in outputs):
        pairs: Iterable[tuple[Block, Any]] = outputs.items()
    elif len(fn.outputs) == 1 and not fn.batch:
        pairs = [(fn.outputs[0], outputs)]
    else:
        pairs = zip(fn.outputs, outputs if isinstance(outputs, list | tuple) else (), strict=False)
    for block, value in pairs:
        if isinstance(value, Block):
            yield block, value.constructor_args.get("value")
        elif isinstance(value, SimpleNamespace):
            yield block, vars(value).get("value")
        elif isinstance(value, dict) and value.get("__type__") == "update":
            yield block, value.get("value")
        else:
            yield block, value
