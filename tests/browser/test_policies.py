"""Apps of several kinds under their derived policies, in a real browser that enforces the policies."""

import asyncio
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import gradio as gr
import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # Gradio brings it, and no types.
import pytest
import structlog
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Route, expect
from playwright.sync_api import Page as Tab
from structlog.testing import capture_logs

from entrypoints.ui import Page
from entrypoints.ui.apps.launch_options import note_options
from entrypoints.ui.delivery.front_end import assets_folder
from tests.ui.conftest import Mounts

pytestmark = pytest.mark.browser

ELSEWHERE: Final = "http://127.0.0.1:1"
"""Another origin on this machine."""
LISTENS: Final = """
    window.stopped = [];
    document.addEventListener("securitypolicyviolation", e => window.stopped.push(e.effectiveDirective + " " + e.blockedURI));
"""
PICTURE: Final = "https://pictures.example.com/back.svg"
GOOGLE_STYLES: Final = "@font-face { font-family: 'Pacifico'; src: url(https://fonts.gstatic.com/s/p.woff2) format('woff2'); }"
TRIANGLE: Final = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
SHOWN: Final = {
    "plain": ".katex",
    "chat": "textarea",
    "scripted": "text=Template 3",
    "editor": "canvas",
    "plots": ".vega-embed canvas, .vega-embed svg",
    "model": "canvas",
    "with-head": "html[data-head=ran]",
}


def _plain() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Markdown("$x^2$", latex_delimiters=[{"left": "$", "right": "$", "display": False}])
        gr.Dataframe(pd.DataFrame({"x": [1, 2]}))
        gr.Code("print(1)", language="python")
        gr.Image(np.zeros((8, 8, 3), dtype=np.uint8))
        gr.Audio((8000, np.zeros(8000, dtype=np.int16)))
        gr.Gallery()
        gr.Chatbot([{"role": "assistant", "content": "**hello**"}])
    return demo


def _scripted() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.HTML(3, html_template="<b>Template ${value}</b>", js_on_load="element.title = 'x'")
        text = gr.Textbox(label="Text", value="x")
        gr.Button("Go").click(None, text, text, js="(x) => x + '!'")
    return demo


def _editor() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.ImageEditor()
    return demo


def _plots() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.LinePlot(pd.DataFrame({"x": [1, 2], "y": [2, 1]}), x="x", y="y")
    return demo


def _model(file: str) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Model3D(file)
    return demo


def _with_head() -> gr.Blocks:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gradio wants it in launch(), which is not called here.
        demo = gr.Blocks(head="<script>document.documentElement.dataset.head = 'ran'</script>")
    with demo:
        gr.Textbox()
    return demo


def _violating() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.HTML(
            f"<b>Shown</b><img src='{ELSEWHERE}/a.png?token=hunter2'>"
            "<img src='data:x' onerror='window.hacked = true'>"
        )
    return demo


def _themed() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.Markdown("In its font", elem_id="shown")
    theme = gr.themes.Default(font=[gr.themes.GoogleFont("Pacifico")])
    pictured = theme.set(body_background_fill=f"url('{PICTURE}')")
    note_options(demo, {"theme": pictured}, of=gr.Blocks.launch)
    return demo


@dataclass(slots=True)
class Serving:
    """Serve the pages behind the real gate and server, in a separate thread."""

    apps: dict[str, Callable[[], gr.Blocks]]
    address: str = ""
    token: str = ""
    is_ready: threading.Event = field(default_factory=threading.Event)
    server: uvicorn.Server | None = None

    async def serves(self) -> None:
        pages = [Page(demo=build(), title=title) for title, build in self.apps.items()]
        async with AsyncExitStack() as closing:
            home = gr.Blocks()
            with home:
                gr.Markdown("Home")
            house = await Mounts(closing)(home, others=pages)
            self.token = (await house.signed_in()).http.cookies["gradioapp-session"]
            config = uvicorn.Config(
                house.gate, lifespan="off", log_config=None, timeout_graceful_shutdown=1
            )
            self.server = uvicorn.Server(config)
            with socket.create_server(("127.0.0.1", 0)) as door:
                self.address = f"http://127.0.0.1:{door.getsockname()[1]}"
                self.is_ready.set()
                await self.server.serve(sockets=[door])


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    file = tmp_path_factory.mktemp("model") / "triangle.obj"
    file.write_text(TRIANGLE)
    apps: dict[str, Callable[[], gr.Blocks]] = {
        "plain": _plain,
        "chat": lambda: gr.ChatInterface(lambda message, history: message),
        "scripted": _scripted,
        "editor": _editor,
        "plots": _plots,
        "model": lambda: _model(str(file)),
        "with-head": _with_head,
        "violating": _violating,
        "themed": _themed,
    }
    serving = Serving(apps)
    thread = threading.Thread(target=lambda: asyncio.run(serving.serves()), daemon=True)
    thread.start()
    assert serving.is_ready.wait(60)
    yield serving
    assert serving.server is not None
    serving.server.should_exit = True
    thread.join(20)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


NewBrowser = Callable[[], BrowserContext]


