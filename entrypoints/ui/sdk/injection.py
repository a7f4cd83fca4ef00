"""Implement `injected`, a parameter default that becomes the caller's User, Session or State, by the parameter's type.
A parameter of one of these types without a default gets it as well, if Gradio calls the function.

Gradio neither counts nor shows keyword-only parameters with a default, so functions need no wrapper. When an app is
mounted, each such default of each function that an event can reach is replaced by a stand-in of the parameter's type,
which looks up the caller whenever it is used.
"""

import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary, WeakSet

import gradio.utils

from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.calls.views import Session, User
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.sdk.reach import called_by_gradio, reachable
from entrypoints.ui.sdk.stand_ins import OF_TYPE, injected


class InjectionRefused(Exception):
    """A parameter cannot be injected. The text names it and says what to write instead."""


_KINDS: Final = (User, Session, State)
_BY_NAME: Final = {kind.__name__: kind for kind in _KINDS}
_AS_TEXT: Final = re.compile(
    r"(Optional\[)?(gradioapp\.)?(?P<kind>User|Session|State)( *\| *None|\])?"
)

_known: WeakKeyDictionary[Callable[..., Any], frozenset[type]] = WeakKeyDictionary()
_have_defaults: WeakSet[types.FunctionType] = WeakSet()


def inject_into(callback: Any) -> frozenset[type]:
    """Replace `injected` in every function that the callback can reach, and give defaults by type to those that Gradio
    calls. Return which of User, Session and State they take: a State must be loaded before they are called. Raises
    InjectionRefused."""
    is_kept = isinstance(callback, types.FunctionType)
    if is_kept and callback in _known:
        return _known[callback]
    for function, takes_all in called_by_gradio(callback):
        _give_defaults(function, may_refuse=takes_all)
    taken = frozenset(kind for function in reachable(callback) for kind in _inject(function))
    if is_kept:
        _known[callback] = taken
    return taken


def _inject(function: types.FunctionType) -> Iterator[type]:
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    given = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    by_keyword = function.__kwdefaults__ or {}
    if any(value is injected for value in given.values()):
        found = [_of_type(function, n) if v is injected else v for n, v in given.items()]
        function.__defaults__ = tuple(found)
    for name, value in by_keyword.items():
        if value is injected:
            by_keyword[name] = _of_type(function, name)
    values = [*(function.__defaults__ or ()), *by_keyword.values()]
    for kind, stand_in in OF_TYPE.items():
        if any(value is stand_in for value in values):
            yield kind


def _give_defaults(function: types.FunctionType, *, may_refuse: bool) -> None:
    """Give a default to each parameter that has one of the types and no default. Gradio passes components' values by
    position, so such a parameter must stand after theirs. Raises InjectionRefused."""
    if function in _have_defaults:
        return
    _have_defaults.add(function)
    code = function.__code__
    positional, defaults = code.co_varnames[: code.co_argcount], function.__defaults__ or ()
    required = positional[: len(positional) - len(defaults)]
    asked = {name: kind for name in required if (kind := _by_type(function, name))}
    if asked:
        last = required[required.index(next(iter(asked))) :]
        others = [name for name in last if name not in asked and not _is_special(function, name)]
        if not others:
            function.__defaults__ = (
                *(OF_TYPE[asked[name]] if name in asked else None for name in last),
                *defaults,
            )
        elif may_refuse and any(_hint(function, name) in _KINDS for name in asked):
            name, kind = next(iter(asked.items()))
            raise InjectionRefused(
                f"{code.co_filename}, line {code.co_firstlineno}: the parameter {name} of {function.__name__} stands before "
                f"{others[0]}, so it would get a component's value. Write it as a keyword, as in "
                f"(…, *, {name}: {kind.__name__} = injected)."
            )
    by_keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    kept = function.__kwdefaults__ or {}
    given = {n: OF_TYPE[kind] for n in by_keyword if (kind := _by_type(function, n))}
    if given.keys() - kept.keys():
        function.__kwdefaults__ = {**given, **kept}


def _by_type(function: types.FunctionType, name: str) -> type | None:
    """Return which of the types a parameter has, if any."""
    hint = _hint(function, name)
    if isinstance(hint, str):  # A name that is imported only for type checkers.
        found = _AS_TEXT.fullmatch(hint)
        return None if found is None else _BY_NAME[found["kind"]]
    return next((kind for kind in _kinds_in(hint) if kind in _KINDS), None)


def _kinds_in(hint: Any) -> tuple[Any, ...]:
    """Return the type, or the members of a union."""
    return (
        get_args(hint)
        if isinstance(hint, types.UnionType) or get_origin(hint) is Union
        else (hint,)
    )


def _is_special(function: types.FunctionType, name: str) -> bool:
    """Return whether Gradio fills the parameter itself, such as a gr.Request."""
    hint = _hint(function, name)
    return bool(gradio.utils.is_special_typed_parameter(name, {name: hint}))  # type: ignore[no-untyped-call]


def _hint(function: types.FunctionType, name: str) -> Any:
    """Return the type of a parameter, or its text if a name in it is unknown."""
    hint = function.__annotations__.get(name)
    alone = types.SimpleNamespace(__annotations__={name: hint})
    try:
        return get_type_hints(alone, function.__globals__).get(name)
    except Exception:  # The text may be any expression.
        return hint


def _of_type(function: types.FunctionType, name: str) -> Any:
    hint = _hint(function, name)
    for kind in (hint, *get_args(hint)):
        if kind in _KINDS:
            return OF_TYPE[kind]
    if isinstance(hint, str):
        for kind, stand_in in OF_TYPE.items():
            if kind.__name__ in hint.replace("|", " ").replace(".", " ").split():
                return stand_in
    line = function.__code__.co_firstlineno
    raise InjectionRefused(
        f"{function.__code__.co_filename}, line {line}: the parameter {name} of {function.__name__} is injected by its "
        "type. Annotate it with User, Session or State."
    )


def _recognising(is_special: Callable[..., bool]) -> Callable[..., bool]:
    def is_special_typed_parameter(name: str, parameter_types: Mapping[str, Any]) -> bool:
        kinds = _kinds_in(parameter_types.get(name))
        return is_special(name, parameter_types) or any(kind in _KINDS for kind in kinds)

    return is_special_typed_parameter


TYPES: Final = Replacement(owner=gradio.utils, name="is_special_typed_parameter", by=_recognising)
"""Otherwise Gradio warns that a component is missing for each parameter that has one of our types and no default."""
