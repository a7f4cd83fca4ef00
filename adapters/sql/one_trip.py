"""SQLite statements that go to their connection's thread and back once.

aiosqlite goes there for the cursor, for the statement, for its rows and for the cursor's end: four times, and each of them
costs more than SQLite itself.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite


def connect(database: str, **options: Any) -> "OneTripConnection":
    """As aiosqlite's own; its thread does not keep the process from ending."""

    def connector() -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(database, **options)
        return connection

    connection = OneTripConnection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 -- As SQLAlchemy does with aiosqlite's own.
    return connection


class OneTripConnection(aiosqlite.Connection):
    def cursor(self) -> Any:
        return OneTripCursor(self)

    async def rollback(self) -> None:
        """Nothing was begun by whoever has only read."""
        if self._conn.in_transaction:
            await super().rollback()

    async def once(self, cursor: "OneTripCursor", run: Any, *arguments: Any) -> None:
        """Runs in the connection's thread: the statement, all its rows, and the end of its cursor."""

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
    """What SQLAlchemy asks of an asynchronous cursor; the rows are there already."""

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
