"""Serve the description of an app's API, without endpoints that the caller's roles do not allow."""

import json
from typing import Any, Final

import gradio as gr
from starlette.types import ASGIApp

from entrypoints.ui.sdk.roles import may_use
from entrypoints.ui.wire.exchange import Exchange, respond_rewritten

_IN_PAGE: Final = b"<script>window.gradio_api_info = "
"""The beginning of the script with the description. No text of the author contains it, because Gradio escapes `<`."""
_END: Final = b";</script>"


class ApiDescription:
    def __init__(self, gradio: ASGIApp, demo: gr.Blocks) -> None:
        self._gradio = gradio
        self._demo = demo

    async def respond(self, exchange: Exchange) -> None:
        hidden = self._hidden_from(exchange.signed_in.user.roles)
        if hidden:
            await respond_rewritten(
                self._gradio, exchange, lambda description: self._without(description, hidden)
            )
        else:
            await exchange.passed_to(self._gradio)

    def in_page(self, page: bytes, *, roles: frozenset[str]) -> bytes:
        """Remove the endpoints from the description within the app's HTML page."""
        hidden = self._hidden_from(roles)
        before, found, rest = page.partition(_IN_PAGE)
        if not hidden or not found:
            return page
        told, end, after = rest.partition(_END)
        # Escaped as Gradio does, so that no text can end the script.
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
