"""A service that could not load an app tells the reason on this machine only."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from application.container import build
from application.settings import load
from entrypoints.cli.broken import BrokenService

FAULT = "/home/ada/my_demo.py, line 3: SyntaxError: <b>"
"""What the page must not show to others."""


async def page_of(origin: str, headers: Mapping[str, str] | None = None, **settings: Any) -> str:
    container = build(load(env_file=None, environment="test", **settings))
    transport = httpx.ASGITransport(BrokenService(container, FAULT))
    async with httpx.AsyncClient(transport=transport, base_url=origin) as client:
        response = await client.get(
            "/gradio/mine/", headers={"accept": "text/html", **(headers or {})}
        )
    assert response.status_code == 503
    return response.text


async def test_the_page_shows_the_fault_as_text() -> None:
    page = await page_of("http://127.0.0.1:8080")

    assert "my_demo.py, line 3: SyntaxError: &lt;b&gt;" in page


@pytest.mark.parametrize(
    "settings",
    [
        {"public_url": "https://app.example.org"},
        {"public_url": "https://app.example.org/app"},
        {"public_url": "http://app.example.org", "host": "0.0.0.0", "allow_http": True},
        {"public_url": "http://localhost:8080", "host": "0.0.0.0", "allow_http": True},
    ],
)
async def test_a_service_that_others_reach_does_not_tell_them(settings: dict[str, Any]) -> None:
    page = await page_of(settings["public_url"].removesuffix("/app"), **settings)

    assert "my_demo" not in page
    assert "terminal" in page


async def test_somebody_behind_a_proxy_without_headers_is_not_told() -> None:
    """nginx sends none by default, and HTTP/1.0."""
    service = BrokenService(build(load(env_file=None, environment="test")), FAULT)

    async def by_proxy(scope: Any, receive: Any, send: Any) -> None:
        await service({**scope, "http_version": "1.0"}, receive, send)

    transport = httpx.ASGITransport(by_proxy)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        page = await client.get("/gradio/mine/", headers={"accept": "text/html"})

    assert page.status_code == 503
    assert "my_demo" not in page.text
    assert "terminal" in page.text


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For"])
async def test_somebody_behind_a_proxy_is_not_told(header: str) -> None:
    page = await page_of("http://127.0.0.1:8080", {header: "192.0.2.1"})

    assert "my_demo" not in page
    assert "terminal" in page
