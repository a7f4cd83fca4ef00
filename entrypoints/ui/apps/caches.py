"""Keep caches with `per_session=True` out of batches, which have several callers, and check roles before a cached result
is given out."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import gradio as gr
from gradio import caching

from entrypoints.ui.calls.call import call_or_none
from entrypoints.ui.calls.events import is_batch
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.sdk.reach import named_in, reachable
from entrypoints.ui.sdk.roles import must_have_one_of, roles_of
from entrypoints.ui.sdk.wrapping import checked_before_each_step

_numbers: Final = count()


def caches_of(fn: Any) -> Iterator[Any]:
    """Yield each gr.Cache, and each function that gr.cache has made, which the function takes or names."""
    for function in reachable(fn):
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        for one in (function, *defaults, *named_in(function)):
            if _store_of(one) is not None:
                yield one


def is_per_session(cache: Any) -> bool:
    return getattr(_store_of(cache), "_per_session", False)


def _store_of(cache: Any) -> Any:
    found = getattr(cache, "_store" if isinstance(cache, gr.Cache) else "cache", None)
    return found if hasattr(found, "_per_session") else None


def _of_one_caller(find: Callable[[], str | None]) -> Callable[[], str]:
    """Return a function that names the owner of what a cache with per_session=True stores: the tab, or the caller's
    session where Gradio knows no tab. Gradio itself would then use one name for everybody."""

    def session_hash() -> str:
        if is_batch():
            raise RuntimeError(
                "A cache with per_session=True belongs to one caller, and a batch=True event has several. Make the event "
                "batch=False, or the cache per_session=False."
            )
        call = call_or_none()
        if (
            call is None
        ):  # Nobody, or a thread that the function has started: nothing is found again.
            return f"nobody.{next(_numbers)}"
        return find() or f"session.{call.signed_in.session.id}"

    return session_hash


def _with_roles(wrap: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper_of(func: Any, **options: Any) -> Any:
        cached, roles = wrap(func, **options), roles_of(func)
        if not roles:
            return cached
        name = getattr(func, "__name__", "callback")

        def must_have_them() -> None:
            for wanted in roles:
                must_have_one_of(wanted, to_use=name)

        return checked_before_each_step(cached, must_have_them)

    return wrapper_of


FINDING: Final = Replacement(owner=caching, name="_get_session_hash", by=_of_one_caller)
WRAPPING: Final = Replacement(owner=caching, name="_get_cached_wrapper", by=_with_roles)
"""Otherwise a stored result is given out without a call of the function, which is what checks the roles. Replaced also
while apps are loaded, for decorators."""
