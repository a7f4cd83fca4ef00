"""A real Chromium in front of the real service."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.processes import Process
from tests.servers import FreshDatabase

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
PASSWORD = "correct horse"
NAMED = "gradioapp.test"
"""This machine under another name. Browsers do not treat it as local, so it is no secure context without https."""


@pytest.fixture(scope="module")
def chromium_options() -> Sequence[str]:
    """More options on Chromium's command line. A module may override them."""
    return ()


@pytest.fixture(scope="module")
def chromium(chromium_options: Sequence[str]) -> Iterator[Browser]:
    """Start Chromium for one module. While Playwright runs, its event loop is the thread's, and no
    other test can have one."""
    if sys.platform == "linux" and find_library("atomic") is None:
        pytest.skip("no libatomic, which Playwright's driver needs: apt install libatomic1")
    with sync_playwright() as playwright:
        path = CHROMIUM or playwright.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("no Chromium on this machine: apt install chromium, or set TEST_CHROMIUM")
        expect.set_options(
            timeout=20_000
        )  # Two busy cores take longer than the usual five seconds.
        named = f"--host-resolver-rules=MAP {NAMED} 127.0.0.1"
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", named, *chromium_options]
        )
        yield browser
        browser.close()


@pytest.fixture
def new_browser(chromium: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Return a function that opens the browser of another person: contexts share no data. Requests
    to other machines fail the test."""
    opened: list[BrowserContext] = []
    strayed: list[str] = []

    def open_one() -> BrowserContext:
        context = chromium.new_context(
            viewport={"width": 1280, "height": 800}, ignore_https_errors=True
        )
        context.set_default_timeout(20_000)
        context.on(
            "request",
            lambda asked: None if _is_ours(asked.url) else strayed.append(asked.url),
        )
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()
    assert not strayed


def _is_ours(url: str) -> bool:
    """Return whether the URL belongs to this test. The last two prefixes are the browser's own PDF viewer."""
    return url.startswith(
        (
            *("http://127.0.0.1:", "https://127.0.0.1:", "http://localhost:", f"http://{NAMED}:"),
            *("data:", "blob:"),
            *("chrome:", "chrome-extension:"),
        )
    )


@dataclass(slots=True)
class Service:
    """The service in its own folder. It can be stopped and started again at the same address."""

    folder: Path
    database_url: str | None
    process: Process | None = None
    address: str = ""
    setup_link: str = ""

    def starts(self) -> None:
        port = self.address.rpartition(":")[2] or "0"
        command = ("entrypoints", "serve", "--port", port)
        if self.database_url is None:
            self.process = Process(*command, folder=self.folder)
        else:
            self.process = Process(*command, folder=self.folder, DATABASE_URL=self.database_url)
        first = not self.address
        self.address = self.process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        if first:
            self.setup_link = self.process.hears(r"http://\S+/setup\?token=\S+").group(0)

    def stops(self) -> float:
        assert self.process is not None
        took = self.process.stops(within=12)
        self.process.end()
        return took

    def ends(self) -> None:
        if self.process is not None:
            self.process.end()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """Start the service on each database; only DATABASE_URL differs."""
    url = None
    if request.param == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
        url = fresh()
    service = Service(tmp_path, url)
    service.starts()
    yield service
    service.ends()


def forgets_confirmations(folder: Path) -> None:
    """Let ten minutes pass for the confirmations in the SQLite database of this folder."""
    [file] = (folder / "gradioapp-data").glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as connection, connection:
        changed = connection.execute(
            "UPDATE sessions SET confirmed_at = datetime(confirmed_at, '-10 minutes')"
        )
        assert changed.rowcount


def signs_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def signs_in_again(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in in the second window that the dialog of an ended session opens."""
    ended = page.get_by_role("dialog", name="Your session has ended")
    with page.expect_popup() as popup:
        ended.get_by_role("button", name="Sign in").click()
    with popup.value.expect_event("close"):
        signs_in(popup.value, email, password)


def opens_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def says(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=20_000)
