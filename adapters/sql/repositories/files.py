"""Claims of accounts on files in SQL."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from adapters.sql.rows import FileRow, UserRow
from adapters.sql.statements import Statements, parts, upsert
from domain.errors import UserNotFound
from domain.model.file import FileClaim, FileKey
from domain.model.user import UserId
from domain.ports.repositories import FileRepository

_CLAIMS: Final = select(FileRow.user_id, FileRow.key, FileRow.size, FileRow.used_at)


class SqlFiles(FileRepository):
    """`add`, and `total` with `locked`, lock the account's row."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._locked: UserId | None = None
        """The account that this unit of work has locked."""

    async def add(self, user_id: UserId, sizes: Mapping[FileKey, int], now: datetime) -> None:
        await self._lock(user_id)
        rows = [
            {"user_id": user_id, "key": key, "size": sizes[key], "used_at": now}
            for key in sorted(sizes)
        ]
        if rows:
            await self._statements.write(_upsert_of_files(self._statements.dialect), rows)

    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        return await self._claims(_CLAIMS.where(FileRow.user_id == user_id), keys)

    async def of(self, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        return await self._claims(_CLAIMS, keys)

    async def total(self, user_id: UserId, *, locked: bool = False) -> int:
        if locked:
            await self._lock(user_id)
        found = await self._statements.read(_total(), {"user_id": user_id})
        return int(found.scalar_one())

    async def mark_used(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        async for some in self._locked_in_order(user_id, keys):
            await self._statements.write(
                update(FileRow).where(some, FileRow.used_at < now).values(used_at=now)
            )

    async def measure(self, sizes: Mapping[FileKey, int]) -> None:
        rows = [{"measured": key, "bytes": sizes[key]} for key in sorted(sizes)]
        if rows:
            await self._statements.write(_measure(), rows)

    async def unused(self, before: datetime, *, limit: int) -> Sequence[FileClaim]:
        oldest = _CLAIMS.where(FileRow.used_at < before).order_by(FileRow.used_at).limit(limit)
        return [_claim_from(row) for row in await self._statements.read(oldest)]

    async def remove_unused(
        self, user_id: UserId, keys: Collection[FileKey], before: datetime
    ) -> frozenset[FileKey]:
        removed: set[FileKey] = set()
        async for some in self._locked_in_order(user_id, keys):
            gone = await self._statements.write(
                delete(FileRow).where(some, FileRow.used_at < before).returning(FileRow.key)
            )
            removed.update(FileKey(row.key) for row in gone)
        return frozenset(removed)

    async def _locked_in_order(
        self, user_id: UserId, keys: Collection[FileKey]
    ) -> AsyncIterator[ColumnElement[bool]]:
        """Lock the rows of these keys, and yield the condition that selects them, in parts. A fixed order keeps two
        transactions that change the same rows from a deadlock."""
        for some in parts(sorted(set(keys))):
            rows = and_(FileRow.user_id == user_id, FileRow.key.in_(some))
            if len(some) > 1:
                await self._statements.lock(select(FileRow.key).where(rows).order_by(FileRow.key))
            yield rows

    async def _claims(
        self, claims: Select[*tuple[Any, ...]], keys: Collection[FileKey]
    ) -> Sequence[FileClaim]:
        return [
            _claim_from(row)
            for some in parts(list(keys))
            for row in await self._statements.read(claims.where(FileRow.key.in_(some)))
        ]

    async def _lock(self, user_id: UserId) -> None:
        if user_id == self._locked:
            return
        if not await self._statements.lock_row(UserRow.id, user_id):
            raise UserNotFound
        self._locked = user_id


def _claim_from(row: Any) -> FileClaim:
    return FileClaim(user_id=row.user_id, key=FileKey(row.key), size=row.size, used_at=row.used_at)


@cache
def _total() -> Select[*tuple[Any, ...]]:
    total = select(func.coalesce(func.sum(FileRow.size), 0))
    return total.where(FileRow.user_id == bindparam("user_id"))


@cache
def _measure() -> Update:
    unknown = and_(FileRow.key == bindparam("measured"), FileRow.size.is_(None))
    return update(FileRow).where(unknown).values(size=bindparam("bytes"))


@cache
def _upsert_of_files(dialect: str) -> Insert:
    statement = upsert(FileRow, dialect)
    return statement.on_conflict_do_update(
        index_elements=[FileRow.user_id, FileRow.key],
        set_={"size": statement.excluded.size, "used_at": statement.excluded.used_at},
    )
