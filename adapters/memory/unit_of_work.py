"""Units of work over a copy of the tables. A commit publishes the whole copy; without it, the copy is discarded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from adapters.memory.repositories import (
    MemoryAccessTokens,
    MemoryAccountState,
    MemoryEventTimes,
    MemoryFiles,
    MemoryIdentities,
    MemoryKnownDevices,
    MemoryProviderTokens,
    MemoryReplicas,
    MemorySessionData,
    MemorySessions,
    MemoryTokenData,
    MemoryTransaction,
    MemoryUsers,
)
from adapters.memory.store import MemoryStore
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork


class MemoryUnitOfWork(UnitOfWork):
    def __init__(self, transaction: MemoryTransaction, publish: Callable[[], None]) -> None:
        self._transaction = transaction
        self._publish = publish
        self.users = MemoryUsers(transaction)
        self.identities = MemoryIdentities(transaction)
        self.sessions = MemorySessions(transaction)
        self.provider_tokens = MemoryProviderTokens(transaction)
        self.known_devices = MemoryKnownDevices(transaction)
        self.session_data = MemorySessionData(transaction)
        self.access_tokens = MemoryAccessTokens(transaction)
        self.token_data = MemoryTokenData(transaction)
        self.account_state = MemoryAccountState(transaction)
        self.files = MemoryFiles(transaction)
        self.replicas = MemoryReplicas(transaction)
        self.event_times = MemoryEventTimes(transaction)

    async def commit(self) -> None:
        self._publish()
        self._transaction.close()


class MemoryUnitsOfWork(UnitsOfWork):
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Read the last published tables, which no writer changes."""
        async with self._unit(MemoryTransaction(self._store.tables, may_write=False)) as unit:
            yield unit

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """Allow one writer at a time."""
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
