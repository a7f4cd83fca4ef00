"""SQLite statements that need one round trip to their connection's thread.

aiosqlite makes four round trips: for the cursor, the statement, its rows and closing the cursor. Each of them costs
more than SQLite itself.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite


def connect(database: str, **options: Any) -> "OneTripConnection":
    """Connect like `aiosqlite.connect`, with a daemon thread, which does not keep the process from ending."""

    def connector() -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(database, **options)
        return connection

    connection = OneTripConnection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 -- SQLAlchemy does the same to aiosqlite's connections.
    return connection


class OneTripConnection(aiosqlite.Connection):
    def cursor(self) -> Any:
        return OneTripCursor(self)

    async def rollback(self) -> None:
        """Do nothing if no transaction has begun."""
        if self._conn.in_transaction:
            await super().rollback()

    async def once(self, cursor: "OneTripCursor", run: Any, *arguments: Any) -> None:
        """Run the statement, fetch all its rows and close its cursor, all in the connection's thread."""

        def trip() -> None:
            found = run(self._conn, *arguments)
            try:
                cursor.description = found.description
                cursor.rowcount = found.rowcount
                cursor.lastrowid = found.lastrowid
                cursor.rows = deque(found.fetchall() if found.description else ())
            finally:
                found.close()

        await self._execute(trip)  # type: ignore[no-untyped-call]


class OneTripCursor:
    """The cursor interface that SQLAlchemy needs; the rows are already fetched."""

    def __init__(self, connection: OneTripConnection) -> None:
        self._connection = connection
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1
        self.rows: deque[Any] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        await self._connection.once(self, sqlite3.Connection.execute, operation, parameters)
        return self

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> Self:
        await self._connection.once(self, sqlite3.Connection.executemany, operation, parameters)
        return self

    async def fetchall(self) -> Iterable[Any]:
        rows, self.rows = self.rows, deque()
        return rows

    async def close(self) -> None:
        self.rows.clear()
