"""Helpers of the isolation tests: raw requests, open streams and the names that an attacker would try."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from tests.ui.conftest import GRADIO, Browser, House

API: Final = f"{GRADIO}/gradio_api"
FILE_META: Final = {"_type": "gradio.FileData"}


def tag(browser: Browser) -> str:
    assert browser.session is not None
    return browser.session.id.hex


def names_of(tab: str, owner: Browser) -> tuple[str, str, str]:
    """Return the tab's raw name, its name inside Gradio, and that name with a second tag."""
    return tab, f"{tab}.{tag(owner)}", f"{tab}.{tag(owner)}.{tag(owner)}"


def index_of(house: House, api_name: str) -> int:
    return next(i for i, fn in house.demo.fns.items() if fn.api_name == api_name)


async def joins(browser: Browser, house: House, api_name: str, *data: Any, tab: str) -> str:
    """Return the event's id."""
    answer = await browser.http.post(
        f"{API}/queue/join",
        json={"data": data, "fn_index": index_of(house, api_name), "session_hash": tab},
    )
    assert answer.status_code == 200, answer.text
    event_id: str = answer.json()["event_id"]
    return event_id


async def uploads(
    browser: Browser, content: bytes = b"of Ada", name: str = "a.txt", **query: str
) -> str:
    """Return the path in Gradio's response."""
    answer = await browser.http.post(
        f"{API}/upload", params=query, files={"files": (name, content)}
    )
    assert answer.status_code == 200, answer.text
    [path] = answer.json()
    return str(path)


async def fetches(browser: Browser, path: str) -> httpx.Response:
    return await browser.http.get(f"{API}/file={path}")


def as_file(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": FILE_META} | more


def is_problem(answer: httpx.Response, *statuses: int) -> bool:
    return (
        answer.status_code in statuses
        and answer.headers["content-type"] == "application/problem+json"
    )


class OpenStream:
    def __init__(self) -> None:
        self.status: int | None = None
        self.text = ""
        self.has_begun = asyncio.Event()
        self.has_said = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.has_begun.set()
        elif message.get("body"):
            self.text += message["body"].decode()
            self.has_said.set()

    async def says(self, text: str) -> None:
        """Wait until the stream has said the text."""
        async with asyncio.timeout(10):
            while text not in self.text:
                self.has_said.clear()
                await self.has_said.wait()


@asynccontextmanager
async def opened(
    house: House, browser: Browser, path: str, query: str = "", **headers: str
) -> AsyncIterator[Any]:
    """Open a stream that stays open until the block ends; then the client leaves."""
    leaves = asyncio.Event()
    stream = OpenStream()
    is_asked = False

    async def receive() -> Any:
        nonlocal is_asked
        if not is_asked:
            is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await leaves.wait()
        return {"type": "http.disconnect"}

    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"cookie", cookies.encode()),
            *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    task = asyncio.create_task(house.gate(scope, receive, stream.send))
    begun = asyncio.create_task(stream.has_begun.wait())
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    try:
        yield stream
    finally:
        leaves.set()
        await asyncio.wait_for(task, 15)
