"""Replicas and the homes of accounts in SQL."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.rows import HomeRow, ReplicaRow, UserRow
from adapters.sql.statements import Statements, is_foreign_key, parts, upsert
from domain.errors import ReplicaGone, UserNotFound
from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId
from domain.ports.repositories import ReplicaRepository


class SqlReplicas(ReplicaRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, replica: Replica) -> None:
        row = {
            "id": replica.id,
            "url": replica.url,
            "beats": replica.beats,
            "is_stopping": replica.is_stopping,
        }
        await self._statements.write(insert(ReplicaRow).values(row))

    async def beat(self, replica: Replica) -> bool:
        beaten = await self._statements.write(
            update(ReplicaRow)
            .where(ReplicaRow.id == replica.id)
            .values({"beats": ReplicaRow.beats + 1, "is_stopping": replica.is_stopping})
        )
        return beaten.rowcount == 1

    async def all(self) -> Sequence[Replica]:
        found = await self._statements.read(
            select(
                ReplicaRow.id, ReplicaRow.url, ReplicaRow.beats, ReplicaRow.is_stopping
            ).order_by(ReplicaRow.id)
        )
        return [
            Replica(id=ReplicaId(row.id), url=row.url, beats=row.beats, is_stopping=row.is_stopping)
            for row in found
        ]

    async def remove(self, replica: Replica) -> bool:
        removed = await self._statements.write(
            delete(ReplicaRow).where(ReplicaRow.id == replica.id, ReplicaRow.beats == replica.beats)
        )
        return removed.rowcount == 1

    async def leave(self, replica_id: ReplicaId) -> None:
        await self._statements.write(delete(ReplicaRow).where(ReplicaRow.id == replica_id))

    async def home_of(self, user_id: UserId, *, otherwise: ReplicaId) -> ReplicaId:
        home = await self._home_of(user_id)
        if home is not None:
            return home
        row = {"user_id": user_id, "replica_id": otherwise}
        try:
            async with self._statements.attempt():
                await self._statements.write(
                    upsert(HomeRow, self._statements.dialect).values(row).on_conflict_do_nothing()
                )
        except IntegrityError as error:
            if is_foreign_key(error):
                raise await self._what_is_gone(user_id) from error
            raise
        home = await self._home_of(user_id)
        if home is None:  # The replica that was quicker has left just now.
            raise ReplicaGone
        return home

    async def release(self, user_ids: Collection[UserId], *, of: ReplicaId) -> None:
        # A fixed order keeps two transactions that remove the same rows from a deadlock.
        for some in parts(sorted(user_ids)):
            await self._statements.write(
                delete(HomeRow).where(HomeRow.user_id.in_(some), HomeRow.replica_id == of)
            )

    async def _home_of(self, user_id: UserId) -> ReplicaId | None:
        found = await self._statements.read(
            select(HomeRow.replica_id).where(HomeRow.user_id == user_id)
        )
        home = found.scalar_one_or_none()
        return None if home is None else ReplicaId(home)

    async def _what_is_gone(self, user_id: UserId) -> UserNotFound | ReplicaGone:
        found = await self._statements.read(select(UserRow.id).where(UserRow.id == user_id))
        return UserNotFound() if found.one_or_none() is None else ReplicaGone()
