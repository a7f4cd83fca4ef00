"""Whether the service can do its work."""

from dataclasses import dataclass

from domain.errors import StoreUnavailable
from domain.ports.unit_of_work import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReadiness:
    store: Store

    async def __call__(self) -> dict[str, str]:
        """One entry per dependency: "ok", or what is the matter, in words that give away no address."""
        try:
            await self.store.ping()
            pending = await self.store.pending_migrations()
        except StoreUnavailable:
            return {"database": "unavailable", "migrations": "unknown"}
        return {"database": "ok", "migrations": f"{len(pending)} pending" if pending else "ok"}
