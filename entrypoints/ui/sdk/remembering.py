"""Implement `remember(component)`: the component's value is restored after a reload, a restart, or on another
device."""

from typing import Any, Final, Literal

import gradio as gr
from gradio.components import Component
from gradio.context import Context
from gradio_client.utils import value_is_file  # type: ignore[import-untyped]

from entrypoints.ui.calls.call import current_call, is_served
from entrypoints.ui.calls.kept_values import SessionData
from entrypoints.ui.sdk import standalone
from entrypoints.ui.wire.json_bodies import paths_in

Scope = Literal["account", "session"]

_HIDDEN: Final[dict[str, Any]] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
}


def remember(
    component: Component, *more: Component, key: str | None = None, scope: Scope = "account"
) -> None:
    """Save the values of components per account and restore them when the page loads. Call it inside `with
    gr.Blocks()`.

    The value is saved when a text field loses the focus or is submitted, when a slider is released, and otherwise at
    each change. With `scope="session"` it lasts until the session ends. It is stored under `key`, or else under the
    component's elem_id or label; if that name changes, the value is lost. Raises ValueError for a component whose value
    is a file, that has no name, or whose name is used twice, and for one `key` for several components.
    """
    if more and key is not None:
        raise ValueError("One key= names one component. Call remember() once for each component.")
    for one in (component, *more):
        _remember(one, key, scope)


def _remember(component: Component, key: str | None, scope: Scope) -> None:
    demo = Context.root_block
    if demo is None:
        raise ValueError("remember() must be called inside `with gr.Blocks()`.")
    name = _name(demo, component, key)
    if value_is_file(component.api_info()) and not isinstance(component, _MAY_HOLD_FILES):
        raise ValueError(f"The value of {name!r} is a file, but remember() only saves JSON values.")

    async def restore() -> Any:
        kept = await _values(scope)
        found = kept.get(_key(name), _NOTHING)
        return gr.skip() if found is _NOTHING else found

    async def save(value: Any) -> None:
        if paths_in(value):
            gr.Warning(f"{name} contains a file, so it is not remembered.")
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
"""Components whose values are mostly text. A value with a file is not saved."""
_NAMES: Final = "_gradioapp_remembered"


def _name(demo: gr.Blocks, component: Component, key: str | None) -> str:
    name = key or component.elem_id or getattr(component, "label", None)
    if not name:
        raise ValueError(
            f"{component} has neither a label nor an elem_id. Give it a name with remember(component, key=…)."
        )
    names: set[str] = demo.__dict__.setdefault(_NAMES, set())
    if name in names:
        raise ValueError(
            f"Two components are remembered as {name!r}. Give one of them another name with remember(component, key=…)."
        )
    names.add(name)
    return str(name)


def _settled(component: Component) -> list[Any]:
    for events in (("release",), ("blur", "submit"), ("change",)):
        found = [getattr(component, event) for event in events if hasattr(component, event)]
        if found:
            return found
    raise ValueError(f"{component} has no change event, so it cannot be remembered.")


async def _values(scope: Scope) -> SessionData:
    if not is_served():
        return standalone.STATE
    call = current_call()
    if scope == "session":
        return call.data
    await call.load_state()
    return call.loaded_state()


def _key(name: str) -> str:
    """Return the key in the stored data. It contains the app's address, because two apps may use the same name."""
    place = current_call().place if is_served() else ""
    return f"remember:{place}:{name}"
