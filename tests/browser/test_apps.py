"""Apps of every kind run unchanged behind sign-in, with Gradio's own client and in a real browser.

`tests/apps` has one app for each family of components. The real command serves all of them
together. They are also written in different ways: launched at once, in a main block, in a function,
without a name, and with a `data.py` of their own.
"""

import re
import struct
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
from gradio_client import Client, handle_file  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.conftest import says
from tests.processes import ROOT, Process
from tests.servers import session_of

APPS: Final = ROOT / "tests" / "apps"
SOON: Final = 20
"""Seconds that each result may take."""

INVALID: Final = re.compile(r"^422 |status of 422 ")
"""The refusal of a validator, which Gradio's page treats as a result and the browser reports as an error."""

NewBrowser = Callable[[], BrowserContext]


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    token: str
    folder: Path
    """The working directory of the service, with its data and a file for each kind of input."""

    def address(self, app: str) -> str:
        return f"{self.origin}/gradio/{app}/"

    def file(self, name: str) -> Any:
        return handle_file(str(self.folder / name))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("apps")
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", *named_apps())
    process = Process(*command, folder=folder)
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        yield Served(origin, session_of(origin, "john@test.com"), writes_inputs(folder))
    finally:
        process.end()


def named_apps() -> list[str]:
    files = sorted([*APPS.glob("*.py"), *APPS.glob("*/app.py")])
    return [part for file in files for part in ("--app", str(file))]


def writes_inputs(folder: Path) -> Path:
    (folder / "a.txt").write_text("of a")
    (folder / "b.txt").write_text("of b")
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (20, 0, 40, 20))
    picture.save(folder / "picture.png")
    splat = struct.pack("<6f8B", *(0, 0, 0, 0.1, 0.1, 0.1), *(255, 0, 0, 255, 255, 128, 128, 128))
    (folder / "model.splat").write_bytes(splat * 8)
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"".join(n.to_bytes(2, "little") for n in range(8000)))
    return folder


# With Gradio's own client


class Uses:
    """Use one app through its API."""

    def __init__(self, client: Client, served: Served) -> None:
        self.client, self.served = client, served

    def __call__(self, api_name: str, *data: Any) -> Any:
        return self.client.submit(*data, api_name=f"/{api_name}").result(timeout=SOON)

    def steps(self, api_name: str, *data: Any) -> Any:
        job = self.client.submit(*data, api_name=f"/{api_name}")
        job.result(timeout=SOON)
        return job.outputs()

    def file(self, name: str) -> Any:
        return self.served.file(name)


def text(uses: Uses) -> None:
    assert uses("greet", "Ada", True, 2) == ("HELLO ADA!HELLO ADA!", 20)  # noqa: FBT003 -- A checkbox.
    assert uses("load_example", 1) == ("Hello Bob!Hello Bob!", 20)
    assert list((uses.served.folder / "gradioapp-data" / "examples").iterdir())


def image(uses: Uses) -> None:
    mirrored = Image.open(uses("mirror", uses.file("picture.png"))).convert("RGB")
    assert (mirrored.getpixel((2, 2)), mirrored.getpixel((38, 2))) == ((0, 0, 255), (255, 0, 0))


def audio(uses: Uses) -> None:
    with wave.open(uses("reverse", uses.file("sound.wav"))) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, 8000)
        assert int.from_bytes(sound.readframes(1), "little") == 7999


def files(uses: Uses) -> None:
    packed, said = uses("pack", [uses.file("a.txt"), uses.file("b.txt")])
    assert said == "2 in packed.zip"
    with ZipFile(packed) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.txt": b"of a",
            "b.txt": b"of b",
        }


def gallery(uses: Uses) -> None:
    painted = uses("paint")
    assert [entry["caption"] for entry in painted] == ["red", "green", "blue"]
    assert Image.open(painted[2]["image"]).convert("RGB").getpixel((0, 0)) == (0, 0, 255)


def tables(uses: Uses) -> None:
    older = uses("older_than", 30)
    assert older["data"] == [["Ada", 36], ["Cy", 41]]
    assert uses("count", older) == 2


def plots(uses: Uses) -> None:
    assert uses("up_to", 3)["data"] == [[0, 0], [1, 1], [2, 4]]


def chat(uses: Uses) -> None:
    steps = uses.steps("echo", "hi", "Hello")
    assert steps[0] == "H"
    assert steps[-1] == "Hello hi, after 0"
    assert uses("echo", "again", "Hello") == "Hello again, after 2"
    assert uses("count", {"text": "look", "files": [uses.file("a.txt")]}) == "look with 1"


