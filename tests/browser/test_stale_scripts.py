"""A browser that has kept Gradio's unchanged scripts for a year gets the changed ones, and never runs the kept ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from entrypoints.ui.delivery.assets import HASHED
from entrypoints.ui.delivery.front_end import FRONT_END, assets_folder, changed_scripts
from tests.nginx import free_port
from tests.processes import Process
from tests.servers import session_of

pytestmark = [pytest.mark.browser, pytest.mark.asvs("3.2.1", "3.4.3")]

NewBrowser = Callable[[], BrowserContext]

APP: Final = """
from pathlib import Path

import gradio as gr

with gr.Blocks(title="Wall") as demo:
    gr.HTML(Path("written.html").read_text(), elem_id="wall")
    gr.HTML("${document.title = 'ran'}", html_template="<b>{{value}}</b>", elem_id="template")
    gr.Markdown("the wall", elem_id="shown")
    gr.ChatInterface(lambda message, history: message)
    with gr.Tab("More"):
        gr.Code("print()", language="python")
        gr.LinePlot()
        gr.ImageEditor()
        gr.Model3D()
        gr.Dataframe()
        gr.Video()
        gr.MultimodalTextbox()
with demo.route("Second", "/second"):
    gr.Textbox(label="Second")

demo.launch()
"""
ONE: Final = "/gradio/wall"
IMPORTS: Final = """new Promise((resolve, reject) => {
  window.imported = resolve;
  const script = document.createElement("script");
  script.type = "module";
  script.textContent = `Promise.allSettled(%s.map(path => import(path))).then(window.imported)`;
  document.head.append(script);
})"""
KEPT: Final = """async path => {
  const kept = await fetch(path, {cache: "only-if-cached", mode: "same-origin"});
  return [kept.headers.get("cache-control"), await kept.text()];
}"""


class Bare(BaseHTTPRequestHandler):
    """An earlier release at the same address: sends Gradio's scripts unchanged, to be kept for a year."""

    def do_GET(self) -> None:
        file = FRONT_END / self.path.removeprefix(f"{ONE}/")
        is_script = file.suffix == ".js" and file.is_file()
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        self.send_header("cache-control", HASHED if is_script else "no-store")
        self.end_headers()
        self.wfile.write(file.read_bytes() if is_script else b"<title>Bare</title>")

    def log_message(self, *_: object) -> None: ...


@contextmanager
def bare_at(port: int) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", port), Bare) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@contextmanager
def serving(folder: Path, port: int, written: str) -> Iterator[str]:
    """Serve the app with `written` as the HTML of a user. Yield the page's address."""
    (folder / "app.py").write_text(APP)
    (folder / "written.html").write_text(written)
    command = ("entrypoints", "serve", "--port", str(port), "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    try:
        process.hears("http://127")
        yield f"http://127.0.0.1:{port}{ONE}/"
    finally:
        process.end()


def opens(context: BrowserContext, page: str) -> tuple[Page, list[str]]:
    """Sign in and open the page. Return the tab and the addresses that it asks for."""
    origin = page.removesuffix(f"{ONE}/")
    token = session_of(origin, "john@test.com")
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": origin}])
    tab, asked = context.new_page(), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page)
    expect(tab.locator("#shown")).to_have_text("the wall")
    return tab, asked


def test_a_browser_that_has_kept_the_unchanged_scripts_runs_the_changed_ones(
    new_browser: NewBrowser, tmp_path: Path
) -> None:
    context, port = new_browser(), free_port()
    [entry] = [path for path in changed_scripts() if path.startswith("/assets/index-")]
    former = f"http://127.0.0.1:{port}{ONE}{entry}"
    framed = f"""<script>parent.document.title = "inline"</script>
<script type="module" crossorigin src="{former}"></script>
<link rel="modulepreload" crossorigin href="{former}"><gradio-app src="none"></gradio-app>"""
    with bare_at(port):
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{port}{ONE}/")
        tab.evaluate(IMPORTS % str([f"{ONE}{path}" for path in changed_scripts()]))

    with serving(tmp_path, port, f'<iframe srcdoc="{escape(framed)}"></iframe>') as page:
        tab, _ = opens(context, page)
        for path in changed_scripts():
            original = (FRONT_END / path[1:]).read_text()
            assert tab.evaluate(KEPT, f"{ONE}{path}") == [HASHED, original]
        expect(tab.locator("#template")).to_contain_text("${document.title = 'ran'}")
        frame = tab.frames[1]
        defined = "String(customElements.get('gradio-app')).includes('isPage')"

        assert tab.evaluate(defined)
        tab.wait_for_timeout(2000)
        assert frame.evaluate("customElements.get('gradio-app') === undefined")
        assert frame.locator("gradio-app").count() == 1
        assert tab.title() == "Wall"


def test_no_request_of_a_page_goes_to_gradios_own_folder(
    new_browser: NewBrowser, tmp_path: Path
) -> None:
    with serving(tmp_path, free_port(), "") as page:
        tab, asked = opens(new_browser(), page)
        tab.get_by_role("tab", name="More").click()
        expect(tab.locator("canvas").first).to_be_visible()
        tab.goto(f"{page}second")
        expect(tab.get_by_label("Second")).to_be_visible()
        tab.wait_for_timeout(1000)

    ours = [url for url in asked if f"{ONE}/{assets_folder()}/" in url]
    styles = [url for url in ours if "/index-" in url and url.endswith(".css")]
    assert len(ours) > 80
    assert [url for url in asked if "/assets" in url and url not in ours] == []
    assert len(styles) == 2  # One for each page.
