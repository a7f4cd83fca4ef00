"""Serve an author's file, and open its page as a signed-in user."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.processes import Process
from tests.servers import session_of


@contextmanager
def serving(folder: Path, app: str) -> Iterator[str]:
    """Serve this text as the folder's `app.py`, with the sample users. Yield the address of the service."""
    (folder / "app.py").write_text(app)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    try:
        yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    finally:
        process.end()


def page_for_john(new_browser: Callable[[], BrowserContext], origin: str, path: str) -> Page:
    """Open the page in a browser in which John has signed in."""
    context = new_browser()
    token = session_of(origin, "john@test.com")
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": origin}])
    tab = context.new_page()
    tab.goto(f"{origin}{path}")
    return tab
