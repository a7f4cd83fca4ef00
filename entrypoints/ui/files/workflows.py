"""Keep visitors from what the canvas of a gr.Workflow offers to its author.

The canvas calls any model, Space or dataset that its visitor names, at any address, and sends it any file that the visitor
names. Gradio checks none of that. Functions of the author, and the app that is drawn on the canvas, work.
"""

import json
from collections.abc import Callable, Iterable, Iterator
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
"""The module that makes its functions and events. Events of the drawn app are made by another one."""
_LOADS, _OF_THE_AUTHOR = "_load_initial", "wrapper"
"""The names of its harmless events: one shows the canvas, and the others call the author's functions."""


def must_be_for_visitors(fn: Callable[..., Any] | None, *, is_event: bool) -> None:
    """Refuse a function that Gradio has made for the canvas. Raises HTTPException."""
    allowed = {_LOADS, _OF_THE_AUTHOR} if is_event else _HARMLESS
    if _is_of_the_canvas(fn) and getattr(fn, "__name__", "") not in allowed:
        raise HTTPException(403, NOT_FOR_VISITORS)


def arguments_in(fn: Callable[..., Any] | None, inputs: Iterable[Any]) -> Iterator[Any]:
    """Yield what the canvas passes to an author's function: its event takes all arguments as JSON in one text."""
    if _is_of_the_canvas(fn) and getattr(fn, "__name__", "") == _OF_THE_AUTHOR:
        for text in inputs:
            if isinstance(text, str):
                yield _parsed(text)


def _is_of_the_canvas(fn: Callable[..., Any] | None) -> bool:
    return getattr(fn, "__module__", None) == _OF_THE_CANVAS


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # Gradio refuses it.
