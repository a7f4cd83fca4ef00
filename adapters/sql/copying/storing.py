"""Store a batch in the target together with the progress, and name the row that the target cannot store."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, insert
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.copying.batches import Row, key_of
from adapters.sql.copying.progress import Progress
from adapters.sql.copying.refusals import CopyRefused, row_name
from adapters.sql.statements import answering

_INTEGER: Final = 2**31
"""The first number that an INTEGER of PostgreSQL cannot store."""
_BIG: Final = 2**63


async def store(
    target: AsyncConnection, table: Table, rows: Sequence[Row], progress: Progress
) -> None:
    """Store all rows or none. Raises CopyRefused for a row that the target cannot store, StoreUnavailable."""
    try:
        with answering():
            async with target.begin():
                await target.execute(insert(table), [dict(row) for row in rows])
                await progress.write(target)
    except StatementError:
        await _must_be_storable(target, table, rows)
        raise


async def _must_be_storable(target: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Try the rows one after the other, and store none of them. Raises CopyRefused for the first that fails."""
    with answering():
        async with target.begin() as transaction:
            for row in rows:
                try:
                    await target.execute(insert(table), [dict(row)])
                except StatementError as error:
                    raise CopyRefused(
                        f"The target cannot store {row_name(table, key_of(table, row))}: {_why(table, row, error)}. "
                        "Correct the row in the source, and type the same command again."
                    ) from error
            await transaction.rollback()


def _why(table: Table, row: Row, error: StatementError) -> str:
    """Return the reason without values: the database's message may contain them."""
    found = next(_faults(table, row), None)
    if found is not None:
        return found
    if isinstance(error, IntegrityError):
        return str(error.orig).splitlines()[0].rpartition(">: ")[2]
    code = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return f"error {code or type(error.orig or error).__name__}"


def _faults(table: Table, row: Row) -> Iterator[str]:
    for column in table.columns:
        value = row[column.name]
        if isinstance(value, str):
            yield from _text_faults(column, value)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield from _number_faults(column, value)


def _text_faults(column: Column[Any], value: str) -> Iterator[str]:
    if "\0" in value:
        yield f"{column.name} contains a NUL character"
    length = column.type.length if isinstance(column.type, String) else None
    if length is not None and len(value) > length:
        yield f"{column.name} has {len(value)} characters, and at most {length} fit"


def _number_faults(column: Column[Any], value: int) -> Iterator[str]:
    if isinstance(column.type, Integer):
        limit = _BIG if isinstance(column.type, BigInteger) else _INTEGER
        if not -limit <= value < limit:
            yield f"{column.name} is too large a number"
