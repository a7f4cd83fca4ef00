"""Files of apps in a real browser: pictures, maps and documents are shown, and none of them runs as
part of the service."""

import http.server
import re
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.processes import Process
from tests.servers import session_of

pytestmark = pytest.mark.browser

APP: Final = """
from pathlib import Path

import gradio as gr

from gradioapp import Page

FILES = "gradio_api/file=outputs"
HTML = Path("shown.html").read_text()

with gr.Blocks(title="Files") as demo:
    gr.HTML(HTML, elem_id="shown")
    gr.Markdown("![plan](gradio_api/file=outputs/plan.svg)", elem_id="markdown")
    gr.HTML('<img src="/gradio_api/file=outputs/plan.svg">', elem_id="wrong")

page = Page(demo, title="Files", csp={"script-src": ["'self'", "CDN"], "worker-src": "'self'"})
CSS = "#markdown { background-image: url(gradio_api/file=outputs/styled.svg) }"
demo.launch(allowed_paths=["outputs"], css=CSS)
"""
"""The author has allowed every source that could expose the page."""
SHOWN: Final = """
<b>Shown</b>
<iframe id="map" src="gradio_api/file=outputs/map.html"></iframe>
<iframe id="srcdoc" srcdoc='<p id="drawn"></p><script src="CDN/lib.js"></script>'></iframe>
<iframe id="attack" srcdoc='<p>attack</p><script src="gradio_api/file=outputs/x.js"></script>
  <script type="module" src="gradio_api/file=outputs/x.mjs"></script>
  <link rel="stylesheet" href="gradio_api/file=outputs/x.css"><p id="styled">x</p>'></iframe>
<iframe id="pdf" width="500" height="400" src="gradio_api/file=outputs/a.pdf"></iframe>
<iframe id="svg" src="gradio_api/file=outputs/a.svg"></iframe>
<img id="picture" src="gradio_api/file=outputs/a.svg">
<video id="video" src="gradio_api/file=outputs/sound.wav" preload="metadata"></video>
"""
MAP: Final = """<!doctype html><title>Map</title><p id="map"></p><script>
const tried = {};
const attempt = (name, does) => { try { does(); tried[name] = "done"; } catch { tried[name] = "refused"; } };
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
attempt("parent", () => parent.document.title);
attempt("worker", () => new Worker("gradio_api/file=outputs/x.js"));
document.getElementById("map").textContent = "drawn " + JSON.stringify(tried);
fetch("/api/v1/me", {credentials: "include"}).then(a => a.text(), () => "refused")
  .then(text => { document.title = "fetched " + text.slice(0, 200); });
</script>"""
SCRIPT: Final = 'try { window.top.hacked = "yes"; } catch {} self.hacked = "yes";'
SVG: Final = """<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/>
<script>let said; try { said = document.cookie; } catch { said = "refused"; }
document.documentElement.setAttribute("data-said", said);</script></svg>"""
LIBRARY: Final = "document.getElementById('drawn').textContent = 'drawn by a library';"

NewBrowser = Callable[[], BrowserContext]