def opens(new_browser: NewBrowser, serving: Serving, page: str) -> tuple[Tab, str]:
    """Return the tab and the policy of its page."""
    context = new_browser()
    context.add_cookies(
        [{"name": "gradioapp-session", "value": serving.token, "url": serving.address}]
    )
    tab = context.new_page()
    tab.add_init_script(LISTENS)
    answer = tab.goto(f"{serving.address}/gradio/{page}/")
    assert answer is not None
    return tab, answer.headers["content-security-policy"]


def stopped(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate("window.stopped")
    return found


@pytest.mark.asvs("3.4.3")
@pytest.mark.parametrize("page", SHOWN)
def test_an_app_loads_without_violations_of_its_policy(
    serving: Serving, new_browser: NewBrowser, page: str
) -> None:
    tab, policy = opens(new_browser, serving, page)

    tab.locator(SHOWN[page]).first.wait_for(state="attached", timeout=30_000)

    assert stopped(tab) == []
    assert ("'unsafe-eval'" in policy) == (page in {"scripted", "editor", "plots"})


def test_the_font_and_the_picture_of_a_theme_are_loaded_without_violations(
    serving: Serving, chromium: Browser
) -> None:
    context = chromium.new_context()
    context.add_cookies(
        [{"name": "gradioapp-session", "value": serving.token, "url": serving.address}]
    )
    asked: list[str] = []
    for pattern, kind, body in (
        ("https://fonts.googleapis.com/**", "text/css", GOOGLE_STYLES),
        ("https://fonts.gstatic.com/**", "font/woff2", b""),
        (f"{PICTURE}**", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ):

        def fulfil(route: Route, kind: str = kind, body: str | bytes = body) -> None:
            asked.append(route.request.url)
            route.fulfill(
                body=body, content_type=kind, headers={"access-control-allow-origin": "*"}
            )

        context.route(pattern, fulfil)
    tab = context.new_page()
    tab.add_init_script(LISTENS)
    tab.goto(f"{serving.address}/gradio/themed/")

    expect(tab.locator("#shown")).to_be_visible()
    tab.wait_for_function("[...document.fonts].some(font => font.family.includes('Pacifico'))")
    tab.evaluate("document.fonts.load('16px Pacifico').catch(() => null)")

    assert stopped(tab) == []
    assert {urlsplit(url).netloc for url in asked} == {
        "fonts.googleapis.com",
        "fonts.gstatic.com",
        urlsplit(PICTURE).netloc,
    }
    context.close()


def test_the_script_of_an_event_runs(serving: Serving, new_browser: NewBrowser) -> None:
    tab, _ = opens(new_browser, serving, "scripted")

    tab.get_by_role("button", name="Go").click()

    expect(tab.get_by_label("Text")).to_have_value("x!")


def test_the_worker_that_cuts_videos_starts(serving: Serving, new_browser: NewBrowser) -> None:
    tab, policy = opens(new_browser, serving, "plain")
    assets = resources.files("gradio") / "templates" / "frontend" / "assets"
    [worker] = [file.name for file in assets.iterdir() if file.name.startswith("worker-")]

    said = tab.evaluate(
        """async worker => {
          const root = window.gradio_config.root;
          const urls = await Promise.all(["js", "wasm"].map(async end =>
            URL.createObjectURL(await (await fetch(`${root}/static/ffmpeg/ffmpeg-core.${end}`)).blob())));
          const started = new Worker(`${root}/${worker}`, {type: "module"});
          return new Promise(done => {
            started.onmessage = told => done(told.data.type);
            started.onerror = error => done(error.message);
            started.postMessage({id: 0, type: "LOAD", data: {coreURL: urls[0], wasmURL: urls[1]}});
          });
        }""",
        f"{assets_folder()}/{worker}",
    )

    assert said == "LOAD"
    assert "unsafe-eval" not in policy
    assert stopped(tab) == []


@pytest.mark.asvs("3.4.7", "3.4.3", "16.2.5")
def test_a_violation_is_logged_with_the_source_to_add(
    serving: Serving, new_browser: NewBrowser, lines: list[Any]
) -> None:
    tab, _ = opens(new_browser, serving, "violating")

    expect(tab.get_by_text("Shown")).to_be_visible()
    tab.wait_for_function("window.stopped.length >= 2")
    told = [
        _reported(lines, directive, before=time.monotonic() + 20)
        for directive in ("img-src", "script-src")
    ]

    assert tab.evaluate("window.hacked") is None
    assert [line["page"] for line in told] == ["/gradio/violating/"] * 2
    assert told[0]["add"] == f"csp={json.dumps({'img-src': ELSEWHERE})}"
    assert told[1]["add"].startswith("nothing: put the script into Blocks(head=…)")
    assert "hunter2" not in str(lines)


def _reported(lines: list[Any], directive: str, *, before: float) -> Any:
    """Wait for the report, because a browser may send it later."""
    while time.monotonic() < before:
        for line in list(lines):
            if line.get("directive") == directive:
                return line
        threading.Event().wait(0.05)
    raise AssertionError(lines)
