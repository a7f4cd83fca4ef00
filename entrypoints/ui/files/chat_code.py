"""Keep callers from putting scripts into a chat that an app may show to others.

A message of a chat may contain a component, which Gradio's front end builds from what the browser has sent: of a gr.HTML also
its script and templates, and of a gr.Plot with a figure of Bokeh its callbacks. Only those count that the app itself has sent
to this caller before; others are left out.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import gradio as gr

from entrypoints.ui.wire.json_bodies import objects_with

CODE: Final = ("js_on_load", "html_template", "css_template", "head")
"""Arguments of gr.HTML that the browser runs, or makes a function or a part of the page's head of."""
_DEFAULTS: Final = {name: inspect.signature(gr.HTML).parameters[name].default for name in CODE}
_OF_A_MESSAGE: Final = ("props", "constructor_args")
_RUNS_CALLBACKS: Final = "bokeh"


def code_in(value: Any) -> Iterator[str]:
    """Yield the scripts and templates in the messages of a chat, at any depth, that are not Gradio's own."""
    for place, name in _places_in(value):
        if isinstance(place[name], str):
            yield place[name]


def leave_out_code(values: Iterable[Any], *, is_of_the_app: Callable[[str], bool]) -> None:
    """Leave scripts and templates out of the messages in these values, if they are not the app's own."""
    for place, name in list(_places_in(list(values))):
        code = place[name]
        if not isinstance(code, str) or not is_of_the_app(code):
            place[name] = _DEFAULTS.get(name)


def key_of(code: str) -> str:
    """Return under which name a script or template is remembered as the app's own. No file has such a name."""
    return f"\0{sha256(code.encode(errors='surrogatepass')).hexdigest()}"


def _places_in(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where code may be: an object, and the name of its member."""
    for message in objects_with("component", value):
        for part in _OF_A_MESSAGE:
            arguments = message.get(part)
            if isinstance(arguments, dict):
                for name in arguments.keys() & _DEFAULTS.keys():
                    if arguments[name] != _DEFAULTS[name]:
                        yield arguments, name
    for figure in objects_with("plot", value):
        if figure.get("type") == _RUNS_CALLBACKS and figure["plot"]:
            yield figure, "plot"
