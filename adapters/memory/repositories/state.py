"""Session data, token data and account state in memory, as JSON."""

from typing import TypeVar
from uuid import UUID

from adapters.memory.repositories.shared import entries_of, must
from adapters.memory.repositories.transactions import MemoryTransaction
from adapters.memory.store import Kept, Tables
from domain.errors import (
    AccessTokenEnded,
    SessionEnded,
    UserNotFound,
)
from domain.model.access_token import AccessTokenId
from domain.model.session import SessionId
from domain.model.state import Changes, Entries, Removed, encoded
from domain.model.user import UserId
from domain.ports.repositories import StateRepository

Owner = TypeVar("Owner", bound=UUID, contravariant=True)


class MemoryState(StateRepository[Owner]):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        if locked:
            self._must_be_there(self._transaction.writable, owner)
        return entries_of(self._kept(self._transaction.tables).get(owner, {}))

    async def write(self, owner: Owner, changes: Changes) -> None:
        tables = self._transaction.writable
        self._must_be_there(tables, owner)
        kept = dict(self._kept(tables).get(owner, {}))
        for key, value in changes.items():
            if isinstance(value, Removed):
                kept.pop(key, None)
            else:
                _, version = kept.get(key, ("", 0))
                kept[key] = (encoded(key, value), version + 1)
        self._kept(tables)[owner] = kept

    def _kept(self, tables: Tables) -> Kept:
        raise NotImplementedError

    def _must_be_there(self, tables: Tables, owner: Owner) -> None:
        raise NotImplementedError


class MemorySessionData(MemoryState[SessionId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.session_data

    def _must_be_there(self, tables: Tables, owner: SessionId) -> None:
        must(owner in tables.sessions, SessionEnded)


class MemoryTokenData(MemoryState[AccessTokenId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.token_data

    def _must_be_there(self, tables: Tables, owner: AccessTokenId) -> None:
        must(owner in tables.access_tokens, AccessTokenEnded)


class MemoryAccountState(MemoryState[UserId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.account_state

    def _must_be_there(self, tables: Tables, owner: UserId) -> None:
        must(owner in tables.users, UserNotFound)
