"""SQLite's driver with one round trip per statement returns the same results as the usual driver."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sql.one_trip import OneTripConnection, connect


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[OneTripConnection]:
    opened = connect(str(tmp_path / "test.db"), isolation_level=None)
    await opened
    await opened.cursor().execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT UNIQUE)")
    yield opened
    await opened.close()


async def words(connection: OneTripConnection) -> list[str]:
    cursor = await connection.cursor().execute("SELECT word FROM words ORDER BY id")
    return [word for (word,) in await cursor.fetchall()]


async def test_rows_and_their_description_are_fetched_with_the_statement(
    connection: OneTripConnection,
) -> None:
    cursor = connection.cursor()

    await cursor.execute("INSERT INTO words (word) VALUES (?) RETURNING id, word", ("hello",))

    assert list(await cursor.fetchall()) == [(1, "hello")]
    assert [column[0] for column in cursor.description] == ["id", "word"]
    assert list(await cursor.fetchall()) == []


async def test_many_rows_are_counted(connection: OneTripConnection) -> None:
    cursor = connection.cursor()

    await cursor.executemany("INSERT INTO words (word) VALUES (?)", [("a",), ("b",), ("c",)])

    assert cursor.rowcount == 3
    assert await words(connection) == ["a", "b", "c"]


async def test_a_failed_statement_leaves_the_connection_usable(
    connection: OneTripConnection,
) -> None:
    await connection.cursor().execute("INSERT INTO words (word) VALUES ('a')")

    with pytest.raises(sqlite3.IntegrityError, match=r"words\.word"):
        await connection.cursor().execute("INSERT INTO words (word) VALUES ('a')")

    assert await words(connection) == ["a"]


async def test_a_transaction_that_has_begun_is_rolled_back(connection: OneTripConnection) -> None:
    await connection.cursor().execute("BEGIN IMMEDIATE")
    await connection.cursor().execute("INSERT INTO words (word) VALUES ('a')")

    await connection.rollback()
    await connection.rollback()  # Nothing is left to undo.

    assert await words(connection) == []
