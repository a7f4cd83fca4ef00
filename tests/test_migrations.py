"""The schema comes up, goes down, agrees with the rows, and survives two who migrate at once. Plain functions: Alembic
runs a loop of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Connection,
    LargeBinary,
    String,
    Uuid,
    column,
    insert,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import schema
from adapters.sql.engine import WRITING, make_engine
from adapters.sql.rows import UtcDateTime
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.model.file import FileClaim, file_key
from tests.builders import NOON, a_session, a_user
from tests.servers import FreshDatabase

Answer = TypeVar("Answer")

ROOT = Path(__file__).parents[1]

OLD_FILES = table(
    "files",
    column("user_id", Uuid()),
    column("key", LargeBinary()),
    column("claimed_at", UtcDateTime()),
)

UPGRADE = """
import asyncio, sys
from adapters.sql import schema
from adapters.sql.engine import make_engine
async def main():
    engine = make_engine(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await schema.upgrade(engine)
    print(await schema.current(engine))
    await engine.dispose()
asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
    return fresh()


def on(url: str, *steps: Callable[[AsyncEngine], Awaitable[Answer]]) -> list[Answer]:
    async def run() -> list[Answer]:
        engine = make_engine(url)
        try:
            return [await step(engine) for step in steps]
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def tables(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return sorted(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def back_to_nothing(engine: AsyncEngine) -> None:
    await schema.downgrade(engine, "base")


def test_up_down_up_leaves_the_same_tables(url: str) -> None:
    on(url, schema.upgrade)
    after_up = on(url, tables)

    on(url, back_to_nothing)
    after_down = on(url, tables)
    on(url, schema.upgrade)

    assert after_up == [
        [
            "access_tokens",
            "account_state",
            "alembic_version",
            "files",
            "session_data",
            "sessions",
            "token_data",
            "user_roles",
            "users",
        ]
    ]
    assert after_down == [["alembic_version"]]
    assert on(url, tables) == after_up


def test_migrations_and_rows_do_not_differ(url: str) -> None:
    on(url, schema.upgrade)

    assert on(url, schema.check) == [()]


def test_a_difference_is_named(url: str) -> None:
    async def forget_a_column(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE session_data DROP COLUMN version"))

    on(url, schema.upgrade, forget_a_column)

    [differences] = on(url, schema.check)

    assert len(differences) == 1
    assert "version" in differences[0]


def test_pending_names_the_revisions_before_an_upgrade_and_none_after(url: str) -> None:
    before = on(url, schema.pending)
    nowhere = on(url, schema.current)
    on(url, schema.upgrade)

    assert before == [("0001", "0002", "0003", "0004")]
    assert nowhere == [None]
    assert on(url, schema.pending) == [()]
    assert on(url, schema.current) == ["0004"]


def test_a_store_newer_than_the_code_has_nothing_pending(url: str) -> None:
    async def migrated_by_a_newer_release(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    on(url, schema.upgrade, migrated_by_a_newer_release)

    assert on(url, schema.pending) == [()]


def test_an_upgrade_that_fails_half_way_leaves_nothing(url: str) -> None:
    async def in_the_way(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE session_data (id INTEGER)"))

    on(url, in_the_way)

    with pytest.raises(Exception, match="session_data"):
        on(url, schema.upgrade)

    assert on(url, tables) == [["session_data"]]


def test_a_table_that_is_replaced_takes_no_rows_along_that_point_to_it(url: str) -> None:
    """On SQLite a batch migration drops the old table, and with foreign keys on all that hangs on it."""

    async def fill(engine: AsyncEngine) -> None:
        ada = a_user()
        async with SqlUnitsOfWork(engine).writing() as work:
            await work.users.add(ada)
            await work.sessions.add(a_session(of=ada))
            await work.commit()

    def replace_users(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("users") as batch:
            batch.alter_column("name", type_=String(300))

    async def replace(engine: AsyncEngine) -> None:
        async with schema.migrating(engine.url) as connection:
            await connection.run_sync(replace_users)

    async def sessions(engine: AsyncEngine) -> int:
        async with SqlUnitsOfWork(engine).reading() as work:
            return len(await work.sessions.page(limit=10))

    on(url, schema.upgrade, fill, replace)

    assert on(url, sessions) == [1]


def test_files_of_an_earlier_release_stay_their_owners_with_a_size_to_be_found(url: str) -> None:
    ada = a_user()

    async def before(engine: AsyncEngine) -> None:
        await schema.upgrade(engine, "0003")

    async def fill(engine: AsyncEngine) -> None:
        async with SqlUnitsOfWork(engine).writing() as work:
            await work.users.add(ada)
            await work.commit()
        row = {"user_id": ada.id, "key": file_key("a/a.txt"), "claimed_at": NOON}
        async with engine.execution_options(**{WRITING: True}).begin() as connection:
            await connection.execute(insert(OLD_FILES).values(row))

    async def claims(engine: AsyncEngine) -> Sequence[FileClaim]:
        async with SqlUnitsOfWork(engine).reading() as work:
            return await work.files.owned(ada.id, [file_key("a/a.txt")])

    async def back(engine: AsyncEngine) -> None:
        await schema.downgrade(engine, "0003")

    async def rows(engine: AsyncEngine) -> int:
        async with engine.connect() as connection:
            return len((await connection.execute(select(OLD_FILES))).all())

    on(url, before, fill, schema.upgrade)
    [[claim]] = on(url, claims)
    on(url, back)

    assert (claim.size, claim.used_at) == (None, NOON)
    assert on(url, rows) == [1]


@pytest.mark.server
def test_two_processes_that_migrate_at_once_both_succeed(url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [process.communicate(timeout=30) for process in processes]

    assert results == [("0004\n", "")] * 3
    assert on(url, schema.pending) == [()]
