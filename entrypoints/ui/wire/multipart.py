"""Read multipart bodies of `component_server` and write them anew, so that Gradio reads exactly what was checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from entrypoints.ui.limits import FILES_AT_ONCE
from entrypoints.ui.wire.json_bodies import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    fields: dict[str, Any]
    """If a field is sent twice, the last one counts, as in Gradio."""
    files: Sequence[tuple[str, str, bytes]]
    """Field, file name, content."""
    size: int


def is_form(scope: Scope) -> bool:
    return Headers(scope=scope).get("content-type", "").startswith("multipart/form-data")


async def read(scope: Scope, receive: Receive) -> Form:
    """Parse the form. Raises HTTPException."""
    raw = await whole(receive)

    async def stream() -> Any:
        yield raw

    parser = MultiPartParser(
        Headers(scope=scope),
        stream(),
        max_files=FILES_AT_ONCE,
        max_fields=FILES_AT_ONCE,
        max_part_size=len(raw),
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(400, "The body is not a multipart form.") from error
    fields: dict[str, Any] = {}
    files: list[tuple[str, str, bytes]] = []
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.append((name, value.filename or "", await value.read()))
            else:
                fields[name] = value
    finally:
        await form.close()
    return Form(fields=fields, files=files, size=len(raw))


def written(form: Form, fields: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Return body and content type of the form, with other fields."""
    boundary = _hash_of(form, fields)  # No content can contain its own hash.
    body = bytearray()
    for name, value in fields.items():
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'.encode(
            errors="replace"
        )
    for name, file_name, content in form.files:
        body += (
            f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"; '
            f'filename="{_quoted(file_name)}"\r\ncontent-type: application/octet-stream\r\n\r\n'
        ).encode(errors="replace")
        body += content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"multipart/form-data; boundary={boundary}".encode()


def _hash_of(form: Form, fields: Mapping[str, str]) -> str:
    digest = blake2b(digest_size=32)
    for text in chain.from_iterable(fields.items()):
        digest.update(str(text).encode(errors="replace"))
    for name, file_name, content in form.files:
        digest.update(f"{name}{file_name}".encode(errors="replace"))
        digest.update(content)
    return digest.hexdigest()


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").replace("\\", "%5C")
