"""What the replicas of a service tell one another, so that none of them waits until its caches expire."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from domain.model.session import SessionId
from domain.model.user import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The sessions and accounts of which a cache may hold something outdated."""

    sessions: frozenset[SessionId] = frozenset()
    """Also access tokens, which caches hold like sessions."""
    users: frozenset[UserId] = frozenset()


class ReplicaNews(Protocol):
    """News between replicas. It makes caches quick, never right: news may be lost, so entries must also expire."""

    @abstractmethod
    def listen(self, changed: Callable[[Changes], None], missed: Callable[[], None]) -> None:
        """Call `changed` for the changes of other replicas, and `missed` when some of them may have been lost."""

    @abstractmethod
    def tell(self, *, sessions: Collection[SessionId] = (), users: Collection[UserId] = ()) -> None:
        """Tell the other replicas. Never waits and never fails; may be called in any thread."""

    @abstractmethod
    def running(self) -> AbstractAsyncContextManager[None]:
        """Send and receive until the block ends. Does not raise if nobody can be reached."""

    @abstractmethod
    def state(self) -> Literal["off", "ok", "degraded"]:
        """Return whether replicas hear of one another now; "off" if they are not meant to."""
