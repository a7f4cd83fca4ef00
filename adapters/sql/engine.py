"""Connections: which dialect a URL means, how long to wait, and where a SQLite transaction begins."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from adapters.sql import one_trip

WAIT: Final = 5.0
"""Seconds for one statement, or for another process to let go of the SQLite file."""
CONNECT: Final = 3.0
"""Seconds for a new connection, or for a free one in the pool."""
POOL_SIZE: Final = 10
"""Connections kept; as many as write at once, so that the overflow is always left to readers."""
OVERFLOW: Final = 5

WRITING: Final = "gradioapp_writing"
"""The execution option that says a transaction is going to write."""

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


def parsed_url(text: str | URL) -> URL:
    """With the driver spelt out; raises ValueError for another database, and for SQLite without a file."""
    url = make_url(text)
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(
            f"A database URL starts with sqlite:// or postgresql://, not {url.drivername}://."
        )
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise ValueError("A SQLite URL names a file, as in sqlite:///data/gradioapp.db.")
    if driver.startswith("postgresql") and "sslmode" in url.query:
        # libpq's name for what asyncpg calls ssl; hosted databases hand out URLs with it.
        url = url.update_query_dict({"ssl": url.query["sslmode"]})
        url = url.difference_update_query(["sslmode"])
    return url.set(drivername=driver)


def file_of(url: str | URL) -> Path | None:
    """Of a SQLite database, with links resolved, so that two names of one file are the same; None for PostgreSQL."""
    parsed = parsed_url(url)
    return Path(str(parsed.database)).resolve() if _is_sqlite(parsed) else None


def make_engine(url: str | URL) -> AsyncEngine:
    """For serving: nothing waits long. Dispose of it at the end."""
    parsed = parsed_url(url)
    pool: dict[str, Any] = {
        "pool_size": POOL_SIZE,
        "max_overflow": OVERFLOW,
        "pool_timeout": CONNECT,
    }
    if _is_sqlite(parsed):
        return _sqlite(parsed, foreign_keys=True, **pool)
    return create_async_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT, "command_timeout": WAIT},
        **pool,
    )


def make_migrating_engine(url: str | URL) -> AsyncEngine:
    """For changing the schema: statements take as long as they take. On SQLite foreign keys are off, since a batch
    migration drops the table it replaces, and with it all rows that point there. Every transaction writes."""
    parsed = parsed_url(url)
    if _is_sqlite(parsed):
        engine = _sqlite(parsed, foreign_keys=False, poolclass=NullPool)
        return engine.execution_options(**{WRITING: True})
    return create_async_engine(parsed, poolclass=NullPool, connect_args={"timeout": CONNECT})


def _is_sqlite(url: URL) -> bool:
    return url.drivername.startswith("sqlite")


def _sqlite(url: URL, *, foreign_keys: bool, **options: Any) -> AsyncEngine:
    arguments = {"timeout": WAIT, "async_creator_fn": one_trip.connect}
    engine = create_async_engine(url, connect_args=arguments, **options)

    @event.listens_for(engine.sync_engine, "do_connect")
    def make_private(*_: object) -> None:
        # SQLite would make it as the umask says; what it puts beside it has the mode of the file. One that is there is not
        # opened: closing it would drop the locks of every connection that this process has to it.
        with suppress(OSError):  # It is there, or SQLite says why.
            os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver begins no transaction by itself: begin() below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A plain BEGIN reads first and fails when it then writes behind another writer; who only reads needs none.
        if connection.get_execution_options().get(WRITING, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
