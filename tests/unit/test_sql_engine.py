"""Database URLs, and errors of databases that do not respond."""

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from adapters.sql import engine as engines
from adapters.sql import schema
from adapters.sql.engine import Pool, make_engine, parsed_url
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.errors import StoreUnavailable
from domain.model.load import Connections
from domain.model.user import canonical_email
from tests.servers import FreshDatabase

NOBODY = canonical_email("nobody@example.org")


async def have_ended(threads: set[threading.Thread]) -> None:
    """Wait for aiosqlite's threads: it does not wait for them itself if it cannot open the file, and the loop must not
    close before they end."""
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
async def test_a_missing_database_raises_store_unavailable(url: str) -> None:
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


async def test_a_missing_table_raises_the_original_error(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")

    with pytest.raises(OperationalError, match="no such table"):
        async with SqlUnitsOfWork(engine).reading() as work:
            await work.users.find_by_email(NOBODY)
    await engine.dispose()


async def test_a_file_locked_by_another_process_raises_store_unavailable_only_for_writers(
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
async def test_a_broken_connection_raises_store_unavailable_and_the_next_one_works(
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
async def test_a_lock_timeout_raises_store_unavailable(
    fresh_postgres: FreshDatabase,
) -> None:
    engine = make_engine(fresh_postgres(), Pool(statement=0.05))
    await schema.upgrade(engine)
    units = SqlUnitsOfWork(engine)

    async with units.writing() as first:
        await first.users.count_active_admins(locked=True)
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(5), units.writing() as second:
                await second.users.count_active_admins(locked=True)

    async with units.writing() as third:
        assert await third.users.count_active_admins(locked=True) == 0
    await engine.dispose()


async def test_the_end_of_another_process_does_not_affect_open_connections(
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
            # A new connection must not release the locks of the first.
            async with engine.connect():
                other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(file))
                assert await other.wait() == 0
            is_there = (tmp_path / "test.db-wal").exists()
            words = (await first.exec_driver_sql("SELECT word FROM words")).scalars().all()
    finally:
        await engine.dispose()

    # Without its locks, SQLite would take the other process for the last one and remove the log that the first still reads.
    assert is_there
    assert words == ["hello"]


@pytest.mark.server
async def test_a_pool_without_a_free_connection_raises_store_unavailable_in_time(
    fresh_postgres: FreshDatabase,
) -> None:
    engine = make_engine(fresh_postgres(), Pool(size=1, overflow=1, connect=0.1))
    await schema.upgrade(engine)
    units = SqlUnitsOfWork(engine)

    async with units.writing(), units.reading() as reader:
        # Writers leave the overflow to readers.
        assert await reader.users.find_by_email(NOBODY) is None
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(2), units.reading() as another:
                await another.users.find_by_email(NOBODY)

    async with units.reading() as work:
        assert await work.users.find_by_email(NOBODY) is None
    await engine.dispose()


async def test_the_store_counts_the_connections_in_use(tmp_path: Path) -> None:
    pool = Pool(size=3, overflow=1)
    engine = make_engine(f"sqlite:///{tmp_path}/app.db", pool)
    store = SqlStore(engine, pool)

    async with engine.connect(), engine.connect():
        during = store.connections()
    after = store.connections()
    await engine.dispose()

    assert during == Connections(in_use=2, size=4)
    assert after == Connections(in_use=0, size=4)
