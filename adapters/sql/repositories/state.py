"""Stored values of sessions, access tokens and accounts in SQL."""

from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Insert, Select, bindparam, delete, select

from adapters.sql.mappers import entry_from
from adapters.sql.rows import (
    AccessTokenRow,
    AccountStateRow,
    SessionDataRow,
    SessionRow,
    TokenDataRow,
    UserRow,
)
from adapters.sql.statements import Statements, parts, upsert
from domain.errors import AccessTokenEnded, DomainError, SessionEnded, UserNotFound
from domain.model.access_token import AccessTokenId
from domain.model.session import SessionId
from domain.model.state import Changes, Entries, Removed, encoded
from domain.model.user import UserId
from domain.ports.repositories import StateRepository

_OwnerRow = UserRow | SessionRow | AccessTokenRow
_EntryRow = AccountStateRow | SessionDataRow | TokenDataRow
Owner = TypeVar("Owner", bound=UUID, contravariant=True)


class SqlState(StateRepository[Owner]):
    """A write locks the owner's row, which exists even if there are no values."""

    _owners: type[_OwnerRow]
    _entries: type[_EntryRow]
    _gone: type[DomainError]

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._locked: Owner | None = None
        """The owner that this unit of work has locked."""

    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        if locked:
            await self._lock(owner)
        found = await self._statements.read(_values_of(self._entries), {"owner": owner})
        return {row.key: entry_from(row) for row in found}

    async def write(self, owner: Owner, changes: Changes) -> None:
        await self._lock(owner)
        entries = self._entries
        values = [
            {"owner_id": owner, "key": key, "value": encoded(key, value), "version": 1}
            for key, value in changes.items()
            if not isinstance(value, Removed)
        ]
        if values:
            await self._statements.write(
                _upsert_of_values(entries, self._statements.dialect), values
            )
        removed = [key for key, value in changes.items() if isinstance(value, Removed)]
        for keys in parts(removed):
            some = entries.key.in_(keys)
            await self._statements.write(delete(entries).where(entries.owner_id == owner, some))

    async def _lock(self, owner: Owner) -> None:
        if owner == self._locked:
            return
        if not await self._statements.lock_row(self._owners.id, owner):
            raise self._gone
        self._locked = owner


class SqlSessionData(SqlState[SessionId]):
    _owners = SessionRow
    _entries = SessionDataRow
    _gone = SessionEnded


class SqlTokenData(SqlState[AccessTokenId]):
    _owners = AccessTokenRow
    _entries = TokenDataRow
    _gone = AccessTokenEnded


class SqlAccountState(SqlState[UserId]):
    _owners = UserRow
    _entries = AccountStateRow
    _gone = UserNotFound


@cache
def _values_of(entries: type[_EntryRow]) -> Select[*tuple[Any, ...]]:
    values = select(entries.key, entries.value, entries.version)
    return values.where(entries.owner_id == bindparam("owner"))


@cache
def _upsert_of_values(entries: type[_EntryRow], dialect: str) -> Insert:
    statement = upsert(entries, dialect)
    return statement.on_conflict_do_update(
        index_elements=[entries.owner_id, entries.key],
        set_={"value": statement.excluded.value, "version": entries.version + 1},
    )
