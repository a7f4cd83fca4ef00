"""Read a table in batches that fit into memory, in the order of its primary key."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    String,
    Table,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.copying.refusals import CopyRefused, Key, row_name
from adapters.sql.statements import answering
from domain.errors import StoreUnavailable

Row = Mapping[str, Any]
"""The values of a row by the names of its columns."""

ROWS: Final = 500
"""The largest number of rows in a batch."""
BYTES: Final = 4 * 1024 * 1024
"""The largest size of texts and bytes in a batch. A larger row is a batch of its own."""

_UNREADABLE: Final = (DBAPIError, ValueError, TypeError, ArithmeticError)
"""SQLite keeps values of any type in any column, and texts that are no UTF-8."""


async def batches(
    source: AsyncConnection, table: Table, *, after: Key | None = None
) -> AsyncIterator[Sequence[Row]]:
    """Yield the rows behind the key `after`. Raises CopyRefused for a row that cannot be read."""
    while rows := await _batch(source, table, after):
        yield rows
        after = key_of(table, rows[-1])


def key_of(table: Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns)


async def _batch(source: AsyncConnection, table: Table, after: Key | None) -> Sequence[Row]:
    try:
        with answering():
            sizes = (await source.execute(_behind(table, after, _size(table, source)))).scalars()
            return await _rows(source, table, after, _fitting(sizes.all()))
    except (StoreUnavailable, *_UNREADABLE) as error:
        # SQLite's driver reports a text that is no UTF-8 like a file that cannot be read.
        if source.dialect.name == "sqlite":
            await _must_be_readable(source, table, after)
        if isinstance(error, StoreUnavailable):
            raise
        raise CopyRefused(f"A row of {table.name} in the source cannot be read.") from error


async def _rows(
    source: AsyncConnection, table: Table, after: Key | None, count: int
) -> Sequence[Row]:
    found = await source.execute(_behind(table, after, *table.columns).limit(count))
    return [dict(row) for row in found.mappings()]


async def _must_be_readable(source: AsyncConnection, table: Table, after: Key | None) -> None:
    """Read one row after the other. Raises CopyRefused for the first that cannot be read."""
    with answering():
        keys = (await source.execute(_behind(table, after, *table.primary_key.columns))).all()
    for key in keys:
        try:
            found = await source.execute(select(table).where(has_key(table, [tuple(key)])))
            [tuple(row) for row in found]  # Values are converted only now.
        except _UNREADABLE as error:
            raise CopyRefused(
                f"The source has a value that cannot be read in {row_name(table, key)}. "
                "Correct the row in the source, and type the same command again."
            ) from error


def _behind(
    table: Table, after: Key | None, *columns: ColumnElement[Any]
) -> Select[*tuple[Any, ...]]:
    keys = table.primary_key.columns
    statement = select(*columns).select_from(table).order_by(*keys).limit(ROWS)
    if after is None:
        return statement
    last = [literal(value, column.type) for column, value in zip(keys, after, strict=True)]
    return statement.where(tuple_(*keys) > tuple_(*last))


def has_key(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    columns = table.primary_key.columns
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def _size(table: Table, source: AsyncConnection) -> ColumnElement[int]:
    """Return the bytes of a row's texts and bytes."""
    total: ColumnElement[int] = literal(0)
    for column in table.columns:
        if isinstance(column.type, String | LargeBinary):
            total += func.coalesce(_length(column, source.dialect.name), 0)
    return total


def _length(column: ColumnElement[Any], dialect: str) -> ColumnElement[int]:
    if dialect == "postgresql":
        return func.octet_length(column)
    # Of a text, SQLite's length() would count characters, and those before a NUL only.
    return func.length(cast(column, LargeBinary))


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many of the first rows fit into a batch, at least one."""
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if total > BYTES and number:
            return number
    return max(1, len(sizes))
