"""Helpers for tests with real servers."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

FreshDatabase = Callable[[], str]
"""Make an empty database and return its URL, which starts with postgresql+asyncpg://. It also works
inside a running loop."""


def run_apart(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine to its end in a new loop, even while another loop is running."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


def session_of(origin: str, email: str, password: str = "secret") -> str:
    """Sign in like a browser, and return the value of the session's cookie."""
    with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=20) as http:
        form = re.search(r'name="csrf_token" value="([^"]+)"', http.get("/login").text)
        assert form
        who = {"username": email, "password": password, "csrf_token": form.group(1)}
        assert http.post("/login", data=who).status_code == 303
        return http.cookies["gradioapp-session"]
