"""Compare the rows of two databases: every value, and their number."""

from collections.abc import Sequence

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.copying.batches import Row, batches, has_key, key_of
from adapters.sql.copying.refusals import CopyRefused, row_name
from adapters.sql.statements import answering


class Difference(CopyRefused):
    """Source and target differ."""


async def checked(source: AsyncConnection, target: AsyncConnection, table: Table) -> int:
    """Return the number of rows, all of which are equal. Raises Difference."""
    count = 0
    async for rows in batches(source, table):
        await _must_be_equal(target, table, rows)
        count += len(rows)
    number = select(func.count()).select_from(table)
    with answering():
        wanted = await source.scalar(number)
        async with target.begin():
            found = await target.scalar(number)
    if not found == count == wanted:
        raise _difference(f"{table.name} has {found} rows in place of {wanted}")
    return count


async def _must_be_equal(target: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    keys = [key_of(table, row) for row in rows]
    with answering():
        async with target.begin():
            found = (await target.execute(select(table).where(has_key(table, keys)))).mappings()
            copies = {key_of(table, row): row for row in map(dict, found)}
    for key, row in zip(keys, rows, strict=True):
        copied = copies.get(key)
        if copied is None:
            raise _difference(f"{row_name(table, key)} is missing")
        for name, value in row.items():
            if copied[name] != value:
                raise _difference(f"{name} differs in {row_name(table, key)}")


def _difference(says: str) -> Difference:
    return Difference(
        f"The target is not equal to the source: {says}. Drop the target, and copy again."
    )
