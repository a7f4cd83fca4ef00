"""A form in what a user has written does nothing when another user clicks it, and the bar's own form signs out."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.served_apps import page_for_john, serving

pytestmark = pytest.mark.browser

NewBrowser = Callable[[], BrowserContext]

_EVENT: Final = '{"data": ["forged"], "session_hash": "mine", "a": "'
FORM: Final = f"""
<form method="post" enctype="text/plain" action="ADDRESS">
  <input type="hidden" name='{_EVENT}' value='"}}'>
  <button>NAME</button>
</form>
"""
"""As text/plain, name and value of the field make JSON, with a `=` between them."""
APP: Final = """
from pathlib import Path

import gradio as gr

def note(text):
    Path("notes.txt").open("a").write(text)

with gr.Blocks(title="Wall") as demo:
    text = gr.Textbox()
    text.submit(note, text, None, api_name="note")
    gr.Markdown(Path("written.md").read_text())
    gr.HTML(Path("written.html").read_text())
    gr.Chatbot([{"role": "assistant", "content": Path("said.md").read_text()}])

demo.launch()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("forms")
    for name in ("written.md", "written.html", "said.md"):
        form = FORM.replace("ADDRESS", "/gradio/wall/gradio_api/run/note").replace("NAME", name)
        (folder / name).write_text(form)
    return folder


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[str]:
    with serving(folder, APP) as origin:
        yield origin


@pytest.fixture
def tab(origin: str, new_browser: NewBrowser) -> Page:
    tab = page_for_john(new_browser, origin, "/gradio/wall/")
    expect(tab.get_by_role("button", name="written.html")).to_be_visible()
    return tab


@pytest.mark.asvs("V3.5.1", "V3.2.2")
@pytest.mark.parametrize("name", ["written.md", "written.html", "said.md"])
def test_a_form_of_a_user_sends_nothing(tab: Page, folder: Path, name: str) -> None:
    sent: list[str] = []
    tab.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    address = tab.url
    button = tab.get_by_role("button", name=name)

    expect(button).to_be_visible()
    button.dispatch_event("click")
    tab.wait_for_timeout(1500)

    assert tab.url == address
    assert not [url for url in sent if url.endswith("/note")]
    assert not (folder / "notes.txt").exists()


@pytest.mark.asvs("V3.5.1")
def test_a_form_without_the_policy_of_its_page_runs_nothing(tab: Page, folder: Path) -> None:
    """A second guard: the service refuses what a form sends."""
    tab.route(
        "**/gradio/wall/",
        lambda route: route.fulfill(
            body=(folder / "written.html").read_text(), content_type="text/html"
        ),
    )
    tab.reload()
    with tab.expect_response("**/run/note") as answer:
        tab.get_by_role("button", name="written.html").click()

    assert answer.value.status == 415
    assert json.loads(answer.value.request.post_data or "")["data"] == ["forged"]
    assert not (folder / "notes.txt").exists()


def test_the_bars_form_signs_out(tab: Page, origin: str) -> None:
    tab.get_by_role("button", name="Account menu of John").click()
    tab.get_by_role("button", name="Sign out").click()

    expect(tab).to_have_url(f"{origin}/login")
