"""A streaming microphone and a streaming webcam in a real browser, with the browser's own fake devices."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.processes import Process
from tests.servers import session_of

pytestmark = pytest.mark.browser

APP: Final = """
import gradio as gr

from entrypoints.ui import limits

limits.FILES_PER_HOUR = 40
limits.UPLOADS_PER_HOUR = 1000


def hear(sound, count):
    rate, samples = sound
    return count + 1, f"heard {count + 1}"


def look(picture, count):
    return count + 1, f"saw {count + 1}"


with gr.Blocks(title="Pieces") as demo:
    heard, seen = gr.State(0), gr.State(0)
    sound = gr.Audio(sources=["microphone"], streaming=True)
    said = gr.Textbox(label="Said")
    sound.stream(hear, [sound, heard], [heard, said], stream_every=0.1)
    sound.stop_recording(lambda sound: f"{len(sound[1])} samples at the end", sound, gr.Textbox(label="Stopped"))
    gr.Button("Lower the limit").click(lambda: setattr(limits, "FILES_PER_HOUR", -1))
    picture = gr.Image(sources=["webcam"], streaming=True)
    shown = gr.Textbox(label="Shown")
    picture.stream(look, [picture, seen], [seen, shown], stream_every=0.1)
demo.launch()
"""
"""The limit of files is low: without the counting of pieces it would be met after four seconds."""

NewBrowser = Callable[[], BrowserContext]


@pytest.fixture(scope="module")
def chromium_options() -> Sequence[str]:
    return ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    token: str
    folder: Path
    """It has the service's files, and those of Gradio."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("pieces")
    (folder / "app.py").write_text(APP)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "app.py")
    process = Process(*command, folder=folder)
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        yield Served(origin, session_of(origin, "john@test.com"), folder)
    finally:
        process.end()


@pytest.fixture
def tab(served: Served, new_browser: NewBrowser) -> Iterator[Page]:
    context = new_browser()
    context.grant_permissions(["microphone", "camera"])
    context.add_cookies(
        [{"name": "gradioapp-session", "value": served.token, "url": served.origin}]
    )
    tab = context.new_page()
    tab.goto(f"{served.origin}/gradio/pieces/")
    expect(tab.get_by_label("Said")).to_be_visible()
    yield tab
    # A page that is left tells so. Without that, its stream would hold the event's one place for half a minute.
    tab.goto("about:blank")
    tab.wait_for_timeout(1000)


def files_in(folder: Path, *, ending: str) -> int:
    """Count them while the service removes some."""
    names = [name for _, _, files in os.walk(folder) for name in files]
    return len([name for name in names if name.endswith(ending)])


def records(tab: Page) -> None:
    """Start the microphone. Gradio's front end fails if it is started before its encoder is loaded."""
    for _ in range(10):
        tab.get_by_role("button", name="Record").first.click()
        tab.wait_for_timeout(2000)
        if tab.get_by_label("Said").input_value():
            return
        tab.reload()
        tab.wait_for_timeout(3000)
    raise AssertionError(f"the microphone does not start: {tab.locator('body').inner_text()}")


def has_reached(tab: Page, label: str, word: str, count: int) -> None:
    """Wait until the text field has counted that far."""
    for _ in range(1000):
        text = tab.get_by_label(label).input_value()
        found = re.fullmatch(rf"{word} (\d+)", text)
        if found and int(found.group(1)) >= count:
            return
        tab.wait_for_timeout(100)
    raise AssertionError(text)


def test_the_pieces_of_a_microphone_flow_and_are_removed(tab: Page, served: Served) -> None:
    records(tab)

    has_reached(tab, "Said", "heard", 80)
    most = files_in(served.folder, ending=".wav")
    tab.get_by_role("button", name="Stop").click()

    assert 0 < most <= 40
    expect(tab.locator("#gradioapp-toast")).to_have_count(0)
    expect(tab.get_by_label("Stopped")).to_have_value(re.compile(r"\d+ samples at the end"))
    expect(tab.locator("#gradioapp-toast")).to_have_count(0)


def test_the_pictures_of_a_webcam_flow_and_leave_no_files(tab: Page, served: Served) -> None:
    before = files_in(served.folder, ending="")
    tab.get_by_role("button", name="Click to Access Webcam").click()
    tab.get_by_label("capture photo").click()

    has_reached(tab, "Shown", "saw", 60)

    assert files_in(served.folder, ending="") <= before + 2
    expect(tab.locator("#gradioapp-toast")).to_have_count(0)


def test_a_refused_piece_of_a_running_stream_is_a_toast(tab: Page) -> None:
    problem = '{"type": "urn:gradioapp:problem:too-many-requests", "detail": "Too many inputs."}'
    tab.route(
        "**/gradio_api/stream/*",
        lambda route: route.fulfill(
            status=429, body=problem, content_type="application/problem+json"
        ),
    )
    tab.get_by_role("button", name="Click to Access Webcam").click()
    tab.get_by_label("capture photo").click()

    expect(tab.get_by_role("alert")).to_have_text("Too many inputs.")


def test_a_limit_that_a_microphone_meets_is_a_toast(tab: Page) -> None:
    records(tab)

    tab.get_by_role("button", name="Lower the limit").click()

    expect(tab.get_by_role("alert")).to_contain_text("within an hour. Try again later.")
