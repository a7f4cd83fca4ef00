"""A backup that is made while the service runs is consistent, and the service goes on from it."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.command_line.conftest import Gradioapp
from tests.command_line.test_two_processes import SERVING
from tests.processes import Process
from tests.servers import session_of

pytestmark = pytest.mark.server

Start = Callable[..., Process]


def test_a_backup_while_writers_write_has_every_row_that_was_acknowledged_before(
    folder: Path, start: Start, gradioapp: Gradioapp
) -> None:
    process = start("gradioapp", "serve", "--port", "0", "--sample-users")
    origin = process.hears(SERVING)[1]
    data, stop = folder / "gradioapp-data", threading.Event()
    acknowledged: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        with closing(sqlite3.connect(data / "gradioapp.sqlite3", timeout=30)) as connection:
            number = 0
            # Without pauses, four writers of another process can keep the service from writing for its five seconds.
            while not stop.wait(0.005):
                with connection:
                    connection.executemany(
                        "INSERT INTO attempts VALUES (?, ?, 0)",
                        [(f"{writer} {number} {half}", number) for half in (0, 1)],
                    )
                acknowledged.append((writer, number))
                number += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        made = []
        for name in ("first", "second", "third"):
            session_of(origin, "john@test.com")
            before = set(acknowledged)
            result = gradioapp(f"backup {name}.tar")
            made.append((name, before, result))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    process.end()

    assert len(acknowledged) > 100
    for name, before, result in made:
        assert result.exit_code == 0, result.output
        shutil.rmtree(data)
        assert gradioapp(f"restore {name}.tar").exit_code == 0
        with closing(sqlite3.connect(data / "gradioapp.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = {key for (key,) in connection.execute("SELECT key FROM attempts")}
            sessions = connection.execute("SELECT count(*) FROM sessions").fetchone()
        kept = {f"{writer} {number} {half}" for writer, number in before for half in (0, 1)}
        written = {row for row in rows if isinstance(row, str)}
        assert kept <= written
        # Both rows of a transaction, or none.
        assert {row[:-1] for row in written if row.endswith("0")} == {
            row[:-1] for row in written if row.endswith("1")
        }
        assert sessions == (1 + ["first", "second", "third"].index(name),)


def test_a_session_goes_on_after_a_restore(
    folder: Path, start: Start, gradioapp: Gradioapp
) -> None:
    process = start("gradioapp", "serve", "--port", "0", "--sample-users")
    origin = process.hears(SERVING)[1]
    cookie = session_of(origin, "john@test.com")
    gradioapp("backup backup.tar.gz --with-key")
    process.end()
    shutil.rmtree(folder / "gradioapp-data")

    assert gradioapp("restore backup.tar.gz").exit_code == 0
    again = start("gradioapp", "serve", "--port", "0", "--sample-users").hears(SERVING)[1]

    found = httpx.get(f"{again}/api/v1/me", cookies={"gradioapp-session": cookie})
    assert found.status_code == 200
    assert found.json()["email"] == "john@test.com"
