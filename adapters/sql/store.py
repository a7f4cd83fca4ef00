"""The readiness of the database."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import QueuePool, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import schema
from adapters.sql.engine import Pool
from adapters.sql.statements import connecting
from domain.model.load import Connections
from domain.ports.unit_of_work import ConnectionPool, Store

_TIMEOUT: Final = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class SqlStore(Store, ConnectionPool):
    engine: AsyncEngine
    pool: Pool = field(default_factory=Pool)

    async def ping(self) -> None:
        with connecting():
            async with asyncio.timeout(_TIMEOUT), self.engine.connect() as connection:
                await connection.execute(select(1))

    async def pending_migrations(self) -> tuple[str, ...]:
        return await schema.pending(self.engine)

    async def is_too_new(self) -> bool:
        return await schema.is_too_new(self.engine)

    def connections(self) -> Connections | None:
        held = self.engine.pool
        if not isinstance(held, QueuePool):
            return None
        return Connections(in_use=held.checkedout(), size=self.pool.size + self.pool.overflow)
