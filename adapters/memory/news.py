"""No news, for a service that is one process, or whose replicas wait until their caches expire."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Literal

from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.replicas import Changes, ReplicaNews


class NoNews(ReplicaNews):
    def listen(self, changed: Callable[[Changes], None], missed: Callable[[], None]) -> None:
        pass

    def tell(self, *, sessions: Collection[SessionId] = (), users: Collection[UserId] = ()) -> None:
        pass

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    def state(self) -> Literal["off", "ok", "degraded"]:
        return "off"
