"""Gradio's scripts, styles and fonts from memory: read and compressed once, and not anew for every visitor."""

import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of all together; several times what Gradio has, compressed."""

_ENCODINGS: Final = (b"br", b"gzip")
"""The best first."""
_PATH: Final = re.compile(r"/(assets|static)(/[\w-][\w.-]*)+", re.ASCII)
_MAKES_IT_ANOTHER: Final = frozenset(
    {b"range", b"if-none-match", b"if-modified-since", b"if-range"}
)


class Assets:
    """The same below every mount: they are Gradio's, and no app's."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], tuple[Message, bytes]] = {}
        self._size = 0

    async def answer(
        self, inner: ASGIApp, scope: Scope, receive: Receive, send: Send, *, path: str
    ) -> None:
        """`path`, below the mount, as `inner` has it."""
        encoding = _encoding_for(scope)
        if encoding is None or not _is_plain(path):
            await inner(scope, receive, send)
            return
        key = path, encoding
        if key not in self._kept:
            headers = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
            scope = {**scope, "headers": [*headers, (b"accept-encoding", encoding)]}
            await inner(scope, receive, self._keeping(key, send))
            return
        start, body = self._kept[key]
        await send({**start, "headers": list(start["headers"])})
        await send({"type": "http.response.body", "body": body})

    def _keeping(self, key: tuple[str, bytes], send: Send) -> Send:
        start: Message = {}
        body = bytearray()

        async def kept(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = {**message, "headers": list(message["headers"])}
            elif message["type"] == "http.response.body" and start["status"] == 200:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self._keep(key, start, bytes(body))
            await send(message)

        return kept

    def _keep(self, key: tuple[str, bytes], start: Message, body: bytes) -> None:
        if key not in self._kept and self._size + len(body) <= LARGEST:
            self._kept[key] = start, body
            self._size += len(body)


def _is_plain(path: str) -> bool:
    """One file has one such path: nobody fills the memory with other ways of writing it."""
    return _PATH.fullmatch(path) is not None


def _encoding_for(scope: Scope) -> bytes | None:
    """None for what is not the whole file, or asked for in an unusual way; uncompressed they would be too many."""
    accepted = None
    if scope["method"] != "GET":
        return None
    for name, value in scope["headers"]:
        if name in _MAKES_IT_ANOTHER:
            return None
        if name == b"accept-encoding":
            if b";" in value:  # Some are preferred, or refused.
                return None
            named = [word.strip() for word in value.split(b",")]
            accepted = next((e for e in _ENCODINGS if e in named), accepted)
    return accepted
