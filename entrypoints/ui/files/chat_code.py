"""Keep users from putting scripts into a chat that an app shows to others.

A message of a chat may contain a component, which Gradio's front end builds from its description: of a gr.HTML also its
script and templates, and of a gr.Plot its whole figure. A description may come from a browser, or from
a file of a user in which an app keeps a chat. So only the code counts that the app's own components have; other code is
left out.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import gradio as gr
from gradio.components import Component
from gradio.components.chatbot import ComponentMessage
from gradio.components.plot import PlotData

from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire.json_bodies import objects_with

CODE: Final = ("js_on_load", "html_template", "css_template", "head")
"""Arguments of gr.HTML that the browser runs, or makes a function or a part of the page's head of."""
REMEMBERED: Final = 50_000
"""Scripts, templates and figures of the app's components that count. The oldest are forgotten."""
_DEFAULTS: Final = {name: inspect.signature(gr.HTML).parameters[name].default for name in CODE}
_OF_A_MESSAGE: Final = ("props", "constructor_args")
_RUNS: Final = frozenset({"altair", "bokeh", "plotly"})
"""Kinds of figures whose description may have callbacks, expressions or HTML. JavaScript takes `["altair"]` for one, too."""
_RUNS_NOTHING: Final = "matplotlib"
"""Such a figure is a picture."""

_made: Final[OrderedDict[bytes, None]] = OrderedDict()
"""Hashes of the code of components that apps have made in this process, the oldest first."""


def note_code(value: Any) -> None:
    """Record the scripts and templates in messages of a chat as the app's own."""
    for place, name in _places_in(value):
        if isinstance(place[name], str):
            key = _key_of(place[name])
            _made[key] = None
            _made.move_to_end(key)
    while len(_made) > REMEMBERED:
        _made.popitem(last=False)


def leave_out_code(values: Iterable[Any]) -> None:
    """Leave scripts and templates out of the messages in these values, if they are not the app's own."""
    for place, name in list(_places_in(list(values))):
        code = place[name]
        if not isinstance(code, str) or _key_of(code) not in _made:
            place[name] = _DEFAULTS.get(name)


def _key_of(code: str) -> bytes:
    return sha256(code.encode(errors="surrogatepass")).digest()


def _places_in(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where code may be: an object, and the name of its member."""
    for message in objects_with("component", value):
        for part in _OF_A_MESSAGE:
            arguments = message.get(part)
            if isinstance(arguments, dict):
                for name in arguments.keys() & _DEFAULTS.keys():
                    if arguments[name] != _DEFAULTS[name]:
                        yield arguments, name
        for figure in objects_with("plot", message):
            if figure.get("type") != _RUNS_NOTHING and figure["plot"]:
                yield figure, "plot"
    for figure in objects_with("plot", value):
        kind = figure.get("type")
        if isinstance(kind, str) and kind in _RUNS and figure["plot"]:
            yield figure, "plot"


def _describing(describe: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def _postprocess_content(self: gr.Chatbot, chat_message: Any) -> Any:
        described = describe(self, chat_message)
        if isinstance(chat_message, Component) and isinstance(described, ComponentMessage):
            note_code(described.model_dump())
        return described

    return _postprocess_content


def _plotting(plot: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def postprocess(self: gr.Plot, value: Any) -> Any:
        plotted = plot(self, value)
        if isinstance(plotted, PlotData):
            note_code(plotted.model_dump())
        return plotted

    return postprocess


MESSAGES: Final = Replacement(owner=gr.Chatbot, name="_postprocess_content", by=_describing)
FIGURES: Final = Replacement(owner=gr.Plot, name="postprocess", by=_plotting)
