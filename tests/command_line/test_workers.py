"""A real service with several workers on one PostgreSQL: they share the address, and the supervisor replaces them."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final

import httpx
import pytest

from tests.command_line.conftest import Gradioapp
from tests.processes import Process, waits_until
from tests.replicas import KEY, Visitor
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

Start = Callable[..., Process]

APP: Final = """
import os
import time

import gradio as gr


def works(seconds):
    for each in range(int(seconds * 20)):
        yield f"step {each}"
        time.sleep(0.05)
    yield str(os.getpid())


with gr.Blocks(title="Kept") as demo:
    seconds, text = gr.Number(), gr.Textbox()
    gr.Button().click(works, seconds, text, api_name="works")
"""
PATH: Final = "/gradio/kept"
JANE: Final = "jane@test.com"
COMMAND: Final = ("entrypoints", "serve", "--port", "0", "--workers", "2", "--sample-users", "--app", "app.py")  # fmt: skip
POSTGRES: Final = {"DATABASE_URL": "postgresql://user@127.0.0.1:1/none"}


@dataclass(frozen=True, slots=True)
class Service:
    supervisor: Process
    origin: str
    app: Path

    def workers(self) -> set[int]:
        return workers_of(self.supervisor.popen.pid)

    def hangs_up(self) -> None:
        self.supervisor.popen.send_signal(signal.SIGHUP)


def workers_of(supervisor: int) -> set[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return {int(child) for child in children if "spawn_main" in command_of(int(child))}


def command_of(process: int) -> str:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""


def are_gone(processes: set[int]) -> bool:
    return not any(command_of(process) for process in processes)


def serve(folder: Path, database: str, **settings: Any) -> Service:
    app = folder / "app.py"
    app.write_text(APP)
    process = Process(*COMMAND, folder=folder, DATABASE_URL=database, SECRET_KEY=KEY, **settings)
    try:
        origin = process.hears(r"Serving at (http://127\.0\.0\.1:\d+)")[1]
    except BaseException:
        process.end()
        raise
    return Service(process, origin, app)


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[Service]:
    service = serve(tmp_path_factory.mktemp("workers"), fresh_postgres())
    yield service
    service.supervisor.end()


@pytest.fixture
def own(tmp_path: Path, fresh_postgres: FreshDatabase) -> Iterator[Service]:
    """A service that the test ends."""
    service = serve(tmp_path, fresh_postgres(), DRAIN_SECONDS="3")
    yield service
    service.supervisor.end()


def test_a_tab_works_whichever_worker_accepts_its_requests(two: Service) -> None:
    john = Visitor(two.origin, PATH)

    ran_by = {john.runs(two.origin, "works", 0) for _ in range(20)}

    assert len(two.workers()) == 2
    assert len(ran_by) == 1
    assert {int(each) for each in ran_by} < two.workers()
    assert "forwarded_to" in two.supervisor.says()


def test_the_address_and_the_sample_users_are_told_once(two: Service) -> None:
    said = two.supervisor.says()

    assert said.count("Serving at") == said.count("Sample users:") == said.count("/setup?") == 1


def test_a_worker_that_is_killed_is_started_again_and_the_service_goes_on(two: Service) -> None:
    john, before = Visitor(two.origin, PATH), two.workers()
    home = int(john.runs(two.origin, "works", 0))
    two.supervisor.says()

    os.kill(home, signal.SIGKILL)
    failed_last, ended = 0.0, time.monotonic()
    while time.monotonic() - ended < 8:
        asked = time.monotonic()
        try:
            john.runs(two.origin, "works", 0)
        except (httpx.HTTPError, AssertionError, pytest.fail.Exception):
            failed_last = asked - ended
    two.supervisor.hears("a worker serves")

    assert failed_last < 5
    assert len(two.workers() - before) == 1
    assert home not in two.workers()


def test_at_sighup_all_workers_are_replaced_and_no_event_fails(two: Service) -> None:
    before, is_over = two.workers(), Event()

    def runs_events(email: str) -> int:
        visitor, count = Visitor(two.origin, PATH, email), 0
        while not is_over.is_set():
            visitor.runs(two.origin, "works", 0.2)
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(runs_events, email) for email in ("john@test.com", JANE)]
        try:
            time.sleep(1)
            two.hangs_up()
            two.supervisor.hears("all workers are replaced", within=120)
            time.sleep(1)
        finally:
            is_over.set()
        counts = [each.result(timeout=30) for each in running]

    assert min(counts) > 5
    assert len(two.workers()) == 2
    assert not two.workers() & before


def test_workers_stay_if_the_new_one_cannot_serve(two: Service) -> None:
    before = two.workers()
    two.app.write_text("import gradio as gr\n\ndemo = gone\n")
    try:
        two.hangs_up()
        two.supervisor.hears("a new worker has ended at its start")
    finally:
        two.app.write_text(APP)

    assert two.workers() == before
    assert Visitor(two.origin, PATH).runs(two.origin, "works", 0)


def test_sigterm_lets_running_events_finish_and_ends_all(own: Service) -> None:
    john, workers = Visitor(own.origin, PATH), own.workers()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(john.runs, own.origin, "works", 1.5)
        time.sleep(0.7)
        took = own.supervisor.stops(within=20)
        assert int(running.result(timeout=10)) in workers

    assert took < 15
    assert own.supervisor.popen.returncode == -signal.SIGTERM
    assert are_gone(workers)
    assert "Traceback" not in own.supervisor.says()


def test_ctrl_c_ends_all_like_a_single_process(own: Service) -> None:
    workers = own.workers()

    own.supervisor.popen.send_signal(signal.SIGINT)
    said = own.supervisor.ends(within=20)

    assert own.supervisor.popen.returncode == 130
    assert are_gone(workers)
    assert "Traceback" not in said


def test_workers_end_if_their_supervisor_is_killed(own: Service) -> None:
    workers = own.workers()
    assert workers

    own.supervisor.popen.kill()

    waits_until(lambda: are_gone(workers), seconds=8)


@pytest.mark.parametrize(
    ("app", "code", "told"),
    [
        ("demo = gone\n", 2, "gone"),
        ("import os\n\nos._exit(3)\n", 1, "No worker stays: 3 have ended at their start"),
    ],
)
def test_a_service_whose_workers_cannot_start_ends_with_one_line(
    tmp_path: Path, fresh_postgres: FreshDatabase, app: str, code: int, told: str
) -> None:
    (tmp_path / "app.py").write_text(app)
    process = Process(*COMMAND, folder=tmp_path, DATABASE_URL=fresh_postgres(), SECRET_KEY=KEY)
    try:
        said = process.ends()
    finally:
        process.end()

    assert process.popen.returncode == code
    assert told in said.splitlines()[-1]
    assert "Serving at" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "SQLite serves one process. Set GRADIOAPP_DATABASE_URL=postgresql://"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "SQLite serves one process"),
        ({"ENVIRONMENT": "test"}, "all data is in the memory of one process"),
        ({**POSTGRES, "RELOAD": "true"}, "a reload restarts one worker"),
        (
            {**POSTGRES, "REPLICA_URL": "http://127.0.0.1:8090"},
            "Set the port of GRADIOAPP_REPLICA_URL=http://127.0.0.1:8090 to 0",
        ),
    ],
)
def test_what_cannot_have_several_workers_is_refused_in_one_line(
    gradioapp: Gradioapp, settings: dict[str, str], told: str
) -> None:
    served = gradioapp("serve --workers 2 --port 0", **settings)
    checked = gradioapp("check", WORKERS="2", **settings)

    assert (served.exit_code, checked.exit_code) == (2, 1)
    assert lines_with(told, served.stderr) == served.stderr.splitlines()
    assert len(lines_with(told, checked.stdout)) == 1


def lines_with(told: str, text: str) -> Sequence[str]:
    found = [line for line in text.splitlines() if told in line]
    assert found, text
    return found
