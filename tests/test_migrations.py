"""The schema is upgraded and downgraded, matches the rows, and survives concurrent migrations. The
tests are plain functions, because Alembic runs its own loop."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
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
from adapters.sql.engine import WRITING, make_engine, name_of
from adapters.sql.ownership import NotOurDatabase
from adapters.sql.rows import UtcDateTime
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.model.file import FileClaim, file_key
from tests.builders import NOON, a_session, a_user
from tests.servers import FreshDatabase

Answer = TypeVar("Answer")

ROOT = Path(__file__).parents[1]

OLD_USERS = table(
    "users",
    *(column(name) for name in ("email", "name", "search", "is_active")),
    column("id", Uuid()),
    column("created_at", UtcDateTime()),
    column("updated_at", UtcDateTime()),
)
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


def makes(*names: str) -> Callable[[AsyncEngine], Awaitable[None]]:
    """Return a step that makes tables with one column."""

    async def make(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            for name in names:
                await connection.execute(text(f"CREATE TABLE {name} (id INTEGER)"))

    return make


def at(revision: str) -> Callable[[AsyncEngine], Awaitable[None]]:
    """Return a step that writes a revision as Alembic does."""

    async def write(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))")
            )
            await connection.execute(text("DELETE FROM alembic_version"))
            await connection.execute(
                text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision}
            )

    return write


async def back_to_nothing(engine: AsyncEngine) -> None:
    await schema.downgrade(engine, "base")


def test_an_upgrade_after_a_downgrade_makes_the_same_tables(url: str) -> None:
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
            "attempts",
            "event_times",
            "files",
            "homes",
            "identities",
            "known_devices",
            "provider_tokens",
            "replicas",
            "session_data",
            "sessions",
            "spent_logout_tokens",
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

    assert before == [
        ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
    ]
    assert nowhere == [None]
    assert on(url, schema.pending) == [()]
    assert on(url, schema.current) == ["0011"]


def test_a_store_newer_than_the_code_has_nothing_pending(url: str) -> None:
    async def migrated_by_a_newer_release(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    on(url, schema.upgrade, migrated_by_a_newer_release)

    assert on(url, schema.pending) == [()]


def test_an_upgrade_that_fails_half_way_leaves_no_tables(url: str) -> None:
    async def to_the_second(engine: AsyncEngine) -> None:
        await schema.upgrade(engine, "0002")

    on(url, to_the_second, makes("token_data"))
    before = on(url, tables)

    with pytest.raises(Exception, match="token_data"):
        on(url, schema.upgrade)

    assert on(url, tables) == before
    assert on(url, schema.current) == ["0002"]


def test_replacing_a_table_keeps_the_rows_that_refer_to_it(url: str) -> None:
    """On SQLite a batch migration drops the old table; with foreign keys on, this would delete the
    rows that refer to it."""

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


def test_files_of_an_earlier_release_keep_their_owners_and_have_an_unknown_size(url: str) -> None:
    ada = a_user()

    async def before(engine: AsyncEngine) -> None:
        await schema.upgrade(engine, "0003")

    async def fill(engine: AsyncEngine) -> None:
        user = {
            "id": ada.id,
            "email": ada.email,
            "name": ada.name,
            "search": ada.email,
            "is_active": True,
            "created_at": NOON,
            "updated_at": NOON,
        }
        async with engine.execution_options(**{WRITING: True}).begin() as connection:
            await connection.execute(insert(OLD_USERS).values(user))
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
def test_several_processes_that_migrate_at_once_all_succeed(url: str) -> None:
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

    assert results == [("0011\n", "")] * 3
    assert on(url, schema.pending) == [()]


async def to_the_first(engine: AsyncEngine) -> None:
    await schema.upgrade(engine, "0001")


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([makes("orders", "items")], "it has the tables items, orders, and no revision of ours"),
        ([makes("a", "b", "c", "d", "e")], "the tables a, b, c and 2 more"),
        ([makes("users", "sessions")], "the tables sessions, users"),
        ([makes("orders"), at("8f3c2d9e1a4b")], "revision 8f3c2d9e1a4b, so it belongs to another"),
        ([makes("orders"), at("0001")], "the tables orders, and no revision of ours"),
        ([at("8f3c2d9e1a4b")], "revision 8f3c2d9e1a4b"),
        ([schema.upgrade, at("9999")], "revision 9999, so it belongs to a newer release"),
        ([schema.upgrade, back_to_nothing, makes("orders")], "the tables orders"),
    ],
)
def test_a_database_that_is_not_ours_is_refused(
    url: str, steps: Sequence[Callable[[AsyncEngine], Awaitable[None]]], says: str
) -> None:
    on(url, *steps)
    before = on(url, tables)

    for step in (schema.must_be_ours, schema.upgrade, back_to_nothing):
        with pytest.raises(NotOurDatabase, match=says) as refused:
            on(url, step)
        assert name_of(url) in str(refused.value)

    assert on(url, tables) == before


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [to_the_first],
        [schema.upgrade],
        [schema.upgrade, makes("orders")],
        [schema.upgrade, back_to_nothing],
    ],
    ids=["empty", "older", "current", "with more tables", "downgraded"],
)
def test_an_empty_database_and_one_of_ours_are_accepted_and_migrated(
    url: str, steps: Sequence[Callable[[AsyncEngine], Awaitable[None]]]
) -> None:
    on(url, *steps)

    on(url, schema.must_be_ours, schema.upgrade)

    assert on(url, schema.current) == ["0011"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_no_byte_of_a_foreign_file_changes_and_no_file_is_made_beside_it(
    mode: str, tmp_path: Path
) -> None:
    file = tmp_path / "foreign.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE orders (id INTEGER)")
    before = file.read_bytes()

    for step in (schema.must_be_ours, schema.upgrade):
        with pytest.raises(NotOurDatabase, match="orders"):
            on(f"sqlite:///{file}", step)

    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_changes_that_a_crash_left_beside_the_file_count(tmp_path: Path) -> None:
    file, copy = tmp_path / "live.db", tmp_path / "crashed.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE orders (id INTEGER)")
        for suffix in ("", "-wal"):
            shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")

    with pytest.raises(NotOurDatabase, match="orders"):
        on(f"sqlite:///{copy}", schema.must_be_ours)


@pytest.mark.server
def test_tables_in_another_schema_and_of_extensions_do_not_count(
    fresh_postgres: FreshDatabase,
) -> None:
    async def beside(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE SCHEMA shop"))
            await connection.execute(text("CREATE TABLE shop.orders (id INTEGER)"))
            # As PostGIS has one.
            await connection.execute(text("CREATE TABLE spatial_ref_sys (srid INTEGER)"))
            await connection.execute(text("ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys"))

    url = fresh_postgres()
    on(url, beside)

    on(url, schema.must_be_ours)
