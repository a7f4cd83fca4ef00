"""Call an app's event as a tool: convert the arguments, run the event as the caller, and convert its outputs."""

import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from mimetypes import guess_extension, guess_type
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes, urlencode

import orjson
from gradio.components import State
from gradio_client.utils import is_file_obj_with_meta  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.types import Message

from domain.errors import DiskFull, EventTimeUsedUp, FilesQuotaExceeded
from domain.model.caller import SignedIn
from entrypoints.access import RECOGNISE, SIGNED_IN
from entrypoints.ui.isolation.request import Isolation
from entrypoints.ui.mcp.loopback import Loopback
from entrypoints.ui.mcp.offers import Offer, Place
from entrypoints.ui.wire import json_bodies, multipart
from entrypoints.ui.wire.exchange import HeldResponse
from entrypoints.ui.wire.value_walks import Turns

LARGEST_SHOWN: Final = 8 * 1024 * 1024
"""Bytes of an image that is sent within the response. For a larger image, only its address is sent."""
_META: Final = {"_type": "gradio.FileData"}
Content = dict[str, Any]


class CallRefused(Exception):
    """A call is refused or has failed. The text is for the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    offer: Offer
    loopback: Loopback
    isolation: Isolation

    async def outputs(self, arguments: Mapping[str, Any]) -> list[Any]:
        """Run the event and return its last outputs. Raises CallRefused, ArgumentsInvalid, and DomainError if the
        caller's access token or session has ended."""
        try:
            if self.offer.files:
                arguments = await self._with_files(arguments, (), Turns())
            return await self._run(self.offer.in_order(arguments))
        except HTTPException as refused:
            raise CallRefused(str(refused.detail)) from refused
        except EventTimeUsedUp as refused:
            raise CallRefused(refused.sentence) from refused

    async def _run(self, values: list[Any]) -> list[Any]:
        signed_in: SignedIn = self.loopback.scope["state"][SIGNED_IN]
        tab = self.isolation.new_name()
        try:
            body = json_bodies.write_json({"data": values, "session_hash": tab})
            joined = await self.loopback.post(f"call/{quote(self.offer.api_name, safe='')}", body)
            if joined.status != 200:
                raise CallRefused(_detail(joined))
            stream = _LastMessage()
            await self.loopback.get(
                "queue/data", stream.receive, query=urlencode({"session_hash": tab}).encode()
            )
        finally:
            await self.isolation.leave(signed_in, tab)
        if stream.last is None:
            # Raises if the stream ended because the session or token has ended.
            await self.loopback.scope["state"][RECOGNISE](activity=False)
            raise HTTPException(503, "The service is about to stop. Try again.")
        output = stream.last["output"]
        if not stream.last["success"]:
            raise CallRefused(_refusal(output))
        return [
            value
            for block, value in zip(self.offer.fn.outputs, output["data"], strict=False)
            if not isinstance(block, State)
        ]

    # Inputs

    async def _with_files(self, value: Any, place: Place, turns: Turns) -> Any:
        await turns.count(0)
        if isinstance(value, dict):
            return {
                key: await self._with_files(item, (*place, key), turns)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                await self._with_files(item, (*place, str(index)), turns)
                for index, item in enumerate(value)
            ]
        if isinstance(value, str):
            is_unmistakable = value.startswith(("data:", self._files))
            if self.offer.is_file(place, is_unmistakable=is_unmistakable):
                return await self._file(value)
        return value

    async def _file(self, text: str) -> dict[str, Any]:
        if text.startswith("data:"):
            return await self._uploaded(text)
        if text.startswith(self._files):
            return {"path": unquote(text.removeprefix(self._files)), "meta": _META}
        if text.lower().startswith(("http:", "https:")):
            raise CallRefused(
                "This service downloads nothing from other addresses. Send the file as a data: URL."
            )
        return {"path": text, "meta": _META}  # The owner is checked later, as for every input.

    async def _uploaded(self, url: str) -> dict[str, Any]:
        head, comma, rest = url.removeprefix("data:").partition(",")
        kind, *more = head.split(";")
        try:
            is_base64 = "base64" in more
            content = b64decode(rest, validate=True) if is_base64 else unquote_to_bytes(rest)
        except (NotBase64, ValueError) as error:
            raise CallRefused("The data: URL is not valid base64.") from error
        if not comma:
            raise CallRefused("The data: URL has no comma, so it has no content.")
        name = f"file{guess_extension(kind) or ''}"
        form = multipart.Form(fields={}, files=[("files", name, content)], size=len(content))
        try:
            response = await self.loopback.post("upload", *multipart.written(form, {}))
        except (FilesQuotaExceeded, DiskFull) as refused:
            raise CallRefused(refused.sentence) from refused
        if response.status != 200:
            raise CallRefused(_detail(response))
        (path,) = response.json()
        return {"path": path, "meta": _META, "orig_name": name, "size": len(content)}

    # Outputs

    async def content(self, outputs: list[Any]) -> list[Content]:
        return [part for output in outputs for part in await self._content(output)]

    async def _content(self, output: Any) -> list[Content]:
        if is_file_obj_with_meta(output):
            return await self._file_content(output)
        if isinstance(output, dict | list):
            return [_text(json.dumps(output, ensure_ascii=False))]
        return [_text(str(output))]

    async def _file_content(self, output: dict[str, Any]) -> list[Content]:
        path, url = output["path"], output.get("url")
        if isinstance(url, str) and url.startswith("data:image/svg"):
            svg = unquote_to_bytes(url.partition(",")[2])
            return [_image(svg, "image/svg+xml")]
        address = path if path.startswith(("http:", "https:")) else f"{self._files}{quote(path)}"
        image = await self._image_at(path)
        return [*([image] if image else []), _text(f"Image URL: {address}" if image else address)]

    async def _image_at(self, path: str) -> Content | None:
        """Fetch an image with the caller's permissions: an output may name any file, even one that the caller has
        typed. Return None if it is not available."""
        if not (guess_type(path)[0] or "").startswith("image/"):
            return None
        response = HeldResponse(limit=LARGEST_SHOWN)
        try:
            await self.loopback.get(f"file={path}", response.hold)
        except HTTPException:
            return None
        kind = response.header(b"content-type").decode("latin-1").partition(";")[0]
        if response.status != 200 or response.is_too_large or not kind.startswith("image/"):
            return None
        return _image(bytes(response.body), kind)

    @property
    def _files(self) -> str:
        return f"{self.loopback.link}/gradio_api/file="


class _LastMessage:
    """Reads a tab's stream and keeps only the message that ends its event."""

    def __init__(self) -> None:
        self._rest = b""
        self.last: dict[str, Any] | None = None

    async def receive(self, message: Message) -> None:
        *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and b'"process_completed"' in line:
                found = orjson.loads(line.removeprefix(b"data:"))
                if found.get("msg") == "process_completed":
                    self.last = found


def _detail(response: HeldResponse) -> str:
    """Return why Gradio has refused the request."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return "The app cannot read the input."
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)


def _refusal(output: Mapping[str, Any]) -> str:
    title, text = output.get("title"), output.get("error")
    named = title if title not in {None, "Error"} else None
    return ": ".join(str(part) for part in (named, text) if part) or "Error"


def _text(text: str) -> Content:
    return {"type": "text", "text": text}


def _image(content: bytes, kind: str) -> Content:
    return {"type": "image", "data": b64encode(content).decode("ascii"), "mimeType": kind}
