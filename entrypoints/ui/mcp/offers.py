"""Describe an app's public events as MCP tools, resources and prompts, as Gradio's own server does."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.mcp import GradioMCPServer

Kind = Literal["tool", "resource", "prompt"]
Place = tuple[str, ...]
"""The path of a value in the arguments: the parameter's name, then keys and indexes; ANY for any key or index."""

ANY: Final = "*"
ANYWHERE: Final = "**"
"""The end of a Place whose schema has references ($defs): any path below matches."""
_NAME: Final = re.compile(r"\{(\w+)\}")
FILE: Final = "a data: URL, or the path or address of a file uploaded here before or got from here"


class ArgumentsInvalid(Exception):
    """Arguments do not match the parameters. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One event that programs can call."""

    kind: Kind
    name: str
    fn: BlockFunction
    description: str
    schema: Mapping[str, Any]
    """The JSON Schema of its arguments."""
    files: frozenset[Place]
    """The places in the arguments where a text stands for a file."""
    parameters: Sequence[Mapping[str, Any]]
    """The parameters in order, as in Gradio's API description."""

    @property
    def api_name(self) -> str:
        return str(self.fn.api_name)

    def option(self, word: str, otherwise: Any = None) -> Any:
        """Return an option that the author has set with one of gr.mcp's decorators."""
        return getattr(self.fn.fn, f"_mcp_{word}", otherwise)

    def is_file(self, place: Place, *, is_unmistakable: bool) -> bool:
        """Return whether the text at this place stands for a file. `is_unmistakable` is true if the text can hardly be
        anything other than a file."""
        return any(
            is_unmistakable and place[: len(pattern) - 1] == pattern[:-1]
            if pattern[-1] == ANYWHERE
            else _fits(place, pattern)
            for pattern in self.files
        )

    def in_order(self, arguments: Mapping[str, Any]) -> list[Any]:
        """Return the arguments in the order of the event's inputs. Raises ArgumentsInvalid."""
        names = [parameter["parameter_name"] for parameter in self.parameters]
        unknown = sorted(set(arguments) - set(names))
        if unknown:
            raise ArgumentsInvalid(f"{self.name} has no parameter {', '.join(unknown)}.")
        missing = sorted(set(self.schema.get("required", ())) - set(arguments))
        if missing:
            raise ArgumentsInvalid(f"{self.name} needs {', '.join(missing)}.")
        return [
            arguments.get(parameter["parameter_name"], parameter.get("parameter_default"))
            for parameter in self.parameters
        ]

    def found_in(self, uri: str) -> dict[str, str] | None:
        """Return the arguments that a resource's URI contains, or None if the URI belongs to another resource."""
        return values_in(uri, template=self.option("uri_template", ""))


def _fits(place: Place, pattern: Place) -> bool:
    return len(place) == len(pattern) and all(
        wanted in {ANY, step} for wanted, step in zip(pattern, place, strict=True)
    )


def names_in(template: str) -> list[str]:
    return _NAME.findall(template)


def values_in(uri: str, *, template: str) -> dict[str, str] | None:
    """Return the values of the template's names in a URI, or None if the URI does not match. A value has no slash and
    at least one character. If several matches are possible, earlier values are as long as possible.

    Search from the end, in linear time: a regular expression with several `[^/]+` would try all ways to divide a URI.
    """
    first, *rest = _NAME.split(template)
    names, texts = rest[::2], [first, *rest[1::2]]
    if not names:
        return {} if uri == template else None
    start, end = len(first), len(uri) - len(texts[-1])
    if not uri.startswith(first) or not uri.endswith(texts[-1]):
        return None
    values: dict[str, str] = {}
    for name, before in zip(reversed(names[1:]), reversed(texts[1:-1]), strict=True):
        at = uri.rfind(before, start, max(end - 1, 0))
        if at < 0:
            return None
        values[name] = uri[at + len(before) : end]
        end = at
    values[names[0]] = uri[start:end]
    if any(not value or "/" in value for value in values.values()):
        return None
    return values


def offers_of(demo: gr.Blocks) -> tuple[Offer, ...]:
    """Return all offers of an app, for all roles. Call this only after Gradio has mounted the app."""
    described: Any = _Described(demo)
    return tuple(_offers(described))


def _offers(described: Any) -> Iterable[Offer]:
    endpoints: Mapping[str, Any] = described.api_info["named_endpoints"]
    for name, endpoint in described.tool_to_endpoint.items():
        fn = described.get_block_fn_from_endpoint_name(endpoint)
        description, words = described.get_fn_description(fn, name)
        schema, positions = described.get_input_schema(name, words)
        kind: Kind = getattr(fn.fn, "_mcp_type", "tool")
        yield Offer(
            kind=kind,
            name=getattr(fn.fn, "_mcp_name", name) if kind == "prompt" else name,
            fn=cast("BlockFunction", fn),
            description=getattr(fn.fn, "_mcp_description", None) or description,
            schema=schema,
            files=frozenset(_place(position) for position in positions),
            parameters=endpoints[endpoint]["parameters"],
        )


class _Described(GradioMCPServer):
    """The descriptions of Gradio's MCP server. The server itself never runs: it knows no callers and calls itself over
    HTTP."""

    def __init__(self, demo: gr.Blocks) -> None:
        self.blocks = demo
        self.api_info = demo.get_api_info()
        self.tool_prefix = ""
        self.tool_to_endpoint = self.get_tool_to_endpoint()

    @property
    def _file_data_tool_description(self) -> str:
        return f" A file is {FILE}."

    def simplify_filedata_schema(
        self, schema: dict[str, Any]
    ) -> tuple[dict[str, Any], list[list[str | int]]]:
        simple, positions = super().simplify_filedata_schema(schema)
        return _renamed(simple), positions


_GRADIOS_FILE: Final = "Gradio File Input - a http or https url to a file"
_CHOICES: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})


def _renamed(node: Any) -> Any:
    """Replace Gradio's description of a file. Gradio would download URLs; this service downloads nothing for
    callers."""
    if isinstance(node, dict):
        return {key: _renamed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value) for value in node]
    return FILE if node == _GRADIOS_FILE else node


def _place(position: Sequence[str | int]) -> Place:
    """Turn a position in the schema into the Place of the values that it describes."""
    name, *rest = map(str, position)
    place = [name]
    steps = iter(rest)
    for step in steps:
        if step == "$defs":
            return (*place, ANYWHERE)
        if step in _CHOICES:
            next(steps, None)
            place += [ANY] if step == "prefixItems" else []
        elif step in {"items", "additionalProperties"}:
            place.append(ANY)
        elif step != "properties":
            place.append(step)
    return tuple(place)
