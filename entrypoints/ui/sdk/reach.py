"""Follow a callback to the author's functions that it may call: decorators, partials, closures, methods, Gradio's
interface classes, and the global names that a function uses."""

import sys
import types
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

_MOST_FUNCTIONS: Final = 1000


def called_by_gradio(callback: Any) -> Iterator[tuple[types.FunctionType, bool]]:
    """Yield the author's functions to which Gradio passes the values of components, and whether it passes all of
    them."""
    waiting: list[tuple[Any, bool]] = [(callback, True)]
    seen = set[int]()
    while waiting and len(seen) < _MOST_FUNCTIONS:
        one, takes_all = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType) and is_of_an_author(one):
            yield one, takes_all
            waiting.append((one.__dict__.get("__wrapped__"), takes_all))
        elif isinstance(one, types.FunctionType):
            waiting += [(each, takes_all) for each in named_in(one)]
        elif isinstance(one, partial):
            waiting.append((one.func, False))
        else:
            waiting += [(each, takes_all) for each in _behind(one)]


def _behind(one: Any) -> Sequence[Any]:
    """Return the functions that a method or a callable object calls."""
    if isinstance(one, types.MethodType):
        # gr.ChatInterface, gr.Interface and gr.render keep the author's function in `fn`.
        return one.__func__, getattr(one.__self__, "fn", None)
    if callable(one) and not isinstance(one, type):
        return vars(type(one)).get("__call__"), getattr(one, "__wrapped__", None)
    return ()


def reachable(callback: Any) -> Iterator[types.FunctionType]:
    """Yield the functions that a callback may call, as far as their names show it."""
    waiting, seen = [callback], set[int]()
    while waiting and len(seen) < _MOST_FUNCTIONS:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType):
            yield one
            waiting += named_in(one)
        elif isinstance(one, partial):
            waiting.append(one.func)
        else:
            waiting += _behind(one)


def named_in(function: types.FunctionType) -> Iterator[Any]:
    """Yield what a function names: the function that it wraps, values of its closure, and in an author's function also
    global values."""
    yield function.__dict__.get("__wrapped__")
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # The cell is still empty.
            continue
    if is_of_an_author(function):
        for name in names_in(function.__code__):
            yield function.__globals__.get(name)


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the global names and attributes that the code uses, also in functions inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


def is_of_an_author(function: types.FunctionType) -> bool:
    """Return whether the function is not from a library. Libraries do not use `injected`, and are large."""
    file = function.__code__.co_filename
    return "site-packages" not in file and not file.startswith((sys.base_prefix, "<frozen"))
