"""An event that fails says so in a real browser: in a batch, and without the queue."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.processes import Process
from tests.servers import session_of

pytestmark = pytest.mark.browser

APP: Final = """
import gradio as gr


def fails(texts):
    raise ValueError("secret")


def refuses(texts):
    raise gr.Error("no luck")


def too_few(texts):
    return [texts[:-1]]


with gr.Blocks(title="Batches") as demo:
    text = gr.Textbox("x")
    for fn in (fails, refuses, too_few):
        gr.Button(fn.__name__).click(fn, text, text, batch=True)
    for fn in (fails, refuses):
        gr.Button(f"{fn.__name__} at once").click(fn, text, text, queue=False)
        gr.Button(f"{fn.__name__} at once in a batch").click(fn, text, text, queue=False, batch=True)
demo.launch()
"""
A_NUMBER: Final = re.compile("Something went wrong. If it happens again, report the number")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve the app. Yield its address and the cookie of a user who is signed in."""
    folder = tmp_path_factory.mktemp("batches")
    (folder / "app.py").write_text(APP)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        yield f"{origin}/gradio/batches/", session_of(origin, "john@test.com")
    finally:
        process.end()


@pytest.mark.parametrize(
    ("button", "sentence"),
    [
        ("fails", A_NUMBER),
        ("refuses", "no luck"),
        ("too_few", A_NUMBER),
        ("fails at once", A_NUMBER),
        ("refuses at once", "no luck"),
        ("fails at once in a batch", A_NUMBER),
        ("refuses at once in a batch", "no luck"),
    ],
)
def test_an_event_that_fails_shows_a_toast(
    page: tuple[str, str],
    new_browser: Callable[[], BrowserContext],
    button: str,
    sentence: str | re.Pattern[str],
) -> None:
    address, token = page
    context = new_browser()
    origin = address.partition("/gradio/")[0]
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": origin}])
    tab = context.new_page()
    tab.goto(address)

    tab.get_by_role("button", name=button, exact=True).click()

    expect(tab.locator(".toast-body, #gradioapp-toast")).to_contain_text(sentence)
