"""Run the functions of cached examples as nobody. Gradio stores their outputs once and shows them to all users."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import gradio as gr
from gradio.context import LocalContext
from gradio.helpers import Examples

from entrypoints.ui.apps.faults import fault_of
from entrypoints.ui.calls.author_code import author_code
from entrypoints.ui.calls.call import run_for_all
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.sdk import PageRefused
from entrypoints.ui.sdk.reach import called_by_gradio


def cached_examples_of(demo: gr.Blocks) -> Iterator[Examples]:
    """Yield the cached examples that the app was built with, also those of apps inside of it."""
    for event in demo.extra_startup_events:
        examples = getattr(event, "__self__", None)
        if isinstance(examples, Examples) and examples.cache_examples:
            yield examples


def _as_nobody(cache: Callable[..., Any]) -> Callable[..., Any]:
    async def cache_for_all(
        examples: Examples,
        example_id: int | None = None,
        request: Any = None,  # noqa: ARG001 -- Gradio's signature. It is the first user's who clicks.
    ) -> int | None:
        async def run() -> int | None:
            with run_for_all(), author_code(_name(examples.fn)):
                found: int | None = await cache(examples, example_id, None)
            return found

        # An app inside another one is not wrapped in our steps, so that no step can forget the caller.
        running = asyncio.get_running_loop().create_task(run(), context=Context())
        if example_id is not None:
            return await running
        try:
            return await running
        except Exception as error:
            # Otherwise the next start would find the outputs of some examples, and run none.
            shutil.rmtree(examples.cached_folder, ignore_errors=True)
            raise PageRefused(_why_not(examples, error)) from error

    return cache_for_all


def _why_not(examples: Examples, error: Exception) -> str:
    name, file = _name(examples.fn), _file_of(examples.fn)
    fault = fault_of(name, file, error).replace("\n", " ")
    return f"{fault}. {name} runs at the start for cached examples. Correct it, or set cache_examples=False."


def _file_of(fn: Any) -> Path | None:
    return next((Path(one.__code__.co_filename) for one, _ in called_by_gradio(fn)), None)


def _name(fn: Any) -> str:
    authors: FunctionType | None = next((one for one, _ in called_by_gradio(fn)), None)
    return str(getattr(authors or fn, "__name__", type(fn).__name__))


def _only_where_built_once(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_once(examples: Examples) -> None:
        if examples.cache_examples and LocalContext.renderable.get(None) is not None:
            raise RuntimeError(
                "Examples cannot be cached in gr.render and visible_to: Gradio would store the outputs for all users, under "
                "a number that the part of another user gets later. Set cache_examples=False."
            )
        create(examples)

    return create_once


RUNNING: Final = Replacement(owner=Examples, name="cache", by=_as_nobody)
MAKING: Final = Replacement(owner=Examples, name="create", by=_only_where_built_once)
