"""Let a click on gr.LoginButton lead to our sign-in and sign-out. Gradio's own leads to Hugging Face, or to a mock."""

import re
from collections.abc import Callable
from typing import Any, Final

import gradio as gr
from gradio import routes
from gradio.components import login_button

from entrypoints.ui.replacement import Replacement

_ITS_TEXT: Final = "BUTTON_DEFAULT_VALUE"
"""Gradio replaces it in the script with the button's text while nobody is signed in."""
_CLICK: Final = f"""
(buttonValue) => {{
    const base = document.querySelector("script[data-base]")?.dataset.base ?? "";
    const here = location.pathname + location.search;
    const page = buttonValue === {_ITS_TEXT} ? "/login" : "/logout";
    const address = `${{base}}${{page}}?next=${{encodeURIComponent(here)}}`;
    if (window.top !== window && page === "/logout") window.open(address, "_blank");
    else location.assign(address);
}}
"""
"""Both pages lead back to `next`: sign-in afterwards, and sign-out for a person who does not confirm it. The
page for sign-out has a form, so it is never framed."""

_GRADIOS: Final = re.compile(
    r"uri = buttonValue === (?P<text>.+) \? '/login/huggingface\?_target_url=/"
)


def lead_to_our_pages(demo: gr.Blocks) -> Callable[[], None]:
    """Replace the script of each button that the app has already. Return a function that restores them."""
    changed = []
    for fn in demo.fns.values():
        found = _GRADIOS.search(fn.js) if isinstance(fn.js, str) else None
        if found:
            changed.append((fn, fn.js))
            fn.js = _CLICK.replace(_ITS_TEXT, found["text"])

    def restore() -> None:
        for fn, js in changed:
            fn.js = js

    return restore


def _always(by: Any) -> Callable[[Any], Any]:
    return lambda _: by


def _attach_nothing(app: Any) -> None:
    """Add neither Gradio's routes nor its cookie: their answers would be those of Hugging Face or of a mock."""


ATTACHING: Final = Replacement(owner=routes, name="attach_oauth", by=_always(_attach_nothing))
CLICKING: Final = Replacement(owner=login_button, name="_js_handle_redirect", by=_always(_CLICK))
"""For the buttons that gr.render makes."""
