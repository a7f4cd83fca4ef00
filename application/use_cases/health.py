"""The readiness and the load of the service."""

from dataclasses import dataclass

from domain.errors import StoreUnavailable
from domain.model.load import Load
from domain.ports.files import FileStorage
from domain.ports.replicas import ReplicaNews
from domain.ports.security import HashQueue
from domain.ports.tally import Tally
from domain.ports.unit_of_work import ConnectionPool, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReadiness:
    store: Store
    news: ReplicaNews
    files: FileStorage

    async def __call__(self) -> dict[str, str]:
        """Return one entry per dependency: "ok", "degraded" if the service can do without it, or the problem in words
        that reveal no address."""
        others = {"redis": self.news.state(), "files": await self.files.state()}
        used = {name: state for name, state in others.items() if state != "off"}
        return {**await self._store(), **used}

    async def _store(self) -> dict[str, str]:
        try:
            await self.store.ping()
            pending = await self.store.pending_migrations()
            is_too_new = await self.store.is_too_new()
        except StoreUnavailable:
            return {"database": "unavailable", "migrations": "unknown"}
        if is_too_new:
            return {"database": "ok", "migrations": "made for a newer release"}
        return {"database": "ok", "migrations": f"{len(pending)} pending" if pending else "ok"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLoad:
    hashes: HashQueue
    pool: ConnectionPool
    news: ReplicaNews
    tally: Tally

    def __call__(self) -> Load:
        """Return the load of this process. Asks no store."""
        return Load(
            hashes_waiting=self.hashes.waiting(),
            connections=self.pool.connections(),
            redis=self.news.state(),
            sign_ins=self.tally.sign_ins(),
            throttled=self.tally.throttled(),
        )
