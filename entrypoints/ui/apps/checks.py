"""Check the functions of an app before it is mounted, and inject the caller into those that ask for it."""

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, TypeGuard, get_args

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.utils import get_type_hints

from entrypoints.ui import sdk
from entrypoints.ui.apps.cached_examples import cached_examples_of
from entrypoints.ui.apps.caches import caches_of, is_per_session
from entrypoints.ui.apps.faults import OURS
from entrypoints.ui.sdk import PageRefused, current
from entrypoints.ui.sdk.injection import InjectionRefused, inject_into
from entrypoints.ui.sdk.reach import called_by_gradio, names_in, reachable
from entrypoints.ui.sdk.roles import roles_of


def inject_callers(demo: gr.Blocks) -> None:
    """Inject into every function that the app can call. Raises PageRefused for a function that cannot have a caller of its
    own."""
    try:
        for fn in demo.fns.values():
            taken = inject_into(fn.fn) | inject_into(fn.validator)
            if fn.batch:
                _must_not_ask_who_calls(fn, taken)
            if hasattr(fn.fn, "cache"):
                _must_not_be_cached(fn, taken)
        for examples in cached_examples_of(demo):
            _must_be_for_all(examples.fn)
        for block in demo.blocks.values():
            for server_function in getattr(block, "server_fns", ()):
                inject_into(server_function)
    except InjectionRefused as error:
        raise PageRefused(str(error)) from error


def _must_not_ask_who_calls(fn: BlockFunction, taken: frozenset[type]) -> None:
    """Raises PageRefused for a batch function that needs its caller: a batch is one call for several callers, and
    Gradio would pass it the first caller's request for all of them."""
    asks = [kind.__name__ for kind in taken]
    if fn.connection == "stream":
        raise PageRefused(
            f"{fn.name} is a batch=True event of a stream: Gradio would send the outputs of all callers to each "
            "of them. Make it batch=False."
        )
    asks += [f"gr.{kind.__name__}" for kind in _kinds_of(fn) if _is_of_one_caller(kind)]
    if roles_of(fn.fn):
        asks.append("a role")
    if any(is_per_session(one) for one in caches_of(fn.fn)):
        asks.append("a cache with per_session=True")
    if asks:
        raise PageRefused(
            f"{fn.name} is a batch=True event that takes {' and '.join(sorted(asks))}: it is called once for several "
            "callers. Make it batch=False, or do not take them."
        )


def _kinds_of(fn: BlockFunction) -> set[object]:
    """Return the types of the function's parameters, each member of a union by itself."""
    hints: dict[str, object] = get_type_hints(fn.fn) if fn.fn else {}  # type: ignore[no-untyped-call]
    return {kind for hint in hints.values() for kind in (get_args(hint) or (hint,))}


def _is_of_one_caller(kind: object) -> TypeGuard[type]:
    of_caller = (gr.Request, gr.EventData, gr.OAuthToken, gr.OAuthProfile)
    return isinstance(kind, type) and issubclass(kind, of_caller)


def _must_not_be_cached(fn: BlockFunction, taken: frozenset[type]) -> None:
    """Raises PageRefused: Gradio caches outputs by the inputs alone, for all callers together. It knows a gr.Request and
    an event's data by their place in memory, which those of another caller have later."""
    asked = {kind.__name__ for kind in taken}
    if not is_per_session(fn.fn):
        kinds = [kind for kind in _kinds_of(fn) if isinstance(kind, type)]
        asked |= {f"gr.{k.__name__}" for k in kinds if issubclass(k, gr.Request | gr.EventData)}
    if asked:
        asks = " and ".join(sorted(asked))
        raise PageRefused(
            f"{fn.name} is cached by gr.cache and takes {asks}: the outputs of one caller would be sent to all callers. "
            f"Remove gr.cache, or the parameters of type {asks}."
        )


def _must_be_for_all(fn: Any) -> None:
    """Raises PageRefused for the function of cached examples if it needs its caller: Gradio stores its outputs once, and
    shows them to all users."""
    asks = {kind.__name__ for kind in inject_into(fn)}
    functions = [one for one in reachable(fn) if not _is_ours(one)]
    asks |= {f"{word}()" for one in functions for word in _asked_by_name(one)}
    if any(roles_of(one) for one in reachable(fn)):
        asks.add("a role")
    if asks:
        name = next((one.__name__ for one, _ in called_by_gradio(fn)), type(fn).__name__)
        asked = " and ".join(sorted(asks))
        raise PageRefused(
            f"{name} is the function of cached examples and asks for {asked}: their outputs are stored once, and "
            f"shown to all users. Set cache_examples=False, or do not ask for {asked} there."
        )


def _is_ours(function: FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in OURS


def _asked_by_name(function: FunctionType) -> Iterator[str]:
    """Yield which of current_user and current_session the function names, alone or as gradioapp.current_user."""
    names = set(names_in(function.__code__))
    known = [function.__globals__.get(name) for name in names]
    for word, meant in _ASKING.items():
        within = [getattr(one, word, None) for one in known if isinstance(one, ModuleType)]
        candidates = [*known, *(within if word in names else ())]
        if any(one in meant for one in candidates if isinstance(one, FunctionType)):
            yield word


_ASKING: Final[dict[str, tuple[object, ...]]] = {
    "current_user": (sdk.current_user, current.current_user),
    "current_session": (sdk.current_session, current.current_session),
}
