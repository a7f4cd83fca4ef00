"""Units of work over SQL: a connection and a transaction for as long as the block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.engine import POOL_SIZE, WAIT, WRITING
from adapters.sql.repositories import (
    SqlAccessTokens,
    SqlAccountState,
    SqlFiles,
    SqlSessionData,
    SqlSessions,
    SqlTokenData,
    SqlUsers,
)
from adapters.sql.statements import Statements, connecting
from domain.errors import StoreUnavailable
from domain.model.access_token import AccessTokenId
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import (
    AccessTokenRepository,
    FileRepository,
    SessionRepository,
    StateRepository,
    UserRepository,
)
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork


class SqlUnitOfWork(UnitOfWork):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._users = SqlUsers(statements)
        self._sessions = SqlSessions(statements)
        self._session_data = SqlSessionData(statements)
        self._access_tokens = SqlAccessTokens(statements)
        self._token_data = SqlTokenData(statements)
        self._account_state = SqlAccountState(statements)
        self._files = SqlFiles(statements)

    @property
    def users(self) -> UserRepository:
        return self._users

    @property
    def sessions(self) -> SessionRepository:
        return self._sessions

    @property
    def session_data(self) -> StateRepository[SessionId]:
        return self._session_data

    @property
    def access_tokens(self) -> AccessTokenRepository:
        return self._access_tokens

    @property
    def token_data(self) -> StateRepository[AccessTokenId]:
        return self._token_data

    @property
    def account_state(self) -> StateRepository[UserId]:
        return self._account_state

    @property
    def files(self) -> FileRepository:
        return self._files

    async def commit(self) -> None:
        await self._statements.commit()


class SqlUnitsOfWork(UnitsOfWork):
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        # Writers queue here, in order, and not in the pool, where they would keep connections from readers;
        # on SQLite not at the file either, which lets waiting writers in by chance.
        self._writers = asyncio.Semaphore(1 if self._is_sqlite else POOL_SIZE)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Each statement sees what is committed by then, so it needs no BEGIN and no ROLLBACK; SQLite's engine begins
        for writers alone."""
        options = {} if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        async with self._unit(may_write=False, **options) as unit:
            yield unit

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        await self._turn()
        try:
            async with self._unit(may_write=True, **{WRITING: True}) as unit:
                yield unit
        finally:
            self._writers.release()

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(WAIT):
                await self._writers.acquire()
        except TimeoutError as error:
            raise StoreUnavailable from error

    @asynccontextmanager
    async def _unit(self, *, may_write: bool, **options: Any) -> AsyncIterator[UnitOfWork]:
        connection = self._engine.connect()
        with connecting():
            await connection.start()
        try:
            with connecting():
                await connection.execution_options(**options)
                await connection.begin()
            statements = Statements(connection, may_write=may_write)
            try:
                yield SqlUnitOfWork(statements)
            finally:
                statements.close()
        finally:
            # Also when the task is cancelled: a connection given back half-way would be lost to the pool.
            await asyncio.shield(connection.close())
