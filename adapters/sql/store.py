"""Whether the database can be used, for readiness."""

import asyncio
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import schema
from adapters.sql.statements import connecting
from domain.ports.unit_of_work import Store

_PATIENCE: Final = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class SqlStore(Store):
    engine: AsyncEngine

    async def ping(self) -> None:
        with connecting():
            async with asyncio.timeout(_PATIENCE), self.engine.connect() as connection:
                await connection.execute(select(1))

    async def pending_migrations(self) -> tuple[str, ...]:
        return await schema.pending(self.engine)
