"""Wrap an author's function in a function of the same kind. Gradio treats generators and coroutines differently, and
reads the names, types and defaults of the parameters."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from functools import wraps
from typing import Any

Check = Callable[[], None]


def checked_before_each_step(fn: Callable[..., Any], check: Check) -> Callable[..., Any]:
    """Return `fn` with a call of `check` before it begins, and before each further step of a generator. Errors of
    `check` are raised to the caller."""
    if inspect.isasyncgenfunction(fn):

        @wraps(fn)
        async def async_steps(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            check()
            async with aclosing(fn(*args, **kwargs)) as steps:
                async for step in steps:
                    yield step
                    check()

        return async_steps
    if inspect.isgeneratorfunction(fn):

        @wraps(fn)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            check()
            with closing(fn(*args, **kwargs)) as inner:
                for step in inner:
                    yield step
                    check()

        return steps
    if inspect.iscoroutinefunction(fn):

        @wraps(fn)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            check()
            return await fn(*args, **kwargs)

        return coroutine

    @wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        check()
        return fn(*args, **kwargs)

    return function
