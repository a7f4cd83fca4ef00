"""Units of work over a copy of the tables: published at once by commit, or thrown away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from adapters.memory.repositories import (
    MemoryAccessTokens,
    MemoryAccountState,
    MemoryFiles,
    MemorySessionData,
    MemorySessions,
    MemoryTokenData,
    MemoryTransaction,
    MemoryUsers,
)
from adapters.memory.store import MemoryStore
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


class MemoryUnitOfWork(UnitOfWork):
    def __init__(self, transaction: MemoryTransaction, publish: Callable[[], None]) -> None:
        self._transaction = transaction
        self._publish = publish
        self._users = MemoryUsers(transaction)
        self._sessions = MemorySessions(transaction)
        self._session_data = MemorySessionData(transaction)
        self._access_tokens = MemoryAccessTokens(transaction)
        self._token_data = MemoryTokenData(transaction)
        self._account_state = MemoryAccountState(transaction)
        self._files = MemoryFiles(transaction)

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
        self._publish()
        self._transaction.close()


class MemoryUnitsOfWork(UnitsOfWork):
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Of what was last published, which no writer touches."""
        async with self._unit(MemoryTransaction(self._store.tables, may_write=False)) as unit:
            yield unit

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """One writer at a time."""
        async with self._writing:
            transaction = MemoryTransaction(self._store.tables.copied(), may_write=True)
            async with self._unit(transaction) as unit:
                yield unit

    @asynccontextmanager
    async def _unit(self, transaction: MemoryTransaction) -> AsyncIterator[UnitOfWork]:
        def publish() -> None:
            self._store.tables = transaction.writable

        try:
            yield MemoryUnitOfWork(transaction, publish)
        finally:
            transaction.close()
