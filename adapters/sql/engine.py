"""Database engines: the dialect of a URL, timeouts, and the start of SQLite transactions."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from adapters.sql import one_trip

WAIT: Final = 5.0
"""Seconds that a writer waits for the writers before it, and a SQLite file for another process."""
CONNECT: Final = 3.0
"""Timeout in seconds for a new connection of a migration."""

WRITING: Final = "gradioapp_writing"
"""The execution option of a transaction that writes."""

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The connections of one process. Times are in seconds."""

    size: int = 10
    """Connections kept, and the largest number of concurrent writers: readers can always use the overflow."""
    overflow: int = 5
    connect: float = 3.0
    """Timeout for a new connection, and for a free one in the pool."""
    statement: float = 5.0
    """Timeout for one statement on PostgreSQL."""


def parsed_url(text: str | URL) -> URL:
    """Return the URL with its driver. Raises ValueError for a text that is no URL, for another database, and for SQLite
    without a file."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # Their messages may contain a part of the password.
        raise ValueError(
            "It is no URL such as postgresql://user:password@host/name. Write @ in a password as %40, : as %3A and / as %2F."
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(
            f"A database URL must start with sqlite:// or postgresql://, not {url.drivername}://."
        )
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise ValueError("A SQLite URL must name a file, as in sqlite:///data/gradioapp.db.")
    if driver.startswith("postgresql") and "sslmode" in url.query:
        # libpq calls it sslmode, asyncpg ssl; the URLs of hosted databases use libpq's name.
        url = url.update_query_dict({"ssl": url.query["sslmode"]})
        url = url.difference_update_query(["sslmode"])
    return url.set(drivername=driver)


def file_of(url: str | URL) -> Path | None:
    """Return the path of a SQLite database with links resolved, so that two names of one file are equal; None for
    PostgreSQL."""
    path = path_of(parsed_url(url))
    return None if path is None else path.resolve()


def path_of(url: URL) -> Path | None:
    """Return the path of a parsed SQLite URL as SQLite opens it; None for PostgreSQL."""
    return Path(str(url.database).removeprefix("file:")) if _is_sqlite(url) else None


def name_of(url: str | URL) -> str:
    """Return the database's name for people: without user, password and options. A password with an unescaped @ is
    parsed as a part of the host."""
    parsed = parsed_url(url)
    if (path := path_of(parsed)) is not None:
        return str(path.resolve())
    hosts = parsed.query.get("host", ())
    host = parsed.host or ",".join([hosts] if isinstance(hosts, str) else hosts)
    host = f"[{host}]" if ":" in host else host
    port = f":{parsed.port}" if parsed.port else ""
    place = f"{host}{port}/{parsed.database or ''}".rpartition("@")[2]
    return f"postgresql://{place}"


def make_engine(url: str | URL, pool: Pool | None = None) -> AsyncEngine:
    """Make the engine for serving, with short timeouts. Dispose of it at the end."""
    parsed, pool = parsed_url(url), pool or Pool()
    options: dict[str, Any] = {
        "pool_size": pool.size,
        "max_overflow": pool.overflow,
        "pool_timeout": pool.connect,
    }
    if _is_sqlite(parsed):
        return _sqlite(parsed, foreign_keys=True, **options)
    return create_async_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={"timeout": pool.connect, "command_timeout": pool.statement},
        **options,
    )


def make_migrating_engine(url: str | URL) -> AsyncEngine:
    """Make the engine for changing the schema, without a timeout for statements. On SQLite, foreign keys are off,
    because a batch migration drops the table that it replaces and would cascade to all rows that reference it. Every
    transaction writes."""
    parsed = parsed_url(url)
    if _is_sqlite(parsed):
        engine = _sqlite(parsed, foreign_keys=False, poolclass=NullPool)
        return engine.execution_options(**{WRITING: True})
    return create_async_engine(parsed, poolclass=NullPool, connect_args={"timeout": CONNECT})


def make_copying_engine(url: str | URL) -> AsyncEngine:
    """Make the engine for one side of a copy, without a timeout for statements. A SQLite file must exist, and keeps its
    journal mode; every transaction keeps other writers from it."""
    parsed = parsed_url(url)
    if _is_sqlite(parsed):
        engine = _sqlite(parsed, foreign_keys=True, prepares_file=False, poolclass=NullPool)
        return engine.execution_options(**{WRITING: True})
    return create_async_engine(parsed, poolclass=NullPool, connect_args={"timeout": CONNECT})


def _is_sqlite(url: URL) -> bool:
    return url.drivername.startswith("sqlite")


def _sqlite(
    url: URL, *, foreign_keys: bool, prepares_file: bool = True, **options: Any
) -> AsyncEngine:
    arguments = {"timeout": WAIT, "async_creator_fn": one_trip.connect}
    engine = create_async_engine(url, connect_args=arguments, **options)

    @event.listens_for(engine.sync_engine, "do_connect")
    def make_private(*_: object) -> None:
        # SQLite would create the file with the mode that the umask gives; the files beside it get the mode of the file. Do
        # not open an existing file: closing it would release the locks of all connections of this process to it.
        if not prepares_file:
            return
        with suppress(OSError):  # The file exists, or SQLite will report the error.
            os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: begin() below does it.
        connection.isolation_level = None
        cursor = connection.cursor()
        if prepares_file:
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction from a plain BEGIN fails if it reads first and writes after another writer. Readers need no BEGIN.
        if connection.get_execution_options().get(WRITING, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
