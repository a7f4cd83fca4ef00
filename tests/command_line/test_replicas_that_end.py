"""An account whose replica stops, dies or stands still goes on at another one, and never waits longer than five seconds."""

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.replicas import Replica, Visitor, started
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

APP: Final = """
import time

import gradio as gr


def streams(seconds):
    for number in range(int(seconds * 10)):
        yield number
        time.sleep(0.1)
    yield "done"


with gr.Blocks(title="Kept") as demo:
    text, seconds = gr.Textbox(), gr.Number()
    gr.Button().click(lambda text: text, text, text, api_name="echo")
    gr.Button().click(streams, seconds, text, api_name="streams")
"""
PATH: Final = "/gradio/kept"
GONE: Final = 5
"""Seconds until the others notice that a replica has gone, and the longest that a request waits for it."""
BUSY: Final = 2
"""Seconds that this machine may add."""


@pytest.fixture
def two(tmp_path: Path, fresh_postgres: FreshDatabase) -> Iterator[Sequence[Replica]]:
    (tmp_path / "app.py").write_text(APP)
    with started(
        2,
        fresh_postgres(),
        tmp_path,
        *("--app", "app.py"),
        REPLICA_URL="http://127.0.0.1:0",
        DATA_DIR="data",
    ) as running:
        yield running


def runs_again(john: Visitor, origin: str) -> float:
    """Send one event after the other until one succeeds. Return after how many seconds that was."""
    since = time.monotonic()
    while time.monotonic() - since < 3 * GONE:
        begun = time.monotonic()
        try:
            john.runs(origin, "echo", "hello")
        except (httpx.HTTPStatusError, pytest.fail.Exception):
            pass
        else:
            return time.monotonic() - since
        finally:
            assert time.monotonic() - begun < GONE + BUSY
        time.sleep(0.05)
    pytest.fail("no event succeeds any more")


def test_an_account_goes_on_elsewhere_after_its_replica_was_killed(
    two: Sequence[Replica],
) -> None:
    home, other = two
    john = Visitor(home.origin, PATH)
    assert john.runs(home.origin, "echo", "hello") == "hello"
    with ThreadPoolExecutor(1) as pool:
        cut = pool.submit(john.runs, other.origin, "streams", 60)
        time.sleep(1)

        home.process.popen.kill()

        since = time.monotonic()
        # The client must not take half of a stream for its end.
        with pytest.raises(httpx.RemoteProtocolError):
            cut.result()
        assert time.monotonic() - since < GONE + BUSY
    assert runs_again(john, other.origin) < GONE + BUSY


def test_nobody_waits_for_a_replica_that_stands_still(two: Sequence[Replica]) -> None:
    home, other = two
    john = Visitor(home.origin, PATH)
    assert john.runs(home.origin, "echo", "hello") == "hello"
    with ThreadPoolExecutor(1) as pool:
        cut = pool.submit(john.runs, other.origin, "streams", 60)
        time.sleep(1)

        home.process.popen.send_signal(signal.SIGSTOP)

        since = time.monotonic()
        with pytest.raises(httpx.RemoteProtocolError):
            cut.result()
        assert time.monotonic() - since < GONE + BUSY
    assert runs_again(john, other.origin) < GONE + BUSY
    # The old home learns that it has lost the account, and sends its requests on.
    home.process.popen.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert john.runs(home.origin, "echo", "hello") == "hello"
    assert kept_at(john, other, "a-tab")
    assert kept_at(john, home, "a-tab")


def kept_at(john: Visitor, replica: Replica, tab: str) -> bool:
    """Run an event in a tab by way of this replica, and return whether the tab is known afterwards."""
    body: dict[str, Any] = {"data": ["hello"], "session_hash": tab}
    run = john.posts(replica.origin, f"{PATH}/gradio_api/run/echo", json=body)
    assert run.status_code == 200, run.text
    kept = john.get(replica.origin, f"{PATH}/gradio_api/heartbeat/{tab}/kept")
    return bool(kept.json()["kept"])


def test_a_replica_that_stops_finishes_its_events_and_gives_the_account_away(
    two: Sequence[Replica],
) -> None:
    home, other = two
    john, jane = Visitor(home.origin, PATH), Visitor(home.origin, PATH, "jane@test.com")
    for each in (john, jane):
        assert each.runs(home.origin, "echo", "hello") == "hello"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(john.runs, other.origin, "streams", 4)
        time.sleep(1)

        home.process.popen.terminate()

        # Jane has no event there, so that she goes on at once.
        assert runs_again(jane, other.origin) < GONE
        assert running.result() == "done"
    assert home.process.popen.wait(timeout=20) == -signal.SIGTERM
    assert "Traceback" not in home.process.says()
    assert runs_again(john, other.origin) < GONE
