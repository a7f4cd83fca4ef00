"""Serve Gradio's scripts, styles and fonts from memory, so that each is read and compressed only once."""

import re
from typing import Final

from starlette.types import ASGIApp, Message, Scope, Send

from entrypoints.ui.delivery.front_end import ChangedScript, assets_folder, changed_script_at
from entrypoints.ui.wire.exchange import Exchange, HeldResponse, held_response

HASHED: Final = "public, max-age=31536000, immutable"
"""Cache-Control of Gradio's assets below our folder. The names of the files contain a hash of Gradio's content, and the name of
the folder one of our changes."""
HASHED_AND_OWN: Final = "private, max-age=31536000, immutable"
UNHASHED: Final = "public, max-age=3600"
REVALIDATED: Final = "no-cache"
"""Cache-Control of the same assets below Gradio's folder and below the folder of another release: the next release may send
other scripts there."""

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of all cached files; several times the size of Gradio's files, compressed."""

_ENCODINGS: Final = (b"br", b"gzip")
"""In order of preference."""
_PATH: Final = re.compile(r"/(assets|static)(/[\w-][\w.-]*)+", re.ASCII)
_MAKES_IT_ANOTHER: Final = frozenset(
    {b"range", b"if-none-match", b"if-modified-since", b"if-range"}
)


class Assets:
    """Serves the assets of all mounts: they belong to Gradio, not to one app."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], HeldResponse] = {}
        self._size = 0

    async def respond(self, gradio: ASGIApp, exchange: Exchange) -> None:
        """Serve an asset, with a Cache-Control for successful responses.

        A page that was open during an upgrade loads more scripts later, from the folder of its release. While replicas
        are upgraded, a page of one release also asks replicas of the other. So the folders of all releases exist, and have the
        files of this one: the page goes on working, unless Gradio itself has changed. Nobody may keep these files, because
        the release with that folder may have other ones.
        """
        asked = exchange.names["path"]
        path, rule = _of_gradio(asked)
        exchange = exchange.at(exchange.scope["path"].removesuffix(asked) + path)
        encoding = _encoding_for(exchange.scope)
        script = changed_script_at(path)
        if script is not None:
            whole = _whole(script, encoding or b"", exchange.scope["method"])
            await whole.send_to(_cached(exchange.send, rule))
            return
        if encoding is None or not _is_plain(path):
            await exchange.sending(_cached(exchange.send, rule)).passed_to(gradio)
            return
        key = path, encoding
        held = self._kept.get(key)
        if held is None:
            held = await _encoded(gradio, exchange, encoding)
            if held.status == 200:
                self._keep(key, held)
        await held.send_to(_cached(exchange.send, rule))

    def _keep(self, key: tuple[str, bytes], held: HeldResponse) -> None:
        if key not in self._kept and self._size + len(held.body) <= LARGEST:
            self._kept[key] = held
            self._size += len(held.body)


class Theme:
    """Serves a page's theme, whose address contains a hash. Only callers who may open the page may fetch it."""

    def __init__(self, gradio: ASGIApp) -> None:
        self._gradio = gradio

    async def respond(self, exchange: Exchange) -> None:
        if exchange.scope["query_string"].startswith(b"v="):
            exchange = exchange.sending(_cached(exchange.send, HASHED_AND_OWN))
        await exchange.passed_to(self._gradio)


async def _encoded(gradio: ASGIApp, exchange: Exchange, encoding: bytes) -> HeldResponse:
    scope = exchange.uncompressed().scope
    headers = [*scope["headers"], (b"accept-encoding", encoding)]
    return await held_response(gradio, {**scope, "headers": headers})


def _whole(script: ChangedScript, encoding: bytes, method: str) -> HeldResponse:
    """Return the whole script, also for a request for a part of it or a conditional one: Gradio's own is another one."""
    body = script.bodies[encoding]
    headers = [
        (b"content-type", b"text/javascript; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"vary", b"accept-encoding"),
    ]
    if encoding:
        headers.append((b"content-encoding", encoding))
    held = HeldResponse(status=200, headers=headers)
    if method == "GET":
        held.body += body
    return held


def _of_gradio(path: str) -> tuple[str, str]:
    """Return the path at which Gradio has the file, so that a file is kept once for all folders, and the Cache-Control."""
    named, _, rest = path[1:].partition("/")
    if named == "static":
        return path, UNHASHED
    return f"/assets/{rest}", HASHED if named == assets_folder() else REVALIDATED


def _cached(send: Send, value: str) -> Send:
    line = (b"cache-control", value.encode())

    async def changed(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in {200, 304}:
            message["headers"] = [*message["headers"], line]
        await send(message)

    return changed


def _is_plain(path: str) -> bool:
    """Return whether the path is in its simplest spelling. Others are not cached, so that nobody can fill the memory
    with many spellings of one file."""
    return _PATH.fullmatch(path) is not None


def _encoding_for(scope: Scope) -> bytes | None:
    """Return the encoding of the cached response. None if the request is for a part of the file, is conditional, or
    accepts no plain br or gzip; such responses are not cached."""
    accepted = None
    if scope["method"] != "GET":
        return None
    for name, value in scope["headers"]:
        if name in _MAKES_IT_ANOTHER:
            return None
        if name == b"accept-encoding":
            if b";" in value:  # The client prefers or refuses some encodings.
                return None
            named = [word.strip() for word in value.split(b",")]
            accepted = next((e for e in _ENCODINGS if e in named), accepted)
    return accepted
