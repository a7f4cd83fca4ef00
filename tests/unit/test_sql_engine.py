"""Which database a URL means, and what is said when it does not answer."""

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from adapters.sql import engine as engines
from adapters.sql import schema
from adapters.sql.engine import make_engine, parsed_url
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.errors import StoreUnavailable
from domain.model.user import canonical_email
from tests.servers import FreshDatabase

NOBODY = canonical_email("nobody@example.org")


async def have_ended(threads: set[threading.Thread]) -> None:
    """aiosqlite does not wait for its thread when it cannot open the file; the loop must not close before."""
    for thread in threads:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


def test_plain_urls_are_understood(subtests: pytest.Subtests) -> None:
    for text, meant in [
        ("sqlite:///data/app.db", "sqlite+aiosqlite:///data/app.db"),
        ("sqlite+aiosqlite:////data/app.db", "sqlite+aiosqlite:////data/app.db"),
        ("postgres://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
    ]:
        with subtests.test(text=text, meant=meant):
            assert parsed_url(text).render_as_string(hide_password=False) == meant


@pytest.mark.parametrize("text", ["mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_and_sqlite_without_a_file_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        parsed_url(text)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:nothing@127.0.0.1:9/nowhere",
        "postgresql://nobody@/nowhere?host=/nowhere/at/all",
        "sqlite:////nowhere/at/all/test.db",
    ],
)
async def test_a_database_that_is_not_there_is_store_unavailable(url: str) -> None:
    before = set(threading.enumerate())
    engine = make_engine(url)
    units, store = SqlUnitsOfWork(engine), SqlStore(engine)

    with pytest.raises(StoreUnavailable):
        async with units.reading():
            pass
    with pytest.raises(StoreUnavailable):
        async with units.writing():
            pass
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        await store.pending_migrations()
    await engine.dispose()
    await have_ended(set(threading.enumerate()) - before)


async def test_a_table_that_is_missing_is_our_fault_and_stays_loud(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")

    with pytest.raises(OperationalError, match="no such table"):
        async with SqlUnitsOfWork(engine).reading() as work:
            await work.users.find_by_email(NOBODY)
    await engine.dispose()


async def test_a_file_that_another_process_keeps_locked_is_store_unavailable_to_writers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "test.db"
    monkeypatch.setattr(engines, "WAIT", 0.01)
    engine = make_engine(f"sqlite:///{file}")
    await schema.upgrade(engine)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        async with SqlUnitsOfWork(engine).writing():
            pass
    async with SqlUnitsOfWork(engine).reading() as work:
        assert await work.users.find_by_email(NOBODY) is None

    other.close()
    async with SqlUnitsOfWork(engine).writing() as work:
        await work.commit()
    await engine.dispose()


@pytest.mark.server
async def test_a_connection_that_breaks_is_store_unavailable_and_the_next_one_works(
    fresh_postgres: FreshDatabase,
) -> None:
    engine = make_engine(fresh_postgres())
    await schema.upgrade(engine)
    units = SqlUnitsOfWork(engine)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    async def read_on_a_broken_connection() -> None:
        async with units.writing() as work:
            await work.users.find_by_email(NOBODY)
            async with engine.connect() as other:
                await other.exec_driver_sql(kill)
            await work.users.find_by_email(NOBODY)

    with pytest.raises(StoreUnavailable):
        await read_on_a_broken_connection()
    async with units.reading() as work:
        found = await work.users.find_by_email(NOBODY)

    assert found is None
    await engine.dispose()


@pytest.mark.server
async def test_a_wait_for_a_lock_ends_as_store_unavailable(
    fresh_postgres: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "WAIT", 0.05)
    engine = make_engine(fresh_postgres())
    await schema.upgrade(engine)
    units = SqlUnitsOfWork(engine)

    async with units.writing() as first:
        await first.users.acting_admins(locked=True)
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(5), units.writing() as second:
                await second.users.acting_admins(locked=True)

    async with units.writing() as third:
        assert await third.users.acting_admins(locked=True) == 0
    await engine.dispose()


async def test_another_process_that_leaves_takes_nothing_from_open_connections(
    tmp_path: Path,
) -> None:
    file = tmp_path / "test.db"
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "db.execute(\"INSERT INTO words VALUES ('hello')\"); db.commit(); db.close()"
    )
    engine = make_engine(f"sqlite:///{file}")
    try:
        async with engine.connect() as first:
            await first.exec_driver_sql("CREATE TABLE words (word TEXT)")
            await first.commit()
            async with engine.connect():  # Making it must not cost the first its locks.
                other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(file))
                assert await other.wait() == 0
            is_there = (tmp_path / "test.db-wal").exists()
            words = (await first.exec_driver_sql("SELECT word FROM words")).scalars().all()
    finally:
        await engine.dispose()

    # Without locks the other is the last one for SQLite, and removes the log that the first still reads.
    assert is_there
    assert words == ["hello"]
