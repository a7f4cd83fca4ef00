"""A link that is made with the button opens in another browser of the same account, and is refused to others."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import signs_in
from tests.processes import Process

pytestmark = pytest.mark.browser

APP: Final = """
import gradio as gr

with gr.Blocks(title="Shared") as demo:
    said, shown = gr.Textbox(label="Said"), gr.Textbox(label="Shown")
    file, copy = gr.File(label="File"), gr.File(label="Copy")
    gr.Button("Go").click(lambda text, path: (text[::-1], path), [said, file], [shown, copy])
    gr.DeepLinkButton()

demo.launch()
"""
PASSWORD: Final = "secret"

NewBrowser = Callable[[], BrowserContext]


def starts(folder: Path, port: str = "0") -> tuple[Process, str]:
    command = ("entrypoints", "serve", "--port", port, "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    return process, process.hears(r"http://127\.0\.0\.1:\d+").group(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def opens(new_browser: NewBrowser, address: str, email: str) -> Page:
    """Open an address in a new browser, and sign in on the way."""
    context = new_browser()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    signs_in(page, email, PASSWORD)
    return page


def has_the_values(page: Page) -> None:
    expect(page.get_by_label("Said")).to_have_value("drawer")
    expect(page.get_by_label("Shown")).to_have_value("reward")
    with page.expect_download() as downloading:
        page.locator("a[download='.gitignore']").last.click()
    assert downloading.value.path().read_text() == "*.pyc"


def test_a_link_opens_on_another_device_and_after_a_restart_and_for_nobody_else(
    new_browser: NewBrowser, folder: Path
) -> None:
    process, origin = starts(folder)
    try:
        laptop = opens(new_browser, f"{origin}/gradio/shared/", "john@test.com")
        laptop.get_by_label("Said").fill("drawer")
        files = {"name": ".gitignore", "mimeType": "text/plain", "buffer": b"*.pyc"}
        laptop.locator("input[type=file]").first.set_input_files(files)  # type: ignore[arg-type]
        expect(laptop.get_by_text(".gitignore").first).to_be_visible()
        laptop.get_by_role("button", name="Go").click()
        expect(laptop.get_by_label("Shown")).to_have_value("reward")
        laptop.get_by_role("button", name="Share via Link").click()
        expect(laptop.get_by_role("button", name="Link Copied!")).to_be_visible()
        laptop.wait_for_function(
            "navigator.clipboard.readText().then(t => t.includes('deep_link='))"
        )
        link = laptop.evaluate("navigator.clipboard.readText()")
        assert link.startswith(f"{origin}/gradio/shared/?deep_link=")

        has_the_values(opens(new_browser, link, "john@test.com"))
        other = opens(new_browser, link, "jane@test.com")
        expect(other.get_by_text("This link is not yours, or it has ended.")).to_be_visible()
        assert "drawer" not in other.content()
    finally:
        process.end()

    process, again = starts(folder, origin.rpartition(":")[2])
    try:
        assert again == origin
        has_the_values(opens(new_browser, link, "john@test.com"))
    finally:
        process.end()
