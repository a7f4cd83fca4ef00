"""Whose files are whose."""

from collections.abc import Collection
from datetime import datetime
from functools import cache

from sqlalchemy import Insert, delete, select

from adapters.sql.rows import FileRow, UserRow
from adapters.sql.statements import Statements, parts, upsert
from domain.errors import UserNotFound
from domain.model.file import FileKey
from domain.model.user import UserId
from domain.ports.repositories import FileRepository


class SqlFiles(FileRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        if not await self._statements.lock_row(UserRow.id, user_id):
            raise UserNotFound
        rows = [{"user_id": user_id, "key": key, "claimed_at": now} for key in set(keys)]
        if rows:
            await self._statements.write(_upsert_of_files(self._statements.dialect), rows)

    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> frozenset[FileKey]:
        owned: set[FileKey] = set()
        for wanted in parts(list(keys)):
            found = await self._statements.read(
                select(FileRow.key).where(FileRow.user_id == user_id, FileRow.key.in_(wanted))
            )
            owned.update(FileKey(row.key) for row in found)
        return frozenset(owned)

    async def remove_older(self, claimed_before: datetime) -> int:
        removed = await self._statements.write(
            delete(FileRow).where(FileRow.claimed_at < claimed_before)
        )
        return removed.rowcount


@cache
def _upsert_of_files(dialect: str) -> Insert:
    statement = upsert(FileRow, dialect)
    return statement.on_conflict_do_update(
        index_elements=[FileRow.user_id, FileRow.key],
        set_={"claimed_at": statement.excluded.claimed_at},
    )
