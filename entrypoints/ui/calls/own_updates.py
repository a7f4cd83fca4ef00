"""Tell updates that an app's code has made from values of a caller that look like one.

Gradio takes every dict with a member `__type__`, and every namespace with `_is_component_update`, for an update, which builds
the author's component anew: with other choices, another folder or other scripts. A value of a caller may be such a dict, from
the browser's storage, a table cell, or JSON within a text. So gr.update and gr.skip return a dict of a class of their own,
Gradio gives functions the properties of a component as a namespace of its own class, and no others count. The browser takes
a dict for an update, too, for example what gr.JSON reads from a text; so genuine ones have a mark of ours until they are sent.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, SimpleNamespace
from typing import Any, Final

from gradio import helpers, utils
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.layouts import Row
from pydantic import RootModel

from entrypoints.ui.replacement import Replacement

_MARK: Final = "__type__"
_IS_UPDATE: Final = "_is_component_update"


_OWN: Final = object()
"""The mark of genuine updates until they are sent. No JSON has a member whose name is no text."""


class Update(dict[str, Any]):
    """What gr.update or gr.skip has made."""


class Properties(SimpleNamespace):
    """The properties of a component, as Gradio gives them to a function that takes the component by its type."""


def has_stored_outputs(fn: BlockFunction) -> bool:
    """Return whether the function gives the stored outputs of an example. Gradio reads them from a file, which the app has
    written. Samples of inputs are not stored: an event may have changed them to what users have sent."""
    module, name = (getattr(fn.fn, each, None) for each in ("__module__", "__name__"))
    return module == helpers.__name__ and name == "load_example_output"


def with_own_updates(fn: BlockFunction, outputs: Any) -> Any:
    """Return a function's results, in which only what the app has made is an update."""
    if has_stored_outputs(fn):
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
    if isinstance(value, Update | Properties):
        return value
    if utils.is_prop_update(value):  # type: ignore[no-untyped-call]
        return _without(value, _MARK)
    if isinstance(value, SimpleNamespace) and getattr(value, _IS_UPDATE, False):
        return SimpleNamespace(**_without(vars(value), _IS_UPDATE))
    return value


def as_own(converted: dict[Any, Any]) -> dict[Any, Any]:
    """Mark an update that is about to be sent as a genuine one."""
    return {**converted, _OWN: True}


def without_foreign_updates(data: list[Any]) -> list[Any]:
    """Return the converted results, in which only those are updates that `as_own` has marked."""
    return [_as_sent(value) for value in data]


def _as_sent(value: Any) -> Any:
    members = value.root if isinstance(value, RootModel) else value
    if not isinstance(members, dict):
        return value
    if _OWN in members:
        return _without(members, _OWN)
    return _without(members, _MARK) if members.get(_MARK) == "update" else value


def _without(members: Mapping[Any, Any], left_out: object) -> dict[Any, Any]:
    return {name: member for name, member in members.items() if name != left_out}


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

PROPERTIES: Final = Replacement(owner=helpers, name="SimpleNamespace", by=lambda _: Properties)
