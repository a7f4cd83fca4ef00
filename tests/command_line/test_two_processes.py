"""Several processes that serve one SQLite database are noticed; the command line beside a running service is not one."""

import signal
import socket
from collections.abc import Callable
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


def test_a_second_service_is_warned_of_until_the_first_has_ended(
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


def test_prod_refuses_a_second_service_in_one_line(start: Start, gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    first = start("entrypoints", "--port", "0", **PROD)
    first.hears(r"Serving at")

    second = start("entrypoints", "--port", "0", **PROD)
    second.hears(r"Another process serves the SQLite database .*gradioapp\.sqlite3 already")

    assert second.popen.wait(timeout=30) == 2
    assert "Traceback" not in second.says()
    assert first.popen.poll() is None


def test_workers_of_uvicorn_are_warned_of_in_dev(start: Start) -> None:
    server = start(*UVICORN, "--workers", "2", "--port", free_port())

    server.hears(WARNING)

    assert server.popen.poll() is None


def test_workers_of_uvicorn_do_not_start_in_prod(start: Start, gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")
    server = start(*UVICORN, "--workers", "2", "--port", free_port(), **PROD)

    server.hears("Another process serves the SQLite database")

    assert server.popen.wait(timeout=60) is not None
