"""The description of an app's API, as far as it is the caller's: what their roles do not allow is not in it."""

import json
from typing import Any, Final

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.ui.rewriting import answer_rewritten
from entrypoints.ui.roles import may_use

PATH: Final = "/gradio_api/info"
_IN_PAGE: Final = b"<script>window.gradio_api_info = "
"""With its tag, which no text of the author's can contain: Gradio writes every < of them differently."""
_END: Final = b";</script>"


class Described:
    """Around the address that describes the app."""

    def __init__(self, inner: ASGIApp, demo: gr.Blocks) -> None:
        self._inner = inner
        self._demo = demo

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, *, roles: frozenset[str]
    ) -> None:
        hidden = self._hidden_from(roles)
        if not hidden:
            await self._inner(scope, receive, send)
            return
        await answer_rewritten(
            self._inner, scope, receive, send, rewrite=lambda told: self._without(told, hidden)
        )

    def in_page(self, page: bytes, *, roles: frozenset[str]) -> bytes:
        """The app's document, which has the same description in it."""
        hidden = self._hidden_from(roles)
        before, found, rest = page.partition(_IN_PAGE)
        if not hidden or not found:
            return page
        told, end, after = rest.partition(_END)
        # As Gradio writes it: nothing of it may end the script.
        kept = self._without(told, hidden).replace(b"<", b"\\u003c")
        return before + found + kept + end + after

    def _hidden_from(self, roles: frozenset[str]) -> set[int]:
        return {number for number, fn in self._demo.fns.items() if not may_use(fn, roles)}

    def _without(self, told: bytes, hidden: set[int]) -> bytes:
        info: dict[str, Any] = json.loads(told)
        names = {f"/{self._demo.fns[number].api_name}" for number in hidden}
        for kind, gone in (
            ("named_endpoints", names),
            ("unnamed_endpoints", set(map(str, hidden))),
        ):
            told_of = info.get(kind, {}).items()
            info[kind] = {name: what for name, what in told_of if name not in gone}
        return json.dumps(info).encode()
