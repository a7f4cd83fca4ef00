"""A used-up quota of time in a real browser: the refusal says when time is free again, and the Account tab what is used."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import says, signs_in
from tests.processes import Process

pytestmark = pytest.mark.browser

APP = """
import threading
import time

import gradio as gr


def work(done):
    time.sleep(3.5)
    return done + 1


with gr.Blocks(title="Quota") as demo:
    done = gr.Number(0, label="Done")
    gr.Button("Work").click(work, done, done, trigger_mode="multiple", concurrency_limit=40)
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "quota_app.py").write_text(APP)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "quota_app.py")
    process = Process(*command, folder=tmp_path, EVENT_MINUTES="1")
    try:
        yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    finally:
        process.end()


def test_a_used_up_quota_is_said_in_a_toast_and_in_the_account_tab(
    origin: str, new_browser: Callable[[], BrowserContext]
) -> None:
    page = new_browser().new_page()
    page.goto(f"{origin}/gradio/quota/")
    signs_in(page, "john@test.com", "secret")
    work = page.get_by_role("button", name="Work")
    for _ in range(19):  # 19 times 3.5 seconds at once are more than a minute.
        work.click()
    page.wait_for_timeout(4500)
    work.click()

    says(page, "You have used your 1 minute of computing of the last hour.")
    expect(
        page.get_by_text(re.compile(r"again at \d\d:\d\d UTC \(in \d+ minutes\)"))
    ).to_be_visible()
    page.wait_for_timeout(5000)
    page.goto(f"{origin}/gradio/")
    page.get_by_role("tab", name="Account").click()
    expect(page.get_by_text("Computing: 1 of 1 minutes used in the last hour")).to_be_visible()