def a_pdf() -> bytes:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R>>",
        b"<</Length 25>>stream\n1 0 0 rg 0 0 200 100 re f\nendstream",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%bendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + end


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another origin of the same site. It serves a library, and a page that loads what it can from the service."""

    page = ""

    def do_GET(self) -> None:
        is_script = self.path.endswith(".js")
        body = (LIBRARY if is_script else type(self).page).encode()
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- The base class's name.
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    token: str
    process: Process

    @property
    def page(self) -> str:
        return f"{self.origin}/gradio/files/"

    def file(self, name: str) -> str:
        return f"{self.page}gradio_api/file=outputs/{name}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, elsewhere: str) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("files")
    outputs = folder / "outputs"
    outputs.mkdir()
    (folder / "app.py").write_text(APP.replace("CDN", elsewhere))
    (folder / "shown.html").write_text(SHOWN.replace("CDN", elsewhere))
    for name, text in {
        "map.html": MAP,
        "x.js": SCRIPT,
        "x.mjs": SCRIPT,
        "x.css": "#styled { color: rgb(1, 2, 3) }",
        "a.svg": SVG,
        "plan.svg": SVG,
        "styled.svg": SVG,
    }.items():
        (outputs / name).write_text(text)
    (outputs / "a.pdf").write_bytes(a_pdf())
    with wave.open(str(outputs / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48000)
        sound.writeframes(bytes(2 * 48000 * 120))
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "app.py:page")
    process = Process(*command, folder=folder)
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        yield Served(origin, session_of(origin, "john@test.com"), process)
    finally:
        process.end()


@pytest.fixture
def john(served: Served, new_browser: NewBrowser) -> BrowserContext:
    context = new_browser()
    context.add_cookies(
        [{"name": "gradioapp-session", "value": served.token, "url": served.origin}]
    )
    return context


@pytest.fixture
def tab(john: BrowserContext, served: Served) -> Page:
    tab = john.new_page()
    tab.goto(served.page)
    expect(tab.get_by_text("Shown", exact=True)).to_be_visible()
    return tab


def test_a_map_in_a_frame_is_drawn_without_access_to_the_service(tab: Page, served: Served) -> None:
    drawn = tab.frame_locator("#map").locator("#map")

    expect(drawn).to_contain_text("drawn")

    assert set(re.findall(r'"(cookie|storage|parent|worker)":"(\w+)"', drawn.inner_text())) == {
        *(("cookie", "refused"), ("storage", "refused")),
        *(("parent", "refused"), ("worker", "refused")),
    }
    framed = next(frame for frame in tab.frames if frame.url == served.file("map.html"))
    framed.wait_for_function("document.title === 'fetched refused'")


def test_files_are_found_by_addresses_without_a_leading_slash_and_the_log_names_a_page_with_others(
    john: BrowserContext, served: Served
) -> None:
    statuses: dict[str, int] = {}
    tab = john.new_page()
    tab.on("response", lambda got: statuses.update({got.url: got.status}))
    tab.goto(served.page)
    expect(tab.locator("#markdown img")).to_be_visible()
    tab.wait_for_load_state("networkidle")

    for picture in ("#picture", "#markdown img"):
        tab.wait_for_function("one => document.querySelector(one).naturalWidth > 0", arg=picture)
    assert statuses[served.file("styled.svg")] == 200
    assert tab.evaluate("document.querySelector('#wrong img').naturalWidth") == 0
    assert statuses[f"{served.origin}/gradio_api/file=outputs/plan.svg"] == 404
    assert "/gradio/files/" in served.process.hears("at the root of the host").string


def test_a_map_in_a_srcdoc_is_drawn_by_a_library_that_the_author_allows(tab: Page) -> None:
    drawn = tab.frame_locator("#srcdoc").locator("#drawn")

    expect(drawn).to_have_text("drawn by a library")


@pytest.mark.asvs("3.2.1", "3.4.3")
def test_a_file_is_neither_script_nor_style_of_the_page(tab: Page) -> None:
    frame = tab.frame_locator("#attack")
    expect(frame.get_by_text("attack")).to_be_visible()
    ways = {
        "script": "s => { s.src = URL; document.head.append(s); }",
        "module": "s => { s.type = 'module'; s.src = URL; document.head.append(s); }",
    }
    outcomes = {
        way: tab.evaluate(
            f"""new Promise(done => {{
              const script = document.createElement("script");
              script.onload = () => done("ran"); script.onerror = () => done("stopped");
              ({code.replace("URL", repr("gradio_api/file=outputs/x.js"))})(script);
            }})"""
        )
        for way, code in ways.items()
    }
    outcomes["worker"] = tab.evaluate(
        """new Promise(done => {
          try {
            const worker = new Worker("gradio_api/file=outputs/x.js");
            worker.onerror = () => done("stopped");
            setTimeout(() => done("ran"), 3000);
          } catch { done("stopped"); }
        })"""
    )
    outcomes["script of a worker"] = tab.evaluate(
        """new Promise(done => {
          const address = new URL("gradio_api/file=outputs/x.js", location);
          const code = `try { importScripts("${address}"); postMessage("ran"); } catch { postMessage("stopped"); }`;
          new Worker(URL.createObjectURL(new Blob([code]))).onmessage = told => done(told.data);
        })"""
    )
    outcomes["import"] = tab.evaluate(
        "import(new URL('gradio_api/file=outputs/x.mjs', location)).then(() => 'ran', () => 'stopped')"
    )
    outcomes["service worker"] = tab.evaluate(
        """navigator.serviceWorker.register("gradio_api/file=outputs/x.js")
          .then(() => "ran", () => "stopped")"""
    )

    assert set(outcomes.values()) == {"stopped"}, outcomes
    assert tab.evaluate("window.hacked") is None
    colour = frame.locator("#styled").evaluate("e => getComputedStyle(e).color")
    assert colour != "rgb(1, 2, 3)"


@pytest.mark.asvs("3.2.1", "3.4.4")
def test_a_file_is_no_script_even_without_the_policy_of_the_page(
    john: BrowserContext, served: Served
) -> None:
    tab = john.new_page()
    tab.goto(f"{served.origin}/login")  # A page of the same origin,
    tab.route("**/bare", lambda route: route.fulfill(body="<p>bare</p>", content_type="text/html"))
    tab.goto(f"{served.page}bare")  # and one without any policy.

    outcomes = tab.evaluate(
        """url => Promise.all(["x.js", "x.mjs", "x.css"].map(name => new Promise(done => {
          const element = document.createElement(name === "x.css" ? "link" : "script");
          element.onload = () => done("ran"); element.onerror = () => done("stopped");
          if (name === "x.css") { element.rel = "stylesheet"; element.href = url + name; }
          else { if (name === "x.mjs") element.type = "module"; element.src = url + name; }
          document.head.append(element);
        })))""",
        served.file(""),
    )

    assert outcomes == ["stopped"] * 3
    assert tab.evaluate("window.hacked") is None


def test_a_pdf_is_shown_in_a_frame_and_in_a_tab(
    john: BrowserContext, served: Served, tab: Page
) -> None:
    frame = tab.locator("#pdf")
    frame.scroll_into_view_if_needed()
    own = john.new_page()
    answer = own.goto(served.file("a.pdf"))

    assert answer is not None
    assert answer.headers["content-type"] == "application/pdf"
    _becomes_red(lambda: frame.screenshot(), own)
    _becomes_red(lambda: own.screenshot(), own)


def _becomes_red(screenshot: Callable[[], bytes], tab: Page) -> None:
    """Wait until the screenshot is red like the page of the PDF. The drawing of the PDF viewer is
    not accessible in any other way."""
    for _ in range(100):
        picture = Image.open(BytesIO(screenshot())).convert("RGB")
        colours = picture.getcolors(maxcolors=2**24) or []
        if sum(many for many, colour in colours if colour == (255, 0, 0)) > 1000:
            return
        tab.wait_for_timeout(100)
    raise AssertionError("the PDF is not to be seen")


@pytest.mark.asvs("3.2.1", "3.4.8")
def test_a_document_in_its_own_tab_is_shown_without_an_origin(
    john: BrowserContext, served: Served
) -> None:
    tab = john.new_page()

    tab.goto(served.file("map.html"))
    expect(tab.locator("#map")).to_contain_text('"cookie":"refused","storage":"refused"')
    expect(tab).to_have_title("fetched refused")
    tab.goto(served.file("a.svg"))
    expect(tab.locator("svg")).to_have_attribute("data-said", "refused")


def test_a_drawing_is_shown_as_a_picture_and_in_a_frame(tab: Page) -> None:
    tab.wait_for_function("document.getElementById('picture').naturalWidth === 10")
    expect(tab.frame_locator("#svg").locator("svg")).to_have_attribute("data-said", "refused")


def test_a_video_can_be_played_from_any_position(john: BrowserContext, served: Served) -> None:
    tab = john.new_page()
    parts: list[tuple[str, int]] = []
    tab.on(
        "response",
        lambda answer: (
            parts.append((answer.request.headers.get("range", ""), answer.status))
            if "sound.wav" in answer.url
            else None
        ),
    )
    tab.goto(served.page)
    tab.wait_for_function("document.getElementById('video')?.duration > 100")

    told = tab.evaluate(
        """() => new Promise(done => {
          const video = document.getElementById("video");
          video.onseeked = () => done(video.currentTime);
          video.onerror = () => done(video.error.message);
          video.currentTime = 110;
        })"""
    )

    assert told == 110
    assert {status for _, status in parts} == {206}
    assert any(re.fullmatch(r"bytes=[1-9]\d+-", asked) for asked, _ in parts), parts


# Pages of other origins


LOADS: Final = """
<img src="FILE/a.svg" onload="told.img='loaded'" onerror="told.img='refused'">
<script src="FILE/x.js" onload="told.script='loaded'" onerror="told.script='refused'"></script>
<video src="FILE/sound.wav" preload="metadata" onloadedmetadata="told.video='loaded'" onerror="told.video='refused'"></video>
<link rel="stylesheet" href="FILE/x.css" onload="told.style='loaded'" onerror="told.style='refused'">
<iframe src="FILE/map.html"></iframe><iframe src="PAGE"></iframe>
<a id="file" href="FILE/map.html">file</a><a id="page" href="PAGE">page</a>
<script>
for (const [name, url] of [["fetch", "FILE/a.svg"], ["config", "PAGEconfig"], ["info", "PAGEgradio_api/info"],
    ["events", "PAGEgradio_api/queue/data?session_hash=a"], ["me", "ORIGIN/api/v1/me"]])
  fetch(url, {credentials: "include", mode: "no-cors"}).then(() => told[name] = "answered", () => told[name] = "refused");
