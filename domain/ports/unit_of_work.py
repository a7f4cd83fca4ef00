"""All or nothing: what is read and written between two moments."""

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.model.access_token import AccessTokenId
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import (
    AccessTokenRepository,
    FileRepository,
    SessionRepository,
    StateRepository,
    UserRepository,
)


class UnitOfWork(Protocol):
    @property
    @abstractmethod
    def users(self) -> UserRepository: ...

    @property
    @abstractmethod
    def sessions(self) -> SessionRepository: ...

    @property
    @abstractmethod
    def session_data(self) -> StateRepository[SessionId]: ...

    @property
    @abstractmethod
    def access_tokens(self) -> AccessTokenRepository: ...

    @property
    @abstractmethod
    def token_data(self) -> StateRepository[AccessTokenId]: ...

    @property
    @abstractmethod
    def account_state(self) -> StateRepository[UserId]: ...

    @property
    @abstractmethod
    def files(self) -> FileRepository: ...

    @abstractmethod
    async def commit(self) -> None:
        """Keeps what was written. Whatever was not committed when the block ends is undone."""


class UnitsOfWork(Protocol):
    """Opens units of work. Each raises StoreUnavailable when the store does not answer."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Never waits for a writer, and must not write."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """May write; what it reads with `locked` cannot change underneath it."""


class Store(Protocol):
    """Whether the store can be used, for readiness."""

    @abstractmethod
    async def ping(self) -> None:
        """Answers within 2 seconds or raises StoreUnavailable."""

    @abstractmethod
    async def pending_migrations(self) -> tuple[str, ...]:
        """Revisions that the code has and the store has not; raises StoreUnavailable."""
