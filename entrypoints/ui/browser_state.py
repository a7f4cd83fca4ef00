"""Values that apps keep in the browser, `gr.BrowserState` and saved chats: each account has keys and secrets of its own.

Gradio tells every page the same `storage_key` and `secret` for a component, so that whoever uses the browser next reads the
value. Here both are replaced on their way to the page, in `/config`, in the page itself and in what `gr.render` builds.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import gradio as gr
import orjson
from gradio.block_function import BlockFunction
from starlette.types import ASGIApp, Receive, Scope, Send

from application.use_cases import BrowserStorage
from domain.model.caller import SignedIn
from domain.model.user import UserId
from entrypoints.access import SIGNED_IN
from entrypoints.ui.rewriting import answer_rewritten

PATH: Final = "/config"
_KEY: Final = "storage_key"
_SECRET: Final = "secret"  # noqa: S105 -- The name of a property.
_SAVED_CHATS: Final = re.compile(r"_saved_conversations_\d+")
"""A ChatInterface's key, named after a number that depends on what else the process has built."""


class BrowserStates:
    """Of one page. A value's name does not depend on the process, so that a value survives a restart."""

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

    async def answer(
        self, inner: ASGIApp, scope: Scope, receive: Receive, send: Send, *, user_id: UserId
    ) -> None:
        """`/config`, as the account may see it."""
        if not self._built:
            await inner(scope, receive, send)
            return
        await answer_rewritten(
            inner, scope, receive, send, rewrite=lambda body: self.in_text(body, user_id=user_id)
        )

    def in_text(self, text: bytes, *, user_id: UserId) -> bytes:
        """The app's config, alone or within its page, with the account's own keys and secrets."""
        for written, (prop, name) in self._built.items():
            text = text.replace(written, _json({prop: self._own(prop, name, user_id)}))
        return text

    def wrap(self, demo: gr.Blocks) -> None:
        """From now on an event never changes or tells a key or a secret that is not the caller's own."""
        process: Callable[..., Awaitable[dict[str, Any]]] = demo.process_api
        postprocess: Callable[..., Awaitable[list[Any]]] = demo.postprocess_data

        async def process_api(
            *args: Any, request: Any = None, state: Any = None, **kwargs: Any
        ) -> dict[str, Any]:
            output = await process(*args, request=request, state=state, **kwargs)
            if (rendered := output.get("render_config")) is not None:
                signed_in: SignedIn = request.request.scope["state"][SIGNED_IN]
                self._in_render(rendered, state.blocks_config.blocks, signed_in.user.id)
            return output

        async def postprocess_data(block_fn: BlockFunction, *args: Any, **kwargs: Any) -> list[Any]:
            data = await postprocess(block_fn, *args, **kwargs)
            for block, value in zip(block_fn.outputs, data, strict=False):
                if isinstance(block, gr.BrowserState) and _is_update(value):
                    # A component looks for its value only when the page is loaded; it stays where it is kept.
                    value.pop(_KEY, None)
                    value.pop(_SECRET, None)
            return data

        demo.process_api = process_api  # type: ignore[method-assign]
        demo.postprocess_data = postprocess_data  # type: ignore[method-assign]

    def _in_render(self, rendered: dict[str, Any], blocks: dict[int, Any], user_id: UserId) -> None:
        for component in rendered["components"]:
            state = blocks.get(component["id"])
            if isinstance(state, gr.BrowserState):
                # Without a key of the author's it begins anew each time it is built, as everywhere in Gradio.
                key = _chosen_key(state) or f"rendered {state.storage_key} {state.secret}"
                for prop, name in ((_KEY, key), (_SECRET, _chosen_secret(state) or key)):
                    component["props"][prop] = self._own(prop, name, user_id)

    def _own(self, prop: str, name: str, user_id: UserId) -> str:
        own = self._storage.key if prop == _KEY else self._storage.secret
        return own(user_id, page=self._page, name=name)


def _named(demo: gr.Blocks) -> Iterator[tuple[gr.BrowserState, str, str]]:
    """Each BrowserState that the app was built with, and the names of its key and its secret: what the author has chosen,
    else its place among those of its kind. Another default value is another kind, and begins anew."""
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
    """As Gradio writes it in `/config`, and in a script of the page. Its quotes cannot be in a text of the author's."""
    plain = _json({prop: value})
    in_page = plain
    for sign in (b"<", b">", b"&", b"'"):
        in_page = in_page.replace(sign, b"\\u%04x" % ord(sign))
    return {plain, in_page}


def _json(props: dict[str, str]) -> bytes:
    """Without the braces."""
    return orjson.dumps(props)[1:-1]
