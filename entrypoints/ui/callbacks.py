"""Functions around an author's function that are of its kind: Gradio treats generators and coroutines differently, and
reads names, types and defaults off the function."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from functools import wraps
from typing import Any

Check = Callable[[], None]


def checked_before_each_step(fn: Callable[..., Any], check: Check) -> Callable[..., Any]:
    """`check` is called before `fn` begins, and of a generator before each further step; what it raises is raised."""
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
