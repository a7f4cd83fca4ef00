"""Cached examples that cannot be served are one line of `serve`, of `check`, and of a page under `--reload`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.command_line.conftest import Gradioapp
from tests.processes import Process

Start = Callable[..., Process]

SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
A_PAGE: Final = {"accept": "text/html"}
AT_THE_START: Final = """
import gradio as gr

def fails(text):
    raise ValueError("no such word")

with gr.Blocks(title="Mine") as demo:
    text, out = gr.Textbox(), gr.Textbox()
    gr.Examples(["x"], text, out, fails, cache_examples=True)
"""
FAULT: Final = r"my_demo\.py, line 5: ValueError: no such word\. fails runs at the start"
AN_APP: Final = AT_THE_START.replace('raise ValueError("no such word")', "return text")
OF_THE_CALLER: Final = """
import gradio as gr
from gradioapp import User, current_user, injected, requires

def takes(text, *, user: User = injected):
    return user.email

def calls(text):
    return current_user().email

@requires("admin")
def is_for(text):
    return text

with gr.Blocks(title="Mine") as demo:
    text, out = gr.Textbox(), gr.Textbox()
    gr.Examples(["x"], text, out, {fn}, cache_examples=True)
"""


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, follow_redirects=True) as client:
        yield client


@pytest.mark.parametrize(
    ("fn", "asks"), [("takes", "User"), ("calls", r"current_user\(\)"), ("is_for", "a role")]
)
@pytest.mark.server
def test_serve_and_check_refuse_cached_examples_that_ask_for_their_caller(
    folder: Path, start: Start, gradioapp: Gradioapp, fn: str, asks: str
) -> None:
    (folder / "my_demo.py").write_text(OF_THE_CALLER.replace("{fn}", fn))

    checked = gradioapp("check --app my_demo.py")
    server = start("gradioapp", "serve", "--app", "my_demo.py", "--port", "0")
    server.hears(rf"^{fn} is the function of cached examples and asks for {asks}:")

    assert server.popen.wait(timeout=30) == 2
    assert "Traceback" not in server.said
    assert checked.exit_code == 1
    assert f"FAULT  {fn} is the function of cached examples" in checked.stdout


@pytest.mark.server
def test_an_example_that_fails_at_the_start_is_one_line_and_exit_code_two(
    folder: Path, start: Start
) -> None:
    (folder / "my_demo.py").write_text(AT_THE_START)

    server = start("gradioapp", "serve", "--app", "my_demo.py", "--port", "0")
    server.hears(FAULT)

    assert server.popen.wait(timeout=30) == 2
    assert "Traceback" not in server.said
    assert "startup failed" not in server.said
    assert "Serving at" not in server.said


@pytest.mark.server
def test_a_startup_that_fails_is_shown_on_every_page_until_it_is_mended(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    demo = folder / "my_demo.py"
    demo.write_text(AN_APP)
    server = start("gradioapp", "serve", "--reload", "--app", "my_demo.py", "--port", "0")
    base = server.hears(SERVING)[1]

    (folder / "gradioapp-data/examples").rename(folder / "gradioapp-data/old")
    demo.write_text(AT_THE_START)
    server.hears(FAULT)
    server.hears(SERVING)
    page = browser.get(f"{base}/gradio/mine/", headers=A_PAGE)

    assert page.status_code == 503
    assert "line 5: ValueError: no such word" in page.text

    demo.write_text(AN_APP)
    server.hears(SERVING)

    assert browser.get(f"{base}/gradio/mine/", headers=A_PAGE).status_code == 200
    assert server.stops(within=15) < 12


@pytest.mark.server
def test_a_process_that_ends_at_import_is_shown_on_every_page_until_it_is_mended(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    demo = folder / "my_demo.py"
    demo.write_text("import os\nos._exit(7)\n")
    server = start("gradioapp", "serve", "--reload", "--app", "my_demo.py", "--port", "0")
    server.hears("The process of the apps has ended with exit code 7")
    base = server.hears(SERVING)[1]
    page = browser.get(f"{base}/gradio/mine/", headers=A_PAGE)

    assert page.status_code == 503
    assert "has ended with exit code 7" in page.text

    demo.write_text(AN_APP)
    server.hears(SERVING)

    assert browser.get(f"{base}/gradio/mine/", headers=A_PAGE).status_code == 200
    assert server.stops(within=15) < 12
