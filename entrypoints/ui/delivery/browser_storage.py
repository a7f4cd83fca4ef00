"""Separate the values that apps keep in the browser, `gr.BrowserState` and saved chats, per account.

Gradio sends the same `storage_key` and `secret` of a component to every account, so the next user of a browser could
read the values. We replace both with the account's own in `/config`, in the page, and in components that `gr.render`
builds.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import gradio as gr
import orjson
from gradio.block_function import BlockFunction
from starlette.types import ASGIApp

from application.use_cases import BrowserStorage
from domain.model.caller import SignedIn
from domain.model.user import UserId
from entrypoints.access import SIGNED_IN
from entrypoints.ui.calls.steps import Convert, Event, Output, Run, Step
from entrypoints.ui.wire.exchange import Exchange, respond_rewritten

_KEY: Final = "storage_key"
_SECRET: Final = "secret"  # noqa: S105 -- The name of a property.
_SAVED_CHATS: Final = re.compile(r"_saved_conversations_\d+")
"""A ChatInterface's key. Its number depends on the other components in the process."""


class BrowserStates(Step):
    """Replaces the keys and secrets of one page. They do not depend on the process, so that values survive a
    restart."""

    def __init__(self, demo: gr.Blocks, storage: BrowserStorage, *, page: str) -> None:
        self._storage = storage
        self._page = page
        self._built = {
            written: own
            for state, key, secret in _named(demo)
            for written, own in (
                *((text, (_KEY, key)) for text in _written(_KEY, state.storage_key)),
                *((text, (_SECRET, secret)) for text in _written(_SECRET, state.secret)),
            )
        }

    async def respond(self, gradio: ASGIApp, exchange: Exchange) -> None:
        """Serve `/config` with the account's own keys and secrets."""
        if self._built:
            user_id = exchange.signed_in.user.id
            await respond_rewritten(
                gradio, exchange, lambda config: self.in_text(config, user_id=user_id)
            )
        else:
            await exchange.passed_to(gradio)

    def in_text(self, text: bytes, *, user_id: UserId) -> bytes:
        """Replace the keys and secrets in the app's config, alone or within its page, by the account's own."""
        for written, (prop, name) in self._built.items():
            text = text.replace(written, _json({prop: self._own(prop, name, user_id)}))
        return text

    async def run(self, event: Event, rest: Run) -> Output:
        """Give components that gr.render has built the caller's own keys and secrets."""
        output = await rest(event)
        if (rendered := output.get("render_config")) is not None:
            signed_in: SignedIn = event.request.request.scope["state"][SIGNED_IN]
            blocks: Any = event.state.blocks_config.blocks if event.state else {}
            self._in_render(rendered, blocks, signed_in.user.id)
        return output

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:
        """Remove keys and secrets from updates of a BrowserState."""
        data = await rest(outputs)
        for block, value in zip(fn.outputs, data, strict=False):
            if isinstance(block, gr.BrowserState) and _is_update(value):
                # A component reads its value only when the page loads, so its key must not change afterwards.
                value.pop(_KEY, None)
                value.pop(_SECRET, None)
        return data

    def _in_render(self, rendered: dict[str, Any], blocks: dict[int, Any], user_id: UserId) -> None:
        for component in rendered["components"]:
            state = blocks.get(component["id"])
            if isinstance(state, gr.BrowserState):
                # Without a key from the author, each rendering starts with a new value, as in Gradio itself.
                key = _chosen_key(state) or f"rendered {state.storage_key} {state.secret}"
                for prop, name in ((_KEY, key), (_SECRET, _chosen_secret(state) or key)):
                    component["props"][prop] = self._own(prop, name, user_id)

    def _own(self, prop: str, name: str, user_id: UserId) -> str:
        own = self._storage.key if prop == _KEY else self._storage.secret
        return own(user_id, page=self._page, name=name)


def _named(demo: gr.Blocks) -> Iterator[tuple[gr.BrowserState, str, str]]:
    """Yield each BrowserState of the app with the names of its key and its secret. They are the author's own, or else
    made from the default value and a number. With another default value, the component starts anew."""
    places: Counter[str] = Counter()
    for state in demo.blocks.values():
        if isinstance(state, gr.BrowserState):
            key = _chosen_key(state)
            if key is None:
                kind = "chats" if _is_saved_chats(state) else f"unnamed {state.default_value!r}"
                places[kind] += 1
                key = f"{kind} {places[kind]}"
            yield state, key, _chosen_secret(state) or key


def _chosen_key(state: gr.BrowserState) -> str | None:
    chosen = state.constructor_args.get(_KEY)
    return f"chosen {chosen}" if chosen and not _is_saved_chats(state) else None


def _chosen_secret(state: gr.BrowserState) -> str | None:
    chosen = state.constructor_args.get(_SECRET)
    return f"chosen {chosen}" if chosen else None


def _is_saved_chats(state: gr.BrowserState) -> bool:
    return _SAVED_CHATS.fullmatch(state.storage_key) is not None


def _is_update(value: object) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"


def _written(prop: str, value: str) -> set[bytes]:
    """Return the property as Gradio writes it in `/config` and in a script of the page. An author's text cannot contain
    it, because its quotes would be escaped."""
    plain = _json({prop: value})
    in_page = plain
    for sign in (b"<", b">", b"&", b"'"):
        in_page = in_page.replace(sign, b"\\u%04x" % ord(sign))
    return {plain, in_page}


def _json(props: dict[str, str]) -> bytes:
    """Return the properties as JSON, without the braces."""
    return orjson.dumps(props)[1:-1]
