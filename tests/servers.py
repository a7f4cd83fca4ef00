"""Helpers for tests with real servers."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx

FreshDatabase = Callable[[], str]
"""Make an empty database and return its URL, which starts with postgresql+asyncpg://. It also works
inside a running loop."""


def run_apart(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine to its end in a new loop, even while another loop is running."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


def form_token_of(http: httpx.Client) -> str:
    """Open the sign-in page, and return the token of its form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', http.get("/login").text)
    assert found
    return found[1]


def session_of(
    origin: str, email: str, password: str = "secret", *, former: str | None = None
) -> str:
    """Sign in like a browser, and return the value of the session's cookie. `former` is the cookie that it has."""
    with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=20) as http:
        token = form_token_of(http)
        if former is not None:
            http.cookies.set("gradioapp-session", former)
        who = {"username": email, "password": password, "csrf_token": token}
        assert http.post("/login", data=who).status_code == 303
        # The server's own cookie has a domain, the one that was set here has none.
        return http.cookies.get("gradioapp-session", domain=urlsplit(origin).hostname or "") or ""
