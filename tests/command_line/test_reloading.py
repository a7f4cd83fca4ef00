"""`serve --reload`: a change is served, what is broken is shown, and the setup link is printed once."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.processes import Process

pytestmark = pytest.mark.server

Start = Callable[..., Process]

SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
RELOADING: Final = ("gradioapp", "serve", "--reload", "--app", "my_demo.py", "--port", "0")
AN_APP: Final = """
import gradio as gr

with gr.Blocks(title="Mine") as demo:
    gr.Markdown("Hello")
"""
A_PAGE: Final = {"accept": "text/html"}


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, follow_redirects=True) as client:
        yield client


def app_id(browser: httpx.Client, base: str) -> int:
    found: int = browser.get(f"{base}/gradio/mine/gradio_api/app_id").json()["app_id"]
    return found


def test_a_broken_file_is_shown_on_every_page_until_it_is_mended(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    demo = folder / "my_demo.py"
    demo.write_text(AN_APP)
    server = start(*RELOADING)
    base = server.hears(SERVING)[1]
    first = app_id(browser, base)

    demo.write_text(f"{AN_APP}\n<b>half a line(\n")
    server.hears(r"my_demo\.py, line 7: SyntaxError")
    server.hears(SERVING)
    pages = [browser.get(f"{base}{path}", headers=A_PAGE) for path in ("/", "/gradio/mine/")]
    program = browser.post(f"{base}/gradio/mine/gradio_api/queue/join", json={})
    foreign = browser.get(base, headers={**A_PAGE, "host": "evil.example.org"})

    for page in pages:
        assert page.status_code == 503
        assert f"{demo}, line 7: SyntaxError" in page.text
        assert "script-src 'sha256-" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
    assert program.status_code == 503
    assert "line 7" in program.json()["detail"]
    assert foreign.status_code == 400
    assert "SyntaxError" not in foreign.text
    assert app_id(browser, base) == 0

    demo.write_text(AN_APP)
    server.hears(SERVING)

    assert browser.get(f"{base}/gradio/mine/", headers=A_PAGE).status_code == 200
    assert app_id(browser, base) not in {0, first}
    assert server.stops(within=15) < 12


def test_a_service_that_starts_broken_prints_the_setup_link_once_when_it_works(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    demo = folder / "my_demo.py"
    demo.write_text("import gradio as gr\nimport my_helper\ndemo = gr.Blocks(title='Mine')\n")

    server = start(*RELOADING)
    server.hears(r"my_demo\.py, line 2: ModuleNotFoundError: No module named 'my_helper'")
    base = server.hears(SERVING)[1]
    assert "my_helper" in browser.get(base, headers=A_PAGE).text
    assert "/setup?token=" not in server.said

    (folder / "my_helper.py").write_text("x = 1\n")
    server.hears(SERVING)
    link = server.hears(r"http://\S+/setup\?token=\S+")[0]
    (folder / "my_helper.py").write_text("x = 2\n\n")
    server.hears(SERVING)
    assert server.may_hear("/setup", within=2) is None

    assert server.said.count("/setup?token=") == 1
    assert browser.get(link).status_code == 200


def test_a_file_that_is_moved_back_with_its_old_time_is_a_change(
    folder: Path, start: Start
) -> None:
    demo = folder / "my_demo.py"
    demo.write_text(AN_APP)
    saved = folder / "my_demo.bak"
    shutil.copy2(demo, saved)
    server = start(*RELOADING)
    server.hears(SERVING)

    demo.write_text("1 / 0\n")
    server.hears("ZeroDivisionError")
    saved.replace(demo)

    server.hears("detected changes")
    server.hears(SERVING)


def test_a_file_that_blocks_is_mended_or_stopped(
    folder: Path, start: Start, browser: httpx.Client
) -> None:
    demo = folder / "my_demo.py"
    blocking = f"{AN_APP}\nprint('It blocks', flush=True)\nimport time\ntime.sleep(1000)\n"
    demo.write_text(blocking)
    server = start(*RELOADING)
    server.hears("It blocks")
    server.hears(r"my_demo\.py still runs and has launched nothing", within=30)

    demo.write_text(AN_APP)
    base = server.hears(SERVING)[1]
    assert browser.get(f"{base}/healthz").status_code == 200

    demo.write_text(blocking)
    server.hears("It blocks")
    assert server.stops(within=15) < 12


def test_ctrl_c_ends_a_file_that_blocks(folder: Path, start: Start) -> None:
    (folder / "my_demo.py").write_text("print('It blocks', flush=True)\nwhile True: pass\n")
    server = start(*RELOADING)
    server.hears("It blocks")

    os.killpg(server.popen.pid, signal.SIGINT)

    server.popen.wait(15)


def test_a_worker_that_does_not_end_is_killed(folder: Path, start: Start) -> None:
    demo = folder / "my_demo.py"
    demo.write_text(
        f"{AN_APP}\nimport os, signal\nprint('It stops', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    server = start(*RELOADING)
    server.hears("It stops")

    demo.write_text(AN_APP)

    server.hears("a worker has not ended, and is killed", within=60)
    server.hears(SERVING)
