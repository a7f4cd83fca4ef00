"""What a user writes into an app's HTML cannot make Gradio's front end run the scripts of an app that the user has described
in a file."""

import json
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from entrypoints.ui.delivery.front_end import assets_folder, changed_scripts
from tests.nginx import free_port
from tests.processes import Process
from tests.servers import session_of

pytestmark = pytest.mark.browser

NewBrowser = Callable[[], BrowserContext]

APP: Final = """
from pathlib import Path

import gradio as gr

with gr.Blocks(title="Wall") as demo:
    gr.HTML(Path("written.html").read_text(), elem_id="wall")
    gr.Markdown("the wall", elem_id="shown")

demo.launch(allowed_paths=["outputs"])
"""
JS: Final = """async () => {
  const me = await (await fetch("/api/v1/me")).json();
  window.top.document.title = "hacked " + me.email;
  return [];
}"""
FRAMED: Final = """<base href="PAGE"><script type="module" crossorigin src="PAGEENTRY"></script>
<gradio-app src="SOURCE" eager="true" embed="false"></gradio-app>"""
INSERTED: Final = '<gradio-app src="SOURCE" eager="true" embed="false"></gradio-app>'
CHANGED: Final = """const app = document.querySelector("gradio-app");
  app.setAttribute("src", "SOURCE"); app.setAttribute("space", "SOURCE"); app.setAttribute("host", "SOURCE");"""


def described(page: str) -> dict[str, Any]:
    """Return the description of an app whose page runs JS when it is loaded."""
    with gr.Blocks() as demo:
        gr.Textbox()
        demo.load(None, None, None, js=JS)
    config: Any = demo.get_config_file()
    return {**config, "root": page.rstrip("/"), "api_prefix": "/gradio_api"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def page(folder: Path, written: str) -> Iterator[str]:
    """Serve the app with `written` as the HTML of a user. Yield the page's address."""
    port = free_port()
    page = f"http://127.0.0.1:{port}/gradio/wall/"
    [entry] = [path for path in changed_scripts() if path.startswith("/assets/index-")]
    text = written.replace("SOURCE", f"{page}gradio_api/file=outputs")
    text = text.replace("ENTRY", f"{assets_folder()}/{entry.rpartition('/')[2]}").replace(
        "PAGE", page
    )
    (folder / "written.html").write_text(text)
    (folder / "outputs" / "config").write_text(json.dumps(described(page)))
    command = ("entrypoints", "serve", "--port", str(port), "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    try:
        process.hears("http://127")
        yield page
    finally:
        process.end()


def framed(html: str) -> str:
    return f'<iframe srcdoc="{escape(html)}"></iframe>'


@pytest.fixture
def tab(page: str, new_browser: NewBrowser) -> Page:
    context = new_browser()
    origin = page.removesuffix("/gradio/wall/")
    token = session_of(origin, "john@test.com")
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": origin}])
    tab = context.new_page()
    tab.goto(page)
    expect(tab.locator("#shown")).to_have_text("the wall")
    return tab


@pytest.mark.asvs("3.2.1", "3.4.3")
@pytest.mark.parametrize(
    "written",
    [framed(FRAMED), INSERTED, "<gradio-app></gradio-app>"],
    ids=["in a frame", "in the page itself", "the page in itself"],
)
def test_an_element_of_gradio_runs_no_app_that_a_file_describes(tab: Page) -> None:
    tab.wait_for_timeout(4000)

    assert tab.title() == "Wall"
    expect(tab.locator("#shown")).to_have_count(1)


@pytest.mark.asvs("3.2.1", "3.4.3")
@pytest.mark.parametrize("written", ["nothing"])
def test_the_element_of_the_page_keeps_its_app(tab: Page, page: str) -> None:
    tab.evaluate(CHANGED.replace("SOURCE", f"{page}gradio_api/file=outputs"))
    tab.wait_for_timeout(3000)

    assert tab.title() == "Wall"
    expect(tab.locator("#shown")).to_have_text("the wall")
