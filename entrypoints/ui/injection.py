"""`injected`: a parameter's default that is the caller, their session or their state, by the parameter's type.

Gradio neither counts nor shows keyword-only parameters with a default, so nothing has to be wrapped: when an app is
mounted, the default of each function that an event can reach is replaced by a stand-in of its type, which asks who is
calling whenever it is used. A function is reached as Python reaches it: through decorators, partials, closures, the
interface around it, and the names it uses.
"""

import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, get_args, get_type_hints
from weakref import WeakKeyDictionary

from entrypoints.ui import alone
from entrypoints.ui.calling import current_call, is_served, nobody_calls
from entrypoints.ui.values import State
from entrypoints.ui.views import Session, User, session_view, user_view


class InjectionRefused(Exception):
    """A parameter that cannot be injected; the text says which and what to write instead."""


def current_user() -> User:
    if not is_served():
        return alone.USER
    return alone.NOBODY if nobody_calls() else user_view(current_call().signed_in.user)


def current_session() -> Session:
    if not is_served():
        return alone.SESSION
    if nobody_calls():
        return alone.session()
    call = current_call()
    return session_view(call.signed_in.session, call.data)


def current_state() -> State:
    if not is_served():
        return alone.STATE
    return State({}) if nobody_calls() else current_call().loaded_state()


class StandIn:
    """Whatever `find` answers at the moment it is used; to isinstance a `kind`, at any moment."""

    __slots__ = ("_find", "_kind")

    def __init__(self, find: Callable[[], Any], kind: type) -> None:
        object.__setattr__(self, "_find", find)
        object.__setattr__(self, "_kind", kind)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self._kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith(
            "__"
        ):  # Python asks for these when it copies; nobody need be calling then.
            raise AttributeError(name)
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._find()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._find()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._find()[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._find()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())

    def __bool__(self) -> bool:
        return bool(self._find())

    def __eq__(self, other: object) -> bool:
        return not isinstance(other, type) and bool(self._find() == other)

    def __hash__(self) -> int:
        return hash(self._find())

    def __or__(self, other: Any) -> Any:
        return self._find() | other

    def __ior__(self, other: Any) -> Any:
        self._find().update(other)
        return self

    def __repr__(self) -> str:
        return repr(self._find())


class _AllInOne(State):
    """Where nobody looks at the types: one thing that is user, session and state at once."""

    def __init__(self, *parts: User | Session) -> None:
        super().__init__({})
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        for part in self._parts:
            if hasattr(part, name):
                return getattr(part, name)
        raise AttributeError(name)

    def __bool__(self) -> bool:
        return True


_ALONE: Final = _AllInOne(alone.USER, alone.SESSION)


def _unresolved() -> Any:
    if not is_served():
        return _ALONE
    if nobody_calls():
        return _AllInOne(alone.NOBODY, alone.session())
    raise RuntimeError(
        "`injected` reaches the functions that Gradio calls and those they name. This one it did not reach: "
        "pass it what it needs, or call current_user() or current_session() inside."
    )


injected: Final[Any] = StandIn(_unresolved, object)
_OF_TYPE: Final[dict[type, Any]] = {
    User: StandIn(current_user, User),
    Session: StandIn(current_session, Session),
    State: StandIn(current_state, State),
}

_MOST_FUNCTIONS: Final = 1000
_known: WeakKeyDictionary[Callable[..., Any], frozenset[type]] = WeakKeyDictionary()


def inject_into(callback: Any) -> frozenset[type]:
    """Into every function that the callback can reach; answers which of User, Session and State they take: the State
    has to be loaded before they are called. Raises InjectionRefused."""
    is_kept = isinstance(callback, types.FunctionType)
    if is_kept and callback in _known:
        return _known[callback]
    taken = frozenset(kind for function in _reachable(callback) for kind in _inject(function))
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
    for kind, stand_in in _OF_TYPE.items():
        if any(value is stand_in for value in values):
            yield kind


def _of_type(function: types.FunctionType, name: str) -> Any:
    try:
        hint = get_type_hints(function).get(name)
    except (NameError, TypeError):  # Names that only a type checker imports.
        hint = function.__annotations__.get(name)
    for kind in (hint, *get_args(hint)):
        if kind in _OF_TYPE:
            return _OF_TYPE[kind]
    if isinstance(hint, str):
        for kind, stand_in in _OF_TYPE.items():
            if kind.__name__ in hint.replace("|", " ").replace(".", " ").split():
                return stand_in
    line = function.__code__.co_firstlineno
    raise InjectionRefused(
        f"{function.__code__.co_filename}, line {line}: {name} of {function.__name__} is injected by its type: "
        "write User, Session or State behind it."
    )


def _reachable(callback: Any) -> Iterator[types.FunctionType]:
    waiting, seen = [callback], set[int]()
    while waiting and len(seen) < _MOST_FUNCTIONS:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType):
            yield one
            waiting += _named_in(one)
        elif isinstance(one, partial):
            waiting.append(one.func)
        elif isinstance(one, types.MethodType):
            # Of gr.ChatInterface, gr.Interface and gr.render the function they were made with.
            waiting += [one.__func__, getattr(one.__self__, "fn", None)]
        elif callable(one) and not isinstance(one, type):
            waiting += [vars(type(one)).get("__call__"), getattr(one, "__wrapped__", None)]


def _named_in(function: types.FunctionType) -> Iterator[Any]:
    yield function.__dict__.get("__wrapped__")
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # Not yet filled.
            continue
    if _is_of_an_author(function):
        for name in _names(function.__code__):
            yield function.__globals__.get(name)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_of_an_author(function: types.FunctionType) -> bool:
    """Libraries do not know `injected`, and are large."""
    file = function.__code__.co_filename
    return "site-packages" not in file and not file.startswith((sys.base_prefix, "<frozen"))
