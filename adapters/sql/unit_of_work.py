"""Units of work over SQL: one transaction per block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.repositories import (
    SqlAccessTokens,
    SqlAccountState,
    SqlEventTimes,
    SqlFiles,
    SqlIdentities,
    SqlKnownDevices,
    SqlProviderTokens,
    SqlReplicas,
    SqlSessionData,
    SqlSessions,
    SqlTokenData,
    SqlUsers,
)
from adapters.sql.statements import Statements
from adapters.sql.transactions import SqlTransactions
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork


class SqlUnitOfWork(UnitOfWork):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.users = SqlUsers(statements)
        self.identities = SqlIdentities(statements)
        self.sessions = SqlSessions(statements)
        self.provider_tokens = SqlProviderTokens(statements)
        self.known_devices = SqlKnownDevices(statements)
        self.session_data = SqlSessionData(statements)
        self.access_tokens = SqlAccessTokens(statements)
        self.token_data = SqlTokenData(statements)
        self.account_state = SqlAccountState(statements)
        self.files = SqlFiles(statements)
        self.replicas = SqlReplicas(statements)
        self.event_times = SqlEventTimes(statements)

    async def commit(self) -> None:
        await self._statements.commit()


class SqlUnitsOfWork(UnitsOfWork):
    def __init__(self, engine: AsyncEngine) -> None:
        self.transactions = SqlTransactions(engine)
        """For what is stored outside of units of work. All writers of the engine wait in one line."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        async with self.transactions.reading() as statements:
            yield SqlUnitOfWork(statements)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        async with self.transactions.writing() as statements:
            yield SqlUnitOfWork(statements)
