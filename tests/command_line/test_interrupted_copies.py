"""A copy that is interrupted goes on with the next call, and nothing else uses its target until then."""

import asyncio
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from adapters.sql.copying import target as targets
from adapters.sql.copying.progress import TABLE
from adapters.sql.engine import make_engine
from adapters.sql.rows import Base
from tests.command_line.conftest import Gradioapp
from tests.databases import (
    a_session_row,
    a_user_row,
    an_id,
    content,
    fill,
    ordered,
    rows_of_every_kind,
    table_names,
)
from tests.processes import Process
from tests.servers import FreshDatabase

pytestmark = pytest.mark.server

Start = Callable[..., Process]
MANY = 10_000
ROWS = {
    **rows_of_every_kind(),
    "sessions": [
        *rows_of_every_kind()["sessions"],
        *(a_session_row(number) for number in range(1000, 1000 + MANY)),
    ],
}


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/target.db"
    fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
    return fresh()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("filled") / "source.db"
    fill(f"sqlite:///{file}", ROWS)
    return file


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> str:
    shutil.copy(filled, tmp_path)
    return f"sqlite:///{tmp_path}/source.db"


def ask(url: str, statement: Any) -> Any:
    async def run() -> Any:
        engine = make_engine(url)
        try:
            async with engine.connect() as connection:
                return await connection.scalar(statement)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def begun(target: str, start: Start, source: str) -> Process:
    """Start a copy, and return its process when it is in the middle of the sessions."""
    process = start("gradioapp", "db", "copy", "--from", source, "--to", target)
    process.hears("Copying sessions")
    until = time.monotonic() + 30
    while ask(target, select(TABLE.c.last_key).where(TABLE.c.name == "sessions")) is None:
        assert time.monotonic() < until, process.says()
    return process


def interrupted(target: str, start: Start, source: str, by: signal.Signals) -> str:
    """Copy until the middle of the sessions, send the signal, and return the output."""
    process = begun(target, start, source)
    process.popen.send_signal(by)
    said = process.ends(within=30)
    copied = len(content(target)["sessions"])
    assert 0 < copied < MANY
    return said


def test_a_copy_that_was_killed_goes_on_and_ends_with_the_same_rows(
    source: str, target: str, start: Start, gradioapp: Gradioapp
) -> None:
    interrupted(target, start, source, signal.SIGKILL)

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert "An earlier copy was interrupted; going on." in result.stdout
    assert "Copying users." not in result.stdout
    assert "Copying sessions." in result.stdout
    assert content(target) == ordered(ROWS)
    assert table_names(target) == {*Base.metadata.tables, "alembic_version"}


def test_ctrl_c_says_how_to_go_on(
    source: str, target: str, start: Start, gradioapp: Gradioapp
) -> None:
    said = interrupted(target, start, source, signal.SIGINT)

    assert said.splitlines()[-1] == "Stopped. Type the same command to go on where it stopped."
    assert gradioapp(f"db copy --from {source} --to {target}").exit_code == 0
    assert content(target) == ordered(ROWS)


def test_no_command_uses_the_target_of_an_unfinished_copy(
    source: str, target: str, start: Start, gradioapp: Gradioapp
) -> None:
    interrupted(target, start, source, signal.SIGKILL)

    for typed in ("users list", "db upgrade", f"db copy --from {target} --to x", "serve --port 0"):
        result = gradioapp(typed.replace(" x", f" {source}x"), DATABASE_URL=target)

        assert result.exit_code == 2
        assert "A copy into the database" in result.stderr
        assert "is not finished" in result.stderr


def test_a_begun_copy_of_another_source_is_refused_and_unchanged(
    source: str, target: str, start: Start, gradioapp: Gradioapp, tmp_path: Path
) -> None:
    interrupted(target, start, source, signal.SIGKILL)
    other = f"sqlite:///{tmp_path}/other.db"
    fill(other, {"users": [a_user_row(70)]})
    before = content(target)

    result = gradioapp(f"db copy --from {other} --to {target}")

    assert result.exit_code == 1
    assert f"has a begun copy of {tmp_path}/source.db" in result.stderr
    assert content(target) == before


def test_a_source_that_was_changed_after_the_interruption_is_copied_again(
    source: str, target: str, start: Start, gradioapp: Gradioapp, tmp_path: Path
) -> None:
    interrupted(target, start, source, signal.SIGKILL)
    with closing(sqlite3.connect(tmp_path / "source.db")) as connection, connection:
        connection.execute("UPDATE users SET name = 'Bob' WHERE id = ?", (an_id(1).hex,))
        connection.execute("DELETE FROM user_roles WHERE role = 'admin'")

    result = gradioapp(f"db copy --from {source} --to {target}")

    assert result.exit_code == 0, result.output
    assert "The source was changed since the interruption" in result.stdout
    assert content(target) == content(source)


def test_nobody_writes_to_a_sqlite_source_while_it_is_copied(
    source: str, target: str, start: Start, tmp_path: Path
) -> None:
    process = begun(target, start, source)

    with closing(sqlite3.connect(tmp_path / "source.db", timeout=0)) as connection:
        process.popen.send_signal(signal.SIGSTOP)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("DELETE FROM user_roles")
        process.popen.send_signal(signal.SIGCONT)
    process.ends()

    assert content(target) == ordered(ROWS)


def test_a_lost_connection_is_one_line_and_the_copy_goes_on(
    source: str, fresh_postgres: FreshDatabase, start: Start, gradioapp: Gradioapp
) -> None:
    target = fresh_postgres()
    process = begun(target, start, source)

    others = "pid <> pg_backend_pid() AND datname = current_database()"
    ask(target, text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    said = process.ends()

    assert process.popen.returncode == 1
    assert "Traceback" not in said
    assert "unavailable" in said.splitlines()[-1]
    assert said.splitlines()[-1].endswith("Type the same command to go on where it stopped.")
    assert gradioapp(f"db copy --from {source} --to {target}").exit_code == 0
    assert content(target) == ordered(ROWS)


def test_a_second_copy_of_one_source_is_refused(
    source: str, target: str, start: Start, gradioapp: Gradioapp
) -> None:
    process = begun(target, start, source)
    process.popen.send_signal(signal.SIGSTOP)

    result = gradioapp(f"db copy --from {source} --to {target}")
    process.popen.send_signal(signal.SIGCONT)
    process.ends()

    assert result.exit_code == 1
    assert "Another process serves or copies" in result.stderr
    assert content(target) == ordered(ROWS)


def test_two_sources_are_not_copied_into_one_target_at_once(
    source: str,
    fresh_postgres: FreshDatabase,
    start: Start,
    gradioapp: Gradioapp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, other = fresh_postgres(), f"sqlite:///{tmp_path}/other.db"
    fill(other, {"users": [a_user_row(70)]})
    process = begun(target, start, source)
    process.popen.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(targets, "_PATIENCE", 2)

    result = gradioapp(f"db copy --from {other} --to {target}")
    process.popen.send_signal(signal.SIGCONT)
    process.ends()

    assert result.exit_code == 1
    assert "Another copy into the same target is running" in result.stderr
    assert content(target) == ordered(ROWS)
