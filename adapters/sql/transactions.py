"""Transactions: one connection per block, and an order of writers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from adapters.sql.engine import WAIT, WRITING
from adapters.sql.statements import Statements, connecting
from domain.errors import StoreUnavailable


class SqlTransactions:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        # Writers wait here, in order. In the pool, waiting writers would take connections from readers. SQLite would
        # admit waiting writers in random order.
        self._writers = asyncio.Semaphore(1 if self._is_sqlite else _size_of(engine))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Statements]:
        """Read committed data without a transaction: each statement sees what is committed at that time. PostgreSQL
        needs autocommit for this. The engine of SQLite sends BEGIN only for writers."""
        options = {} if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        async with self._transaction(may_write=False, **options) as statements:
            yield statements

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Statements]:
        await self._wait_for_turn()
        try:
            async with self._transaction(may_write=True, **{WRITING: True}) as statements:
                yield statements
        finally:
            self._writers.release()

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(WAIT):
                await self._writers.acquire()
        except TimeoutError as error:
            raise StoreUnavailable from error

    @asynccontextmanager
    async def _transaction(self, *, may_write: bool, **options: Any) -> AsyncIterator[Statements]:
        connection = self._engine.connect()
        with connecting():
            await connection.start()
        try:
            with connecting():
                await connection.execution_options(**options)
                await connection.begin()
            statements = Statements(connection, may_write=may_write)
            try:
                yield statements
            finally:
                statements.close()
        finally:
            # Return the connection even if the task is cancelled. Otherwise, the pool loses the connection.
            await asyncio.shield(connection.close())


def _size_of(engine: AsyncEngine) -> int:
    pool = engine.pool
    return pool.size() if isinstance(pool, AsyncAdaptedQueuePool) else 1
