"""Keep visitors from what the canvas of a gr.Workflow offers to its author.

The canvas calls any model, Space or dataset that its visitor names, at any address, and sends it any file that the visitor
names. Gradio checks none of that. The app that the author has drawn on the canvas works: its events are checked like all others.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.exceptions import HTTPException

NOT_FOR_VISITORS: Final = (
    "This service does not run models, Spaces and datasets that a visitor chooses on the canvas. "
    "Use the app beside the canvas."
)
_HARMLESS: Final = frozenset(
    {
        *("get_write_access", "get_oauth_available", "get_oauth_scopes", "get_space_id"),
        *("get_workflow_key", "get_app_version", "get_workflow_api", "list_bound_fns"),
        "save_workflow",  # Gradio refuses it to everybody without the author's link, which no service shows.
    }
)
"""Functions of the canvas that take nothing from a visitor, fetch nothing and open no file but the workflow's own."""
_OF_THE_CANVAS: Final = "gradio.workflow"
_BY_NAME: Final = frozenset({"call_space_queued"})
"""Events of the canvas, beside those of the author's functions and of the app that is drawn on it."""


def must_be_for_visitors(fn: Callable[..., Any] | None, *, is_event: bool) -> None:
    """Refuse a function that Gradio has made for the canvas. Raises HTTPException."""
    if getattr(fn, "__module__", None) != _OF_THE_CANVAS:
        return
    name = getattr(fn, "__name__", "")
    if name in _BY_NAME if is_event else name not in _HARMLESS:
        raise HTTPException(403, NOT_FOR_VISITORS)
