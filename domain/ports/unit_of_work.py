"""Units of work: reads and writes that succeed or fail together."""

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.model.access_token import AccessTokenId
from domain.model.load import Connections
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import (
    AccessTokenRepository,
    EventTimeRepository,
    FileRepository,
    IdentityRepository,
    KnownDeviceRepository,
    ProviderTokenRepository,
    ReplicaRepository,
    SessionRepository,
    StateRepository,
    UserRepository,
)


class UnitOfWork(Protocol):
    users: UserRepository
    identities: IdentityRepository
    sessions: SessionRepository
    provider_tokens: ProviderTokenRepository
    known_devices: KnownDeviceRepository
    session_data: StateRepository[SessionId]
    access_tokens: AccessTokenRepository
    token_data: StateRepository[AccessTokenId]
    account_state: StateRepository[UserId]
    files: FileRepository
    replicas: ReplicaRepository
    event_times: EventTimeRepository

    @abstractmethod
    async def commit(self) -> None:
        """Save what was written. Everything that is not committed when the block ends is undone."""


class UnitsOfWork(Protocol):
    """Opens units of work. Both methods raise StoreUnavailable if the store does not respond."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work for reading. It never waits for a writer, and must not write."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work that may write. Nobody else can change what it reads with `locked`."""


class Store(Protocol):
    """The store's readiness."""

    @abstractmethod
    async def ping(self) -> None:
        """Return within 2 seconds or raise StoreUnavailable."""

    @abstractmethod
    async def pending_migrations(self) -> tuple[str, ...]:
        """Return the revisions that the code has and the store lacks. Raises StoreUnavailable."""

    @abstractmethod
    async def is_too_new(self) -> bool:
        """Return whether a later release has changed the store so that this code may not use it. Raises
        StoreUnavailable."""


class ConnectionPool(Protocol):
    @abstractmethod
    def connections(self) -> Connections | None:
        """Return how many connections are in use; None for a store without connections."""
