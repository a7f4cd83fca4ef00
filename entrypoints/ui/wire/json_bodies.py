"""Read JSON bodies strictly, so that Gradio receives only values that it can handle."""

from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import orjson
from gradio_client.utils import is_file_obj_with_meta  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from entrypoints.ui.limits import NODE
from entrypoints.ui.wire.json_scan import SLICE, Scan
from entrypoints.ui.wire.large_bodies import LargeBodies

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The JSON object of a request, raw and parsed."""

    raw: bytes
    body: Body
    nodes: int

    @property
    def size(self) -> int:
        """Return the bytes that it takes in memory, approximately."""
        return len(self.raw) + self.nodes * NODE


async def whole(receive: Receive) -> bytes:
    """Return the body, whose size the gate has limited. Raises HTTPException if the client disconnects."""
    body = bytearray()
    async for chunk in _chunks(receive):
        body += chunk
    return bytes(body)


async def received(receive: Receive, large: LargeBodies) -> Received:
    """Read a JSON object. Count its values before it is parsed, and never block the event loop for long. `large` are
    the large bodies of its sender. Raises HTTPException at the first chunk that exceeds a limit."""
    arrived, scan = bytearray(), Scan()
    async for chunk in _chunks(receive):
        for start in range(0, len(chunk), SLICE):
            async with large.step(at=len(arrived) + start):
                scan.read(chunk[start : start + SLICE])
        arrived += chunk
    raw = bytes(arrived)
    async with large.step(at=len(raw) - 1):
        body = read_json(raw)
    return Received(raw=raw, body=body, nodes=scan.nodes)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request broke off.")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def replaced(scope: Scope, body: bytes, content_type: bytes) -> tuple[Scope, Receive]:
    """Return the request with another body."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name not in {b"content-length", b"content-type", b"transfer-encoding"}
    ]
    headers += [(b"content-length", str(len(body)).encode()), (b"content-type", content_type)]
    return {**scope, "headers": headers}, _once(body)


def _once(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def followed_by(receive: Receive, later: Receive) -> Receive:
    """Return a `receive` that delivers one message of `receive`, the replaced body, and then those of `later`, the real
    client, so that Gradio notices when the client disconnects."""
    is_read = False

    async def both() -> Message:
        nonlocal is_read
        if is_read:
            return await later()
        is_read = True
        return await receive()

    return both


def read_json(raw: bytes) -> Body:
    """Parse a JSON object. Raises HTTPException if the body is no JSON object in UTF-8, and for values that Gradio,
    which uses the same library, cannot serialize: NaN, numbers that are too large, unpaired surrogates."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is not a JSON object.")
    return body


def write_json(body: Body) -> bytes:
    return orjson.dumps(body)


def fields(body: Body, kinds: Mapping[str, Callable[[object], bool]]) -> Body:
    """Return only the known fields. Raises HTTPException if one of them has the wrong type."""
    for name, is_right in kinds.items():
        if name in body and not is_right(body[name]):
            raise HTTPException(400, f"The field {name} has the wrong type.")
    return {name: body[name] for name in kinds if name in body}


def is_number(value: object) -> bool:
    return type(value) is int and abs(value) < 2**53


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_list(value: object) -> bool:
    return isinstance(value, list)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_anything(value: object) -> bool:  # noqa: ARG001 -- All checks have the same signature.
    return True


def or_none(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_right(value)


EVENT: Final[Mapping[str, Callable[[object], bool]]] = {
    "session_hash": is_anything,
    "data": is_list,
    "oauth_token": or_none(is_text),
    "event_data": is_anything,
    "fn_index": or_none(is_number),
    "trigger_id": or_none(is_number),
    "simple_format": is_flag,
}
"""The fields of an event that pass. `event_id` would make Gradio continue another run, and `batched` would make it
treat one request as several."""


def may_name_files(raw: bytes) -> bool:
    """Return False if the body certainly names no file, so that it need not be searched. Most bodies name none."""
    return b'"path"' in raw or b'"files"' in raw or b"\\u00" in raw


def paths_in(value: object) -> set[str]:
    """Return the text under every key "path", at any depth."""
    return {item["path"] for item in objects_with("path", value) if isinstance(item["path"], str)}


def files_in(value: object) -> set[str]:
    """Return the paths of all objects that Gradio itself treats as files, at any depth."""
    return {item["path"] for item in objects_with("path", value) if is_file_obj_with_meta(item)}


def steps_in(value: object) -> Iterator[list[str]]:
    """Yield each path that is selected in a FileExplorer, as a list of its folders and its name."""
    for steps in value if isinstance(value, list) else ():
        if isinstance(steps, list) and all(isinstance(step, str) for step in steps):
            yield steps


def objects_with(key: str, value: object) -> list[Body]:
    """Return the objects that have the key, at any depth."""
    return [item for objects, _ in _levels(value) for item in objects if key in item]


def texts_in(
    values: Iterable[object], *, but_of_files: Container[str] = (), with_names: bool = False
) -> Iterator[str]:
    """Yield every text in the values, at any depth. Skip the members named in `but_of_files` of objects that have a
    "path". With `with_names`, also yield the names of members."""
    for objects, lists in _levels(list(values)):
        for item in chain.from_iterable(lists):
            if isinstance(item, str):
                yield item
        for each in objects:
            left_out = but_of_files if "path" in each else ()
            for name, item in each.items():
                if with_names and isinstance(name, str):
                    yield name
                if isinstance(item, str) and name not in left_out:
                    yield item


def has_more_values(value: object, most: int) -> bool:
    """Return whether the value contains more than `most` lists, objects and other values, including itself."""
    left = most - 1
    for objects, lists in _levels(value):
        left -= sum(map(len, objects)) + sum(map(len, lists))
        if left < 0:
            return True
    return False


def _levels(value: object) -> Iterator[tuple[list[Body], list[Any]]]:
    """Yield the objects and lists of each depth, a whole depth at once, so that only C code runs for each value. A
    table of 200,000 cells takes 20 ms; calling a Python function for each cell would take 150 ms."""
    level: list[Any] = [value]
    while level:
        kinds = frozenset(map(type, level))
        objects, lists = _of_kind(dict, level, kinds), _of_kind((list, tuple), level, kinds)
        yield objects, lists
        level = list(chain.from_iterable(chain(map(dict.values, objects), lists)))


def _of_kind(kind: type | tuple[type, ...], values: list[Any], kinds: frozenset[type]) -> list[Any]:
    wanted = {each for each in kinds if issubclass(each, kind)}
    if not wanted or wanted == kinds:
        return values if wanted else []
    return [value for value in values if type(value) in wanted]
