"""Tell updates that an app's code has made from values of a caller that look like one.

Gradio takes every dict with a member `__type__` for an update, which builds the author's component anew: with other choices,
another folder or other scripts. A value of a caller may be such a dict, from the browser's storage, a table cell, or JSON
within a text. So gr.update and gr.skip return a dict of a class of their own, and no other dict counts.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from gradio import helpers, utils
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.layouts import Row

_MARK: Final = "__type__"


class Update(dict[str, Any]):
    """What gr.update or gr.skip has made."""


def with_own_updates(fn: BlockFunction, outputs: Any) -> Any:
    """Return a function's results, in which only what the app has made is an update. Stored outputs of examples, which
    Gradio reads from a file, are the app's."""
    if getattr(fn.fn, "__module__", None) == helpers.__name__:
        return outputs
    if isinstance(outputs, dict) and outputs and all(isinstance(key, Block) for key in outputs):
        return {block: _plain(value) for block, value in outputs.items()}
    if len(fn.outputs) == 1 and not fn.batch:
        return _plain(outputs)
    if isinstance(outputs, list | tuple):
        return [_plain(value) for value in outputs]
    return outputs  # Gradio refuses it, or leaves the outputs as they are.


def _plain(value: Any) -> Any:
    """Return the value without its mark if it looks like an update, and the app has not made it."""
    if isinstance(value, Update) or not utils.is_prop_update(value):  # type: ignore[no-untyped-call]
        return value
    return {name: member for name, member in value.items() if name != _MARK}


def _copied(function: Any) -> Any:
    return FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )


make_update: Final[Callable[..., dict[str, Any]]] = _copied(helpers.update)
make_skip: Final[Callable[..., dict[str, Any]]] = _copied(helpers.skip)


def _update(elem_id=None, elem_classes=None, visible=None, **kwargs):  # type: ignore[no-untyped-def]
    from entrypoints.ui.calls import own_updates

    made = own_updates.make_update(elem_id, elem_classes, visible, **kwargs)
    return own_updates.Update(made)


def _skip():  # type: ignore[no-untyped-def]
    from entrypoints.ui.calls import own_updates

    return own_updates.Update(own_updates.make_skip())


def _mark_updates() -> None:
    """Let Gradio's functions make an Update, for the whole process and before an author's file is read: it may make some
    when it is read. Change their code and not their name, because Gradio's modules and authors import them by name."""
    helpers.update.__code__ = _update.__code__
    helpers.skip.__code__ = _skip.__code__
    of_rows = Row.update
    Row.update = staticmethod(lambda *args, **kwargs: Update(of_rows(*args, **kwargs)))  # type: ignore[method-assign]


_mark_updates()
