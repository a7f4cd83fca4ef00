"""Recognised sessions, kept for a moment so that not every request asks the store."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.state import Entries
from domain.model.user import UserId


class SessionCache(Protocol):
    @abstractmethod
    def find(self, token: str) -> SignedIn | None:
        """What was put under this token, unless it is older than the cache keeps or has been dropped."""

    @abstractmethod
    def generation(self) -> int:
        """Grows with every drop. Read it before asking the store, and hand it to `put`."""

    @abstractmethod
    def put(self, token: str, signed_in: SignedIn, *, generation: int) -> None:
        """Keeps it; or not, when something was dropped since `generation`: it may be that which was just read."""

    @abstractmethod
    def drop_sessions(self, session_ids: Sequence[SessionId]) -> None:
        """From now on these are asked of the store."""

    @abstractmethod
    def drop_user(self, user_id: UserId) -> None:
        """From now on all sessions of the account are asked of the store."""

    @abstractmethod
    def renew_data(self, session_id: SessionId, data: Entries) -> None:
        """The session's data as just written; the session itself grows no younger in the cache."""
