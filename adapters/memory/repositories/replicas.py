"""Replicas and the homes of accounts in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from adapters.memory.repositories.shared import user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import ReplicaGone
from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId
from domain.ports.repositories import ReplicaRepository


class MemoryReplicas(ReplicaRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, replica: Replica) -> None:
        replicas = self._transaction.writable.replicas
        if replica.id in replicas:
            raise RuntimeError("Another replica has this id.")
        replicas[replica.id] = replica

    async def beat(self, replica: Replica) -> bool:
        replicas = self._transaction.writable.replicas
        stored = replicas.get(replica.id)
        if stored is None:
            return False
        replicas[replica.id] = replace(
            stored, beats=stored.beats + 1, is_stopping=replica.is_stopping
        )
        return True

    async def all(self) -> Sequence[Replica]:
        replicas = self._transaction.tables.replicas.values()
        return sorted(replicas, key=lambda replica: replica.id)

    async def remove(self, replica: Replica) -> bool:
        stored = self._transaction.writable.replicas.get(replica.id)
        if stored is None or stored.beats != replica.beats:
            return False
        await self.leave(replica.id)
        return True

    async def leave(self, replica_id: ReplicaId) -> None:
        tables = self._transaction.writable
        tables.replicas.pop(replica_id, None)
        for user_id in [user for user, home in tables.homes.items() if home == replica_id]:
            del tables.homes[user_id]

    async def home_of(self, user_id: UserId, *, otherwise: ReplicaId) -> ReplicaId:
        tables = self._transaction.writable
        user_of(tables, user_id)
        if user_id not in tables.homes:
            if otherwise not in tables.replicas:
                raise ReplicaGone
            tables.homes[user_id] = otherwise
        return tables.homes[user_id]

    async def release(self, user_ids: Collection[UserId], *, of: ReplicaId) -> None:
        homes = self._transaction.writable.homes
        for user_id in user_ids:
            if homes.get(user_id) == of:
                del homes[user_id]