def streams(uses: Uses) -> None:
    assert uses.steps("steps", 3) == ["step 0", "step 1", "step 2"]
    job = uses.client.submit(api_name="/endless")
    assert next(iter(job)) == "number 0"
    job.cancel()
    assert uses.steps("steps", 1) == ["step 0"]


def states(uses: Uses) -> None:
    assert [uses("add", item) for item in "ab"] == ["a", "a, b"]


def rendered(uses: Uses) -> None:
    assert uses("double", 2) == 4


def timed(uses: Uses) -> None:
    assert uses("tick", 4) == 5


def several(uses: Uses) -> None:
    assert uses("greet", "Ada") == "Hello Ada"
    assert uses("double", 4) == 8


def model(uses: Uses) -> None:
    shown = uses("show", uses.file("model.splat"))
    assert Path(shown).read_bytes() == (uses.served.folder / "model.splat").read_bytes()


def tabs(uses: Uses) -> None:
    assert uses("see") == "two"


def events(uses: Uses) -> None:
    assert uses("halve", 8) == 4
    with pytest.raises(Exception, match="not even"):
        uses("halve", 7)
    with pytest.raises(Exception, match="not today"):
        uses("refuse")


def custom(uses: Uses) -> None:
    assert uses("rate", 3) == "3 stars"


def board(uses: Uses) -> None:
    assert uses("total") == 1


def arena(uses: Uses) -> None:
    _, first, second = uses("ask", "Hi", [], [])
    steps = uses.steps("answer", first, second)
    assert [
        [chat[-1]["content"][0]["text"] for chat in step] for step in (steps[0], steps[-1])
    ] == [
        ["H", "h"],
        ["HI", "hi"],
    ]


def editor(uses: Uses) -> None:
    picture = uses.file("picture.png")
    drawn = {"background": picture, "layers": [], "composite": picture}
    marked = uses("mark", drawn)
    assert [part["label"] for part in marked["annotations"]] == ["left", "right"]
    with Image.open(marked["image"]) as shown:
        assert shown.size == (40, 20)


def report(uses: Uses) -> None:
    table = {"headers": ["Name", "Age"], "data": [["Eve", 5]], "metadata": None}
    text, file = uses("make", table)
    assert "<td>Eve</td><td>5</td>" in text
    assert Path(file).name == "Report 1.html"
    assert Path(file).read_text() == text


def trip(uses: Uses) -> None:
    assert uses("cities", "Japan")["choices"][2] == ["Osaka", "Osaka"]
    assert uses("hotel", ["Hotel"])["visible"] is True


def words(uses: Uses) -> None:
    marked, kinds, found, code = uses("read", "Ada in 1843")
    assert [part["token"] for part in marked if part["class_or_confidence"]] == ["Ada", "1843"]
    assert kinds["confidences"][0]["confidence"] == 0.5
    assert found == {"found": ["person", "year"]}
    assert code.startswith("# 2 found")


BY_CLIENT: Final[dict[str, Callable[[Uses], None]]] = {
    use.__name__: use
    for use in (
        *(text, image, audio, files, gallery, tables, plots, chat),
        *(streams, states, rendered, timed, several, model, tabs, events, custom),
        *(board, arena, editor, report, trip, words),
    )
}


def test_every_app_has_a_test_with_the_client_and_in_the_browser() -> None:
    apps = {file.stem for file in APPS.glob("*.py")} | {
        f.parent.name for f in APPS.glob("*/app.py")
    }

    # These need a provider: see test_spaces.py.
    assert BY_CLIENT.keys() == IN_BROWSER.keys() == apps - {"space", "drive"}


@pytest.mark.server
@pytest.mark.parametrize("app", BY_CLIENT)
def test_an_app_works_with_gradios_own_client(app: str, served: Served, tmp_path: Path) -> None:
    works_by_client(app, served, tmp_path)


def works_by_client(app: str, served: Served, tmp_path: Path) -> None:
    client = Client(
        served.address(app),
        headers={"cookie": f"gradioapp-session={served.token}", "origin": served.origin},
        download_files=str(tmp_path),
        verbose=False,
        analytics_enabled=False,
    )
    try:
        BY_CLIENT[app](Uses(client, served))
    finally:
        client.close()


