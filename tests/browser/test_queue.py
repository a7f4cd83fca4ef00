"""A full queue in a real browser: an event is refused with the reason, and accepted once there is room."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import says, signs_in
from tests.processes import Process

pytestmark = pytest.mark.browser

APP = """
import asyncio
from pathlib import Path

import gradio as gr


async def wait(times):
    while not Path("go").exists():
        await asyncio.sleep(0.05)
    return times + 1


with gr.Blocks(title="Queue") as demo:
    times = gr.Number(0, label="Times")
    gr.Button("Wait").click(wait, times, times, trigger_mode="multiple")

demo.queue(max_size=1)
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "queue_app.py").write_text(APP)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "queue_app.py")
    process = Process(*command, folder=tmp_path)
    try:
        yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    finally:
        process.end()


def test_an_event_is_refused_with_the_reason_while_the_queue_is_full(
    origin: str, tmp_path: Path, new_browser: Callable[[], BrowserContext]
) -> None:
    def opens(email: str) -> Page:
        page = new_browser().new_page()
        page.goto(f"{origin}/gradio/queue/")
        signs_in(page, email, "secret")
        return page

    def clicks(page: Page) -> int:
        with page.expect_response(lambda response: "/queue/join" in response.url) as answer:
            page.get_by_role("button", name="Wait").click()
        return answer.value.status

    john, jane = opens("john@test.com"), opens("jane@test.com")

    assert [clicks(john) for _ in range(3)] == [200, 200, 429]
    says(john, "1 of your events wait in this app")
    assert clicks(jane) == 503
    says(jane, "This application is currently busy")
    (tmp_path / "go").touch()
    expect(john.get_by_label("Times")).to_have_value("1")
    assert clicks(jane) == 200
    expect(jane.get_by_label("Times")).to_have_value("1")
