"""An event of an app neither ends a real service for other people, nor keeps it from ending."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.processes import Process

pytestmark = pytest.mark.server

Start = Callable[..., Process]

SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
AN_APP: Final = """
import asyncio, os, signal, sys
import gradio as gr

def works(text): return "still here"

async def waits(text):
    async def load(): sys.exit("no API key")
    await asyncio.wait_for(load(), 5)

async def interrupts(text):
    async def load(): raise KeyboardInterrupt
    await asyncio.gather(load())

async def later(text):
    asyncio.get_running_loop().call_later(0.1, sys.exit, 8)
    return "done"

async def stops(text):
    asyncio.get_running_loop().stop()
    return "done"

async def handles(text): signal.signal(signal.SIGTERM, lambda *_: print("taken", flush=True))
async def handles_in_loop(text): asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print, "taken")
async def removes(text): return asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
async def wakes(text): signal.set_wakeup_fd(-1)
async def alarms(text):
    signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
    signal.alarm(1)
async def only_alarms(text):
    signal.alarm(1)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    await asyncio.sleep(1.2)
    return "done"
def only_alarms_in_a_thread(text):
    signal.alarm(1)
    return "done"
async def forks(text):
    if (child := os.fork()) == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os._exit(7)
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

with gr.Blocks(title="Mine") as demo:
    text = gr.Textbox()
    for fn in (works, waits, interrupts, later, stops, handles, handles_in_loop, removes, wakes, alarms,
               only_alarms, only_alarms_in_a_thread, forks):
        gr.Button().click(fn, text, text, api_name=fn.__name__)
demo.launch()
"""


class Person:
    def __init__(self, http: httpx.Client, email: str) -> None:
        self.http = http
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.http.get("/login").text)
        assert token is not None
        fields = {"username": email, "password": "secret", "csrf_token": token[1], "next": "/"}
        assert self.http.post("/login", data=fields).status_code == 303
        events = self.http.get("/gradio/mine/config").json()["dependencies"]
        self.numbers = {event["api_name"]: event["id"] for event in events}

    def runs(self, name: str) -> dict[str, Any]:
        """Return the last message of the event."""
        api, tab = "/gradio/mine/gradio_api/queue", f"{name}{time.monotonic_ns()}"
        body = {"data": ["a"], "fn_index": self.numbers[name], "session_hash": tab}
        self.http.post(f"{api}/join", json=body).raise_for_status()
        with self.http.stream("GET", f"{api}/data", params={"session_hash": tab}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    message: dict[str, Any] = json.loads(line[5:])
                    if message["msg"] == "process_completed":
                        return message
        pytest.fail(f"{name} did not end")

    def gets(self, name: str) -> Any:
        message = self.runs(name)
        assert message["success"], message
        return message["output"]["data"][0]


@pytest.fixture
def server(folder: Path, start: Start) -> Process:
    (folder / "my_demo.py").write_text(AN_APP)
    return start(
        "entrypoints", "serve", "--port", "0", "--app", "my_demo.py", "--sample-users",
        LOG_FORMAT="console",
    )  # fmt: skip


FAILING: Final = (
    "waits", "interrupts", "handles", "handles_in_loop", "removes", "wakes", "alarms",
)  # fmt: skip
PASSING: Final = ("later", "stops", "only_alarms", "only_alarms_in_a_thread")


@pytest.fixture
def browser() -> Iterator[Callable[[str], httpx.Client]]:
    with ExitStack() as opened:

        def at(base: str) -> httpx.Client:
            client = httpx.Client(base_url=base, headers={"origin": base}, timeout=30)
            return opened.enter_context(client)

        yield at


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_event_ends_the_service_or_keeps_it_from_ending(
    number: int, server: Process, browser: Callable[[str], httpx.Client]
) -> None:
    base = server.hears(SERVING)[1]
    john, jane = (Person(browser(base), email) for email in ("john@test.com", "jane@test.com"))

    for name in FAILING:
        assert not john.runs(name)["success"], name
    for name in PASSING:
        assert john.gets(name) == "done"
    assert john.gets("forks") == "7"
    time.sleep(1.2)  # The alarms would have gone off.

    assert jane.gets("works") == "still here"
    server.popen.send_signal(number)
    try:
        server.popen.wait(15)
    except subprocess.TimeoutExpired:
        pytest.fail(server.says())
    said = server.says()
    assert "signal.alarm() does nothing" in said
    assert "\ntaken" not in said
    assert "no API key" in said
