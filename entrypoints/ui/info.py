"""The description of an app's API, as far as it is the caller's: what their roles do not allow is not in it."""

import json
from typing import Any, Final

import gradio as gr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.ui.roles import may_use

PATH: Final = "/gradio_api/info"


class Described:
    """Around the address that describes the app."""

    def __init__(self, inner: ASGIApp, demo: gr.Blocks) -> None:
        self._inner = inner
        self._demo = demo

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, *, roles: frozenset[str]
    ) -> None:
        fns = self._demo.fns
        hidden = {number for number, fn in fns.items() if not may_use(fn, roles)}
        if not hidden:
            await self._inner(scope, receive, send)
            return
        names = {f"/{fns[number].api_name}" for number in hidden}
        body = bytearray()
        start: Message = {}

        async def without(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            text = _without(bytes(body), names, hidden) if start["status"] == 200 else bytes(body)
            headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
            headers.append((b"content-length", str(len(text)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": text})

        headers = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
        await self._inner({**scope, "headers": headers}, receive, without)


def _without(body: bytes, names: set[str], numbers: set[int]) -> bytes:
    info: dict[str, Any] = json.loads(body)
    for kind, gone in (("named_endpoints", names), ("unnamed_endpoints", set(map(str, numbers)))):
        info[kind] = {name: told for name, told in info.get(kind, {}).items() if name not in gone}
    return json.dumps(info).encode()
