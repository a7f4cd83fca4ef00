"""JSON bodies of Gradio's addresses: read strictly, so that Gradio gets only what it can take."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import orjson
from gradio_client.utils import is_file_obj_with_meta  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from entrypoints.ui.caps import NODE
from entrypoints.ui.scan import SLICE, Scan

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A JSON object as it was sent, and as it was read."""

    raw: bytes
    body: Body
    nodes: int

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return len(self.raw) + self.nodes * NODE


async def whole(receive: Receive) -> bytes:
    """The body; its size has been limited by the gate. Raises HTTPException when the client leaves."""
    body = bytearray()
    async for chunk in _chunks(receive):
        body += chunk
    return bytes(body)


async def received(receive: Receive) -> Received:
    """Read a JSON object, counted before it is parsed: no step holds the event loop for long. Raises HTTPException, at
    the first chunk that is too much."""
    arrived, scan = bytearray(), Scan()
    async for chunk in _chunks(receive):
        for start in range(0, len(chunk), SLICE):
            scan.read(chunk[start : start + SLICE])
            if len(arrived) + start >= SLICE:
                await let_others_go_on()
        arrived += chunk
    raw = bytes(arrived)
    body = read_json(raw)
    if len(raw) > SLICE:
        await let_others_go_on()
    return Received(raw=raw, body=body, nodes=scan.nodes)


async def let_others_go_on() -> None:
    """`sleep(0)` would go on before what has arrived meanwhile."""
    await asyncio.sleep(1e-6)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request broke off.")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def replaced(scope: Scope, body: bytes, content_type: bytes) -> tuple[Scope, Receive]:
    """The request with another body."""
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
    """Once the replaced body is read, whoever waits for the client to leave waits for the real one."""
    is_read = False

    async def both() -> Message:
        nonlocal is_read
        if is_read:
            return await later()
        is_read = True
        return await receive()

    return both


def read_json(raw: bytes) -> Body:
    """Raises HTTPException for what is no JSON object in UTF-8, and for what Gradio, which writes with the same library,
    could not write again: NaN, what is too large for a number, half a surrogate pair."""
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
    """The known fields alone, each of the kind it has to be. Raises HTTPException."""
    for name, is_right in kinds.items():
        if name in body and not is_right(body[name]):
            raise HTTPException(400, f"{name} is not of the kind it has to be.")
    return {name: body[name] for name in kinds if name in body}


def is_number(value: object) -> bool:
    return type(value) is int and abs(value) < 2**53


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_list(value: object) -> bool:
    return isinstance(value, list)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_anything(value: object) -> bool:  # noqa: ARG001 -- The signature of its siblings.
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
"""Without `event_id`, which Gradio would take for the run to go on with, and without `batched`, which makes the request
everybody's."""


def may_name_files(raw: bytes) -> bool:
    """False for most bodies, which then need not be searched."""
    return b'"path"' in raw or b"\\u00" in raw


def paths_in(value: object) -> set[str]:
    """The text under every key "path", at any depth."""
    return {item["path"] for item in objects_with("path", value) if isinstance(item["path"], str)}


def files_in(value: object) -> set[str]:
    """The paths of what Gradio itself takes for a file, at any depth."""
    return {item["path"] for item in objects_with("path", value) if is_file_obj_with_meta(item)}


def steps_in(value: object) -> Iterator[list[str]]:
    """Of what is picked in an explorer of files: of each the folders on the way and its name."""
    for steps in value if isinstance(value, list) else ():
        if isinstance(steps, list) and all(isinstance(step, str) for step in steps):
            yield steps


def objects_with(key: str, value: object) -> list[Body]:
    """The objects that have the key, at any depth."""
    return [item for objects, _ in _levels(value) for item in objects if key in item]


def has_more_values(value: object, most: int) -> bool:
    """Whether there are more lists, objects and values in it, itself counted."""
    left = most - 1
    for objects, lists in _levels(value):
        left -= sum(map(len, objects)) + sum(map(len, lists))
        if left < 0:
            return True
    return False


def _levels(value: object) -> Iterator[tuple[list[Body], list[Any]]]:
    """The objects and lists of each depth. All of a depth at once, so that what is called for each value is C: a table of
    200,000 cells takes 20 ms, and a function called for each cell 150."""
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
