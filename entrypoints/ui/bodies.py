"""JSON bodies of Gradio's addresses: read strictly, so that Gradio gets only what it can take."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
from gradio_client.utils import is_file_obj_with_meta  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from entrypoints.ui.caps import DEEPEST

Body = dict[str, Any]


async def whole(receive: Receive) -> bytes:
    """The body; its size has been limited by the gate. Raises HTTPException when the client leaves."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request broke off.")
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


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
    if raw.count(b"[") + raw.count(b"{") > DEEPEST:
        _must_be_shallow(body)
    return body


def write_json(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


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
    return {item["path"] for item in _objects_in(value) if isinstance(item.get("path"), str)}


def files_in(value: object) -> set[str]:
    """The paths of what Gradio itself takes for a file, at any depth."""
    return {item["path"] for item in _objects_in(value) if is_file_obj_with_meta(item)}


def steps_in(value: object) -> Iterator[list[str]]:
    """Of what is picked in an explorer of files: of each the folders on the way and its name."""
    for steps in value if isinstance(value, list) else ():
        if isinstance(steps, list) and all(isinstance(step, str) for step in steps):
            yield steps


def _objects_in(value: object) -> Iterator[Body]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            item = list(item.values())
        if isinstance(item, list | tuple):
            waiting.extend(v for v in item if isinstance(v, dict | list | tuple))


def _must_be_shallow(body: Body) -> None:
    level: list[Any] = [body]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise HTTPException(400, f"The body is nested more than {DEEPEST} levels deep.")
