"""`remember(component)`: what somebody has put into a component is there again after a reload, a restart, and for
an account on every device."""

from typing import Any, Final, Literal

import gradio as gr
from gradio.components import Component
from gradio.context import Context
from gradio_client.utils import value_is_file  # type: ignore[import-untyped]

from entrypoints.ui import alone
from entrypoints.ui.bodies import paths_in
from entrypoints.ui.calling import current_call, is_served
from entrypoints.ui.values import SessionData

Scope = Literal["account", "session"]

_HIDDEN: Final[dict[str, Any]] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
}


def remember(component: Component, *, key: str | None = None, scope: Scope = "account") -> None:
    """Inside the Blocks. The value is saved when it is settled: on leaving a text, on letting go of a slider, else when
    it changes. With `scope="session"` it lasts until the sign-in ends. It is kept under the `key`, else under the
    component's elem_id or label: a component that loses its name loses its value. Raises ValueError for a component
    that is a file, has no name, or has the name of another."""
    demo = Context.root_block
    if demo is None:
        raise ValueError("remember() is called inside `with gr.Blocks()`.")
    name = _name(demo, component, key)
    if value_is_file(component.api_info()) and not isinstance(component, _MAY_HOLD_FILES):
        raise ValueError(f"{name!r} is a file, and remember() keeps values that are JSON.")

    async def restore() -> Any:
        kept = await _values(scope)
        found = kept.get(_key(name), _NOTHING)
        return gr.skip() if found is _NOTHING else found

    async def save(value: Any) -> None:
        if paths_in(value):
            gr.Warning(f"{name} holds a file, and is not remembered.")
            return
        kept = await _values(scope)
        if kept.get(_key(name), _NOTHING) != value:
            kept[_key(name)] = value

    demo.load(restore, None, component, postprocess=False, **_HIDDEN)
    gr.on(
        _settled(component),
        save,
        component,
        None,
        preprocess=False,
        trigger_mode="always_last",
        **_HIDDEN,
    )


_NOTHING: Final = object()
_MAY_HOLD_FILES: Final = (gr.Chatbot, gr.MultimodalTextbox)
"""Most of their values are words. One with a file is not kept."""
_NAMES: Final = "_gradioapp_remembered"


def _name(demo: gr.Blocks, component: Component, key: str | None) -> str:
    name = key or component.elem_id or getattr(component, "label", None)
    if not name:
        raise ValueError(
            f"{component} has neither a label nor an elem_id to be remembered by: remember(component, key=…)."
        )
    names: set[str] = demo.__dict__.setdefault(_NAMES, set())
    if name in names:
        raise ValueError(
            f"Two components are remembered as {name!r}: give one remember(component, key=…)."
        )
    names.add(name)
    return str(name)


def _settled(component: Component) -> list[Any]:
    for events in (("release",), ("blur", "submit"), ("change",)):
        found = [getattr(component, event) for event in events if hasattr(component, event)]
        if found:
            return found
    raise ValueError(f"{component} never tells that its value changed, so it cannot be remembered.")


async def _values(scope: Scope) -> SessionData:
    if not is_served():
        return alone.STATE
    call = current_call()
    if scope == "session":
        return call.data
    await call.load_state()
    return call.loaded_state()


def _key(name: str) -> str:
    """Two apps may have a component of the same name."""
    place = current_call().place if is_served() else ""
    return f"remember:{place}:{name}"