</script>"""


def _statuses(context: BrowserContext, tab: Page, origin: str) -> dict[str, int]:
    """Record the status of each request to the service by URL, also of responses that the browser
    hides from the page."""
    asked: dict[str, str] = {}
    statuses: dict[str, int] = {}
    protocol = context.new_cdp_session(tab)
    protocol.on(
        "Network.requestWillBeSent", lambda e: asked.update({e["requestId"]: e["request"]["url"]})
    )
    protocol.on(
        "Network.responseReceivedExtraInfo",
        lambda e: statuses.update(
            {url: e["statusCode"] for url in [asked.get(e["requestId"], "")] if origin in url}
        ),
    )
    protocol.send("Network.enable")
    return statuses


@pytest.mark.asvs("3.5.8", "3.2.1")
def test_a_page_of_the_same_site_can_link_but_not_load(
    john: BrowserContext, served: Served, elsewhere: str
) -> None:
    text = "<script>window.told = {}</script>" + LOADS
    named = {"FILE": served.file("").rstrip("/"), "PAGE": served.page, "ORIGIN": served.origin}
    for word, address in named.items():
        text = text.replace(word, address)
    Elsewhere.page = text
    tab = john.new_page()
    statuses = _statuses(john, tab, served.origin)

    tab.goto(f"{elsewhere}/attack")
    tab.wait_for_function("Object.keys(told).length >= 9")
    told = tab.evaluate("told")

    assert set(told.values()) == {"refused"}, told
    assert len(statuses) >= 8
    assert set(statuses.values()) == {403}, statuses

    for link, text in (("file", "drawn"), ("page", "Shown")):
        tab.goto(f"{elsewhere}/attack")
        tab.locator(f"#{link}").click()
        tab.wait_for_url(f"{served.origin}/**")
        expect(tab.get_by_text(re.compile(text)).first).to_be_visible()