# In a real browser


def opens_text(tab: Page, served: Served) -> None:
    expect(tab.get_by_label("Greeting")).to_have_value("HELLO ADA!")  # The first example's.
    tab.get_by_label("Name").fill("Eve")
    tab.get_by_role("button", name="Submit").click()
    expect(tab.get_by_label("Greeting")).to_have_value("HELLO EVE!")
    tab.get_by_role("button", name="Flag").click()
    tab.get_by_text("Bob").click()
    expect(tab.get_by_label("Greeting")).to_have_value("Hello Bob!Hello Bob!")
    expect(tab.get_by_role("button", name="Flag")).to_be_visible()
    assert list((served.folder / ".gradio" / "flagged").rglob("*.csv"))


def opens_image(tab: Page, served: Served) -> None:
    shows_pictures(tab, 1)  # The example.
    tab.locator(".gallery-item, button:has(img)").first.click()
    shows_pictures(tab, 2)
    tab.get_by_role("button", name="Submit").click()
    shows_pictures(tab, 3)


def opens_audio(tab: Page, served: Served) -> None:
    tab.locator("input[type=file]").first.set_input_files(served.folder / "sound.wav")
    expect(tab.get_by_label("Waveform").or_(tab.locator("#waveform")).first).to_be_visible()
    tab.get_by_role("button", name="Submit").click()
    expect(tab.locator("#waveform")).to_have_count(2)


def opens_files(tab: Page, served: Served) -> None:
    both = [served.folder / "a.txt", served.folder / "b.txt"]
    tab.locator("input[type=file]").first.set_input_files(both)
    expect(tab.get_by_role("button", name="Remove this file")).to_have_count(2)
    tab.get_by_role("button", name="Pack", exact=True).click()
    expect(tab.get_by_label("Said")).to_have_value("2 in packed.zip")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Packed").click()
    with ZipFile(download.value.path()) as archive:
        assert archive.read("b.txt") == b"of b"


def opens_gallery(tab: Page, served: Served) -> None:
    tab.get_by_role("button", name="Paint").click()
    shows_pictures(tab, 3)
    tab.locator(".thumbnail-item").nth(1).click()
    expect(tab.get_by_label("Colour")).to_have_value("green")


def opens_tables(tab: Page, served: Served) -> None:
    expect(tab.get_by_role("gridcell", name="Ada")).to_be_visible()
    tab.get_by_label("Older than").fill("40")
    tab.get_by_label("Older than").press("Tab")
    expect(tab.get_by_role("gridcell", name="Ada")).to_have_count(0)
    tab.get_by_role("button", name="Count", exact=True).click()
    expect(tab.get_by_label("How many")).to_have_value("1")


def opens_plots(tab: Page, served: Served) -> None:
    expect(tab.locator(".vega-embed canvas, .vega-embed svg.marks")).to_have_count(2)


def opens_chat(tab: Page, served: Served) -> None:
    tab.get_by_placeholder("Type a message...").first.fill("hi")
    tab.keyboard.press("Enter")
    says(tab, "You said hi, after 0")
    tab.get_by_role("tab", name="Files").click()
    tab.locator("input[type=file]").last.set_input_files(served.folder / "a.txt")
    box = tab.get_by_role("textbox", name="Type a message...").last
    box.fill("look")
    expect(tab.get_by_role("button", name="Remove file")).to_be_visible()
    box.press("Enter")
    says(tab, "look with 1")


def opens_streams(tab: Page, served: Served) -> None:
    tab.get_by_role("button", name="Run").click()
    expect(tab.get_by_label("Now")).to_have_value(re.compile("number [1-9]"))
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_label("Said")).to_have_value(re.compile("stopped"))
    tab.get_by_role("button", name="Step").click()
    expect(tab.get_by_label("Now")).to_have_value("step 2")


def opens_states(tab: Page, served: Served) -> None:
    streams = open_streams(tab)
    for item in "ab":
        tab.get_by_label("Item").fill(item)
        tab.get_by_role("button", name="Add").click()
        expect(tab.get_by_label("Kept")).to_have_value(re.compile(f"{item}$"))
    expect(tab.get_by_label("Kept")).to_have_value("a, b")
    expect(tab.get_by_label("Last time")).to_have_value("b")
    # Gradio's page reports a cut connection on the console if it is left while it listens.
    while streams:
        tab.wait_for_timeout(50)
    tab.reload()
    expect(tab.get_by_label("Last time")).to_have_value("b")


