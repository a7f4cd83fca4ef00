"""What tests need to speak to real servers."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

FreshDatabase = Callable[[], str]
"""Makes an empty database and answers its URL, spelt postgresql+asyncpg://…; also within a running loop."""


def run_apart(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end in a loop of its own, also where one is running already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()
