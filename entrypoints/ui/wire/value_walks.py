"""Replace Gradio's two walks over the values of events. They call a Python function for every value, which takes 150 ms
for a table of 200,000 cells.

Our `async_traverse` lets other tasks run in between, and our `add_root_url` only looks at objects.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gradio import processing_utils
from gradio_client import utils as client_utils  # type: ignore[import-untyped]

from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire.json_bodies import objects_with
from entrypoints.ui.wire.large_bodies import SHORTEST

AT_ONCE: Final = 5000
"""Values visited before other tasks get their turn: about 3 ms."""
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})

IsRoot = Callable[[Any], bool]
Change = Callable[[Any], Awaitable[Any]]


class Turns:
    """Counts visited values, and lets other tasks run after every AT_ONCE of them."""

    def __init__(self) -> None:
        self._left = AT_ONCE

    async def count(self, values: int) -> None:
        self._left -= values + 1
        if self._left <= 0:
            self._left = AT_ONCE
            await asyncio.sleep(SHORTEST)


def _traversing(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def async_traverse(json_obj: Any, func: Change, is_root: IsRoot) -> Any:
        # Other searches may be for texts, which `_Copy` skips.
        if is_root is not client_utils.is_file_obj_with_meta:
            return await original(json_obj, func, is_root)
        return await _Copy(func, is_root).of(json_obj)

    return async_traverse


class _Copy:
    """Copies lists and objects, and replaces each root by the result of `change`, as Gradio's `async_traverse` does."""

    def __init__(self, change: Change, is_root: IsRoot) -> None:
        self._change = change
        self._is_root = is_root
        self._turns = Turns()

    async def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            if self._is_root(value):
                await self._turns.count(AT_ONCE // 2)  # Copying a file takes a millisecond.
                return await self._change(value)
            await self._turns.count(len(value))
            if _SCALARS.issuperset(map(type, value.values())):
                return dict(value)
            return {key: await self._one(item) for key, item in list(value.items())}
        if isinstance(value, list | tuple):
            await self._turns.count(len(value))
            if _SCALARS.issuperset(map(type, value)):
                return list(value)
            return [await self._one(item) for item in list(value)]
        return value

    async def _one(self, item: Any) -> Any:
        return item if type(item) in _SCALARS else await self.of(item)


def _naming(original: Callable[..., Any]) -> Callable[..., Any]:
    def add_root_url(data: Any, root_url: str, previous_root_url: str | None) -> Any:
        if not isinstance(data, list):  # A configuration: the original function copies it.
            return original(data, root_url, previous_root_url)
        # Outputs: Gradio has just copied them, so their files can be changed in place.
        for file in objects_with("url", data):
            if client_utils.is_file_obj_with_url(file):
                _add(file, root_url, previous_root_url)
        return data

    return add_root_url


def _add(file: dict[str, Any], root_url: str, previous_root_url: str | None) -> None:
    url: str = file["url"]
    if previous_root_url and url.startswith(previous_root_url):
        url = url.removeprefix(previous_root_url)
    elif client_utils.is_http_url_like(url):
        return
    file["url"] = f"{root_url}{url}"


TRAVERSING: Final = Replacement(owner=client_utils, name="async_traverse", by=_traversing)
NAMING: Final = Replacement(owner=processing_utils, name="add_root_url", by=_naming)
