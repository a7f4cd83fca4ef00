"""Several processes on one SQLite database are detected; the command line next to a running service does not count."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.command_line.conftest import Gradioapp
from tests.command_line.test_users import make
from tests.processes import Process

pytestmark = pytest.mark.server

Start = Callable[..., Process]

SERVING: Final = r"Serving at (http://127\.0\.0\.1:\d+)"
WARNING: Final = "another process serves the same SQLite database"
UVICORN: Final = ("uvicorn", "entrypoints.app:app_from_environment", "--factory")
PROD: Final = {
    "ENVIRONMENT": "prod",
    "SECRET_KEY": "kZ3v9-Qm7_Xw2b8Lr5Tn0Yp4Jd6Fh1Gs",
    "PUBLIC_URL": "https://app.example.com",
}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def test_a_second_service_is_warned_about_until_it_has_ended(
    start: Start, gradioapp: Gradioapp
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    alone = start("entrypoints", "--port", "0")
    alone.hears(SERVING)
    one = gradioapp("check")
    users = gradioapp("users list")

    second = start("entrypoints", "--port", "0")
    second.hears(WARNING)
    two = gradioapp("check")
    second.popen.send_signal(signal.SIGKILL)
    second.popen.wait(timeout=10)
    again = gradioapp("check")

    assert WARNING not in alone.says()
    assert WARNING not in users.output
    assert users.exit_code == 0
    assert (one.exit_code, two.exit_code, again.exit_code) == (0, 1, 0)
    assert "one process serves the SQLite file now" in one.stdout
    assert "2 processes serve" in two.stdout
    assert "one process serves the SQLite file now" in again.stdout


def test_a_service_starts_if_processes_cannot_be_counted(
    start: Start, gradioapp: Gradioapp, folder: Path
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    (file,) = folder.rglob("gradioapp.sqlite3")
    file.with_name(f"{file.name}-serving").mkdir()

    alone = start("entrypoints", "--port", "0")
    alone.hears(SERVING)
    checked = gradioapp("check")

    assert WARNING not in alone.says()
    assert checked.exit_code == 0
    assert "cannot show how many" in checked.stdout


def test_prod_refuses_a_second_service_in_one_line(start: Start, gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    first = start("entrypoints", "--port", "0", **PROD)
    first.hears(r"Serving at")

    second = start("entrypoints", "--port", "0", **PROD)
    second.hears(r"Another process already serves the SQLite database .*gradioapp\.sqlite3")
    users = gradioapp("users list", **PROD)

    assert second.popen.wait(timeout=30) == 2
    assert "Traceback" not in second.says()
    assert first.popen.poll() is None
    assert (users.exit_code, "ada@example.org" in users.stdout) == (0, True)


def test_workers_of_uvicorn_are_warned_about_in_dev(start: Start) -> None:
    server = start(*UVICORN, "--workers", "2", "--port", free_port())

    server.hears(WARNING)

    assert server.popen.poll() is None


def test_workers_of_uvicorn_do_not_start_in_prod(start: Start, gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    server = start(*UVICORN, "--workers", "2", "--port", free_port(), **PROD)

    server.hears("Another process already serves the SQLite database")

    server.hears("failed to start, stopping the parent process")
    assert server.popen.wait(timeout=60) == 0  # The parent of uvicorn's workers always ends with 0.
