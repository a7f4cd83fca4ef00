"""Open pages of `serve --reload` follow the author's file by themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import says
from tests.processes import Process

pytestmark = [pytest.mark.browser, pytest.mark.server]

APP: Final = """
import gradio as gr

with gr.Blocks(title="Mine") as demo:
    gr.Markdown("{}")
    gr.State()
"""


def test_a_page_shows_the_change_then_what_is_broken_then_the_app_again(
    new_browser: Callable[[], BrowserContext], tmp_path: Path
) -> None:
    file = tmp_path / "my_demo.py"
    file.write_text(APP.format("First text"))
    process = Process(
        *("gradioapp", "serve", "--reload", "--app", "my_demo.py", "--sample-users", "--port", "0"),
        folder=tmp_path,
    )
    try:
        url = process.hears(r"Serving at (http://127\.0\.0\.1:\d+)").group(1)
        page = new_browser().new_page()
        faults: list[str] = []
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(f"{url}/gradio/mine/")
        page.get_by_label("E-mail").fill("jane@test.com")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Sign in").click()
        says(page, "First text")

        file.write_text(APP.format("Second text"))
        expect(page.get_by_text("Second text")).to_be_visible(timeout=60_000)

        file.write_text(f"{APP.format('Third text')}\nhalf a line(\n")
        expect(page.get_by_text(f"{file}, line 8: SyntaxError")).to_be_visible(timeout=60_000)

        file.write_text(APP.format("Fourth text"))
        expect(page.get_by_text("Fourth text")).to_be_visible(timeout=60_000)
        assert page.url == f"{url}/gradio/mine/"
        assert not faults
    finally:
        process.end()
