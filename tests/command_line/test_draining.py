"""A real service that gets SIGTERM lets running events finish, and says so to whoever asks meanwhile."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.processes import Process, waits_until
from tests.replicas import Visitor

pytestmark = pytest.mark.server

Start = Callable[..., Process]

APP: Final = """
import time

import gradio as gr


def works(seconds):
    for each in range(int(seconds * 10)):
        yield f"step {each}"
        time.sleep(0.1)
    yield "done"


def directly(seconds):
    time.sleep(seconds)
    return "done"


with gr.Blocks(title="Shared") as demo:
    seconds, text = gr.Number(), gr.Textbox()
    gr.Button().click(works, seconds, text, api_name="works")
    gr.Button().click(directly, seconds, text, api_name="directly", queue=False)
"""
PATH: Final = "/gradio/shared"


@pytest.fixture
def serve(folder: Path, start: Start) -> Callable[..., tuple[Process, str]]:
    (folder / "app.py").write_text(APP)

    def one(**settings: str) -> tuple[Process, str]:
        command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "app.py")
        process = start(*command, **settings)
        return process, process.hears(r"Serving at (http://127\.0\.0\.1:\d+)").group(1)

    return one


def test_a_running_event_finishes_and_no_other_begins(
    serve: Callable[..., tuple[Process, str]],
) -> None:
    process, here = serve(DRAIN_SECONDS="30")
    john, jane = Visitor(here, PATH), Visitor(here, PATH, "jane@test.com")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(john.runs, here, "works", 4)
        time.sleep(1)
        process.popen.send_signal(signal.SIGTERM)
        waits_until(lambda: httpx.get(f"{here}/readyz").status_code == 503)
        ready = httpx.get(f"{here}/readyz").json()
        with pytest.raises(httpx.HTTPStatusError) as refused:
            jane.runs(here, "works", 1)
        page = jane.get(here, f"{PATH}/")
        result = running.result(timeout=30)

    assert result == "done"
    assert ready["status"] == "stopping"
    assert refused.value.response.status_code == 503
    assert "about to restart" in refused.value.response.text
    assert page.status_code == 200
    assert process.popen.wait(15) == -signal.SIGTERM
    assert "Traceback" not in process.says()


def test_an_event_without_the_queue_finishes_too(
    serve: Callable[..., tuple[Process, str]],
) -> None:
    process, here = serve(DRAIN_SECONDS="30")
    john = Visitor(here, PATH)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            john.posts, here, f"{PATH}/gradio_api/run/directly", json={"data": [3]}
        )
        time.sleep(1)
        process.popen.send_signal(signal.SIGTERM)
        answer = running.result(timeout=30)

    assert answer.json()["data"] == ["done"]
    assert process.popen.wait(15) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("seconds", "number"), [("1", signal.SIGTERM), ("0", signal.SIGTERM), ("60", signal.SIGINT)]
)
def test_a_longer_event_is_cut_when_its_time_is_over(
    serve: Callable[..., tuple[Process, str]], seconds: str, number: signal.Signals
) -> None:
    process, here = serve(DRAIN_SECONDS=seconds)
    john = Visitor(here, PATH)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(john.runs, here, "works", 60)
        time.sleep(1)
        since = time.monotonic()
        process.popen.send_signal(number)
        process.popen.wait(30)
        took = time.monotonic() - since
        with pytest.raises((AssertionError, httpx.HTTPError, pytest.fail.Exception)):
            running.result(timeout=30)

    assert took < 14
    assert "Traceback" not in process.says()
