"""How far a copy has come, in a table of the target that exists until the copy is finished."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Boolean, Column, MetaData, String, Table, Text, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.copying.batches import Row, key_of
from adapters.sql.copying.refusals import Key
from adapters.sql.ownership import COPY
from adapters.sql.statements import answering

TABLE: Final = Table(
    COPY,
    MetaData(),
    Column("name", String(63), primary_key=True),
    Column("source", Text, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("last_key", Text),
    Column("is_done", Boolean, nullable=False),
)
"""One row for each table that is copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    table: Table
    last_key: Key | None
    """The key of the last row that was copied."""
    is_done: bool

    @classmethod
    async def of(cls, target: AsyncConnection, table: Table) -> Self:
        with answering():
            async with target.begin():
                statement = select(TABLE).where(TABLE.c.name == table.name)
                row = (await target.execute(statement)).one()
        return cls(table=table, last_key=_decoded(row.last_key), is_done=row.is_done)

    def after(self, rows: Sequence[Row]) -> Self:
        return replace(self, last_key=key_of(self.table, rows[-1]))

    def done(self) -> Self:
        return replace(self, is_done=True)

    async def write(self, target: AsyncConnection) -> None:
        """Write the progress in the open transaction."""
        await target.execute(
            update(TABLE)
            .where(TABLE.c.name == self.table.name)
            .values(last_key=_encoded(self.last_key), is_done=self.is_done)
        )

    async def save(self, target: AsyncConnection) -> None:
        with answering():
            async with target.begin():
                await self.write(target)


def _encoded(key: Key | None) -> str | None:
    return None if key is None else json.dumps([_tagged(value) for value in key])


def _tagged(value: Any) -> list[str]:
    if isinstance(value, UUID):
        return ["uuid", value.hex]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    # Only ASCII is written, so a NUL in a key is an escape that every database can store.
    return ["text", str(value)]


def _decoded(text: str | None) -> Key | None:
    if text is None:
        return None
    kinds: dict[str, Any] = {"uuid": UUID, "bytes": bytes.fromhex, "text": str}
    return tuple(kinds[kind](value) for kind, value in json.loads(text))
