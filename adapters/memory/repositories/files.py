"""Claims on files, in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.repositories.shared import user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.model.file import FileClaim, FileKey
from domain.model.user import UserId
from domain.ports.repositories import FileRepository


class MemoryFiles(FileRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, user_id: UserId, sizes: Mapping[FileKey, int], now: datetime) -> None:
        tables = self._transaction.writable
        user_of(tables, user_id)
        for key, size in sizes.items():
            tables.files[user_id, key] = FileClaim(user_id=user_id, key=key, size=size, used_at=now)

    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        files = self._transaction.tables.files
        return [files[user_id, key] for key in set(keys) if (user_id, key) in files]

    async def of(self, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        asked = set(keys)
        return [claim for claim in self._transaction.tables.files.values() if claim.key in asked]

    async def total(self, user_id: UserId, *, locked: bool = False) -> int:
        if locked:
            user_of(self._transaction.writable, user_id)
        claims = self._transaction.tables.files.values()
        return sum(claim.size or 0 for claim in claims if claim.user_id == user_id)

    async def mark_used(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        files = self._transaction.writable.files
        for claim in await self.owned(user_id, keys):
            files[user_id, claim.key] = replace(claim, used_at=max(now, claim.used_at))

    async def measure(self, sizes: Mapping[FileKey, int]) -> None:
        files = self._transaction.writable.files
        for claim in await self.of(sizes):
            if claim.size is None:
                files[claim.user_id, claim.key] = replace(claim, size=sizes[claim.key])

    async def unused(self, before: datetime, *, limit: int) -> Sequence[FileClaim]:
        claims = self._transaction.tables.files.values()
        unused = [claim for claim in claims if claim.used_at < before]
        return sorted(unused, key=lambda claim: claim.used_at)[:limit]

    async def remove_unused(
        self, user_id: UserId, keys: Collection[FileKey], before: datetime
    ) -> frozenset[FileKey]:
        files = self._transaction.writable.files
        claims = await self.owned(user_id, keys)
        removed = frozenset(claim.key for claim in claims if claim.used_at < before)
        for key in removed:
            del files[user_id, key]
        return removed
