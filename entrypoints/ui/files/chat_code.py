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
from gradio.blocks import Block
from gradio.components import Component
from gradio.components.chatbot import ChatMessage, ComponentMessage
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
_FIGURE: Final = "plot"
"""The member of a figure's description that has all but its type."""
_RUNS_NOTHING: Final = "matplotlib"
"""Such a figure is a picture."""

_made: Final[OrderedDict[bytes, None]] = OrderedDict()
"""Hashes of the code of components that apps have made in this process, each with what it is, the oldest first. A figure
may contain texts of users, so it is no template."""


def note_code(value: Any) -> None:
    """Record the scripts and templates in messages of a chat as the app's own."""
    for place, name in _places_in(value):
        if isinstance(place[name], str):
            key = _key_of(place, name)
            _made[key] = None
            _made.move_to_end(key)
    while len(_made) > REMEMBERED:
        _made.popitem(last=False)


def note_components(value: Any) -> None:
    """Record the code of the components in a chat as its author has written it."""
    if isinstance(value, Component):
        config = value.get_config()
        arguments = {"constructor_args": value.constructor_args, "props": config}
        note_code({"component": type(value).__name__.lower(), **arguments})
    elif isinstance(value, ChatMessage):
        note_components(value.content)
    elif isinstance(value, dict):
        note_components(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            note_components(one)


def leave_out_code(values: Iterable[Any]) -> None:
    """Leave scripts and templates out of the messages in these values, if they are not the app's own."""
    for place, name in list(_places_in(list(values))):
        code = place[name]
        if not isinstance(code, str) or _key_of(place, name) not in _made:
            place[name] = _DEFAULTS.get(name)


def keep_code_of(blocks: Iterable[Block]) -> None:
    """Record the code of the components with which an app was built, and leave other code out of its chats: an author may
    build a chat from a file in which users have saved theirs."""
    for block in blocks:
        if isinstance(block, gr.Plot):
            note_code(block.value)
        elif isinstance(block, gr.Chatbot):
            note_components(block.constructor_args.get("value"))
            leave_out_code([block.value])


def _key_of(place: dict[str, Any], name: str) -> bytes:
    kind = f"{name} {place.get('type') if name == _FIGURE else ''}"
    return sha256(f"{kind}\0{place[name]}".encode(errors="surrogatepass")).digest()


def _places_in(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where code may be: an object, and the name of its member."""
    for message in objects_with("component", value):
        for part in _OF_A_MESSAGE:
            arguments = message.get(part)
            if isinstance(arguments, dict):
                for name in arguments.keys() & _DEFAULTS.keys():
                    if arguments[name] != _DEFAULTS[name]:
                        yield arguments, name
        for figure in objects_with(_FIGURE, message):
            if figure.get("type") != _RUNS_NOTHING and figure[_FIGURE]:
                yield figure, _FIGURE
    for figure in objects_with(_FIGURE, value):
        kind = figure.get("type")
        if isinstance(kind, str) and kind in _RUNS and figure[_FIGURE]:
            yield figure, _FIGURE


def _describing(describe: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def _postprocess_content(self: gr.Chatbot, chat_message: Any) -> Any:
        described = describe(self, chat_message)
        if not isinstance(described, ComponentMessage):
            return described
        message = described.model_dump()
        if isinstance(chat_message, Component):
            note_code(message)
            return described
        leave_out_code([message])
        return ComponentMessage(**message)

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