def open_streams(tab: Page) -> set[Request]:
    """Track the streams of events from now on."""
    streams: set[Request] = set()
    tab.on("request", lambda asked: streams.add(asked) if "/queue/data" in asked.url else None)
    for end in ("requestfinished", "requestfailed"):
        tab.on(end, lambda asked: streams.discard(asked))
    return streams


def opens_rendered(tab: Page, served: Served) -> None:
    tab.get_by_label("Part 0").fill("x")
    tab.get_by_label("Part 1").fill("y")
    tab.get_by_role("button", name="Join").click()
    expect(tab.get_by_label("All")).to_have_value("x+y")


def opens_timed(tab: Page, served: Served) -> None:
    expect(tab.get_by_label("Loaded")).to_have_value("ready")
    expect(tab.get_by_label("Ticks")).to_have_value(re.compile("[3-9]"))
    tab.get_by_role("button", name="Stop").click()


def opens_several(tab: Page, served: Served) -> None:
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_role("button", name="Greet").click()
    expect(tab.get_by_label("Greeting")).to_have_value("Hello Ada")
    tab.get_by_role("link", name="Second").click()
    tab.get_by_role("button", name="Double").click()
    expect(tab.get_by_label("Twice")).to_have_value("4")
    assert tab.url.rstrip("/") == f"{served.address('several')}second"


def opens_model(tab: Page, served: Served) -> None:
    tab.locator("input[type=file]").first.set_input_files(served.folder / "model.splat")
    expect(tab.locator("canvas")).to_have_count(1)
    tab.get_by_role("button", name="Show").click()
    with tab.expect_response(re.compile(r"file=.*\.splat")) as fetched:
        expect(tab.locator("canvas")).to_have_count(2)
    assert fetched.value.status == 200


def opens_tabs(tab: Page, served: Served) -> None:
    # The sidebar covers no part of the bar.
    tab.get_by_role("link", name="gradioapp", exact=True).click(trial=True)
    for menu in ("Pages:", "Account menu of"):
        tab.get_by_role("button", name=re.compile(menu)).click(trial=True)
    tab.get_by_role("tab", name="Table").click()
    tab.get_by_role("button", name="Fullscreen").click()
    tab.get_by_role("button", name="Exit fullscreen").click()
    tab.get_by_role("tab", name="One").click()
    tab.get_by_role("button", name="Go to the second").click()
    expect(tab.get_by_label("Seen")).to_have_value("two")
    tab.get_by_role("button", name="More").click()
    says(tab, "what was hidden")
    tab.get_by_role("tab", name="Steps").click()
    tab.get_by_role("button", name="On", exact=True).click()
    says(tab, "the end of it")


def opens_events(tab: Page, served: Served) -> None:
    tab.get_by_role("button", name="Halve").click()
    expect(tab.get_by_label("Log")).to_have_value("halved, done")
    expect(tab.get_by_label("Half")).to_have_value("2")
    tab.get_by_label("Number").fill("3")
    tab.get_by_role("button", name="Halve").click()
    says(tab, "not even")
    tab.get_by_role("button", name="Refuse").click()
    says(tab, "not today")
    expect(tab.get_by_label("Log")).to_have_value("refused")


def opens_custom(tab: Page, served: Served) -> None:
    tab.wait_for_function("window.fromHead == 'ran'")
    stars = tab.locator(".stars")
    assert stars.evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    stars.locator("button").nth(1).click()
    tab.get_by_role("button", name="Rate").click()
    expect(tab.get_by_label("Shouted")).to_have_value("2 stars")
    tab.get_by_role("button", name="Shout").click()
    expect(tab.get_by_label("Shouted")).to_have_value("QUIET")


def opens_board(tab: Page, served: Served) -> None:
    expect(tab.get_by_role("heading", name="To do: 1")).to_be_visible()
    tab.get_by_label("New card").fill("Write")
    tab.get_by_label("New card").press("Enter")
    expect(tab.get_by_role("heading", name="To do: 2")).to_be_visible()
    tab.get_by_role("button", name="Move Read").click()
    expect(tab.get_by_role("heading", name="Done: 1")).to_be_visible()
    tab.get_by_role("button", name="Drop Write").click()
    expect(tab.get_by_role("heading", name="To do: 0")).to_be_visible()
    tab.get_by_role("button", name="Total").click()
    expect(tab.get_by_label("Total")).to_have_value("1")


def opens_arena(tab: Page, served: Served) -> None:
    tab.get_by_label("Message").fill("Hello you")
    tab.get_by_label("Message").press("Enter")
    # Whole and in this case: a chat that still grows is drawn anew, and would lose the click.
    expect(tab.get_by_text("HELLO YOU", exact=True)).to_be_visible()
    expect(tab.get_by_text("hello you", exact=True)).to_be_visible()
    tab.get_by_role("button", name="Like", exact=True).last.click()
    expect(tab.get_by_label("Votes")).to_have_value("Lower 1")
    tab.get_by_role("button", name="Undo").first.click()
    expect(tab.get_by_text("HELLO YOU", exact=True)).to_have_count(0)
    tab.get_by_role("button", name="Clear", exact=True).last.click()
    expect(tab.get_by_label("Votes")).to_have_value("")


def opens_editor(tab: Page, served: Served) -> None:
    canvas = tab.locator("canvas").first
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box
    tab.get_by_role("button", name="Brush", exact=True).click()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2, steps=5)
    tab.mouse.up()
    tab.get_by_role("button", name="Mark", exact=True).click()
    shows_pictures(tab, 1)
    tab.get_by_role("button", name="left", exact=True).click()
    expect(tab.get_by_label("Part")).to_have_value("left of 0")


def opens_report(tab: Page, served: Served) -> None:
    tab.get_by_role("button", name="Make").click()
    heading = tab.get_by_role("heading", name="Report")
    expect(heading).to_have_css("color", "rgb(4, 5, 6)")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Take it").click()
    assert download.value.suggested_filename == "Report 2.html"
    assert "<td>Cy</td><td>41</td>" in download.value.path().read_text()


def opens_trip(tab: Page, served: Served) -> None:
    tab.get_by_role("button", name="Plan").click()
    says(tab, "Choose a city first.")
    tab.get_by_label("Country").click()
    tab.get_by_role("option", name="Japan").click()
    tab.get_by_label("Osaka").check()
    expect(tab.get_by_label("Stars").first).to_be_hidden()
    tab.get_by_label("Hotel").check()
    expect(tab.get_by_label("Stars").first).to_be_visible()
    tab.get_by_role("button", name="Plan").click()
    expect(tab.get_by_role("textbox", name="Plan")).to_have_value("Osaka, Japan: Hotel 3 #ff0000")


def opens_words(tab: Page, served: Served) -> None:
    tab.get_by_text("Ada was in Paris in 1843").first.click()
    expect(tab.get_by_label("Text")).to_have_value("Ada was in Paris in 1843")
    says(tab, "# 3 found")
    tab.get_by_label("Text").fill("Paris")
    tab.get_by_role("button", name="Submit").click()
    says(tab, "# 1 found")
    expect(tab.locator(".output-class, [data-testid=label-output-value]").first).to_have_text(
        "place"
    )


def shows_pictures(tab: Page, number: int) -> None:
    """Wait until this many pictures have been loaded."""
    tab.wait_for_function(
        "number => [...document.querySelectorAll('.gradio-container img')]"
        ".filter(e => e.naturalWidth && e.src.includes('/file=')).length >= number",
        arg=number,
    )


IN_BROWSER: Final[dict[str, Callable[[Page, Served], None]]] = {
    drive.__name__.removeprefix("opens_"): drive
    for drive in (
        *(opens_text, opens_image, opens_audio, opens_files, opens_gallery, opens_tables),
        *(opens_plots, opens_chat, opens_streams, opens_states, opens_rendered, opens_timed),
        *(opens_several, opens_model, opens_tabs, opens_events, opens_custom),
        *(opens_board, opens_arena, opens_editor, opens_report, opens_trip, opens_words),
    )
}


@pytest.mark.browser
@pytest.mark.parametrize("app", IN_BROWSER)
def test_an_app_works_in_the_browser_without_console_errors(
    app: str, served: Served, new_browser: NewBrowser
) -> None:
    works_in_browser(app, served, new_browser)


def works_in_browser(app: str, served: Served, new_browser: NewBrowser) -> None:
    context = new_browser()
    context.add_cookies(
        [{"name": "gradioapp-session", "value": served.token, "url": served.origin}]
    )
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)

    tab.goto(served.address(app))
    IN_BROWSER[app](tab, served)

    assert not [said for said in wrong if not (app == "events" and INVALID.search(said))]
