"""Recognised sessions, kept for a moment so that not every request asks the store."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.state import Entries
from domain.model.user import UserId

Ticket = NewType("Ticket", int)
"""A moment: what the store said after it is older than a change that the cache was told of since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """One look into the cache. `put` demands it, so that nobody can ask the store first and the cache afterwards."""

    token: str
    found: SignedIn | None
    ticket: Ticket


class SessionCache(Protocol):
    @abstractmethod
    def look_up(self, token: str) -> Lookup:
        """Find what was put under this token, unless it is older than the cache keeps or has been dropped."""

    @abstractmethod
    def put(self, signed_in: SignedIn, *, after: Lookup) -> None:
        """Keep what the store answered after this lookup; not if the session or its account changed since then."""

    @abstractmethod
    def ticket(self) -> Ticket:
        """Take it before the unit of work that writes, and hand it to `renew_data`."""

    @abstractmethod
    def drop_sessions(self, session_ids: Sequence[SessionId]) -> None:
        """From now on these are asked of the store."""

    @abstractmethod
    def drop_user(self, user_id: UserId) -> None:
        """From now on all sessions of the account are asked of the store."""

    @abstractmethod
    def renew_data(self, session_id: SessionId, data: Entries, *, ticket: Ticket) -> None:
        """Replace the session's data by what was written after the ticket; drop the session if it changed since then,
        because nobody knows which of the two writes was later. The session itself grows no younger in the cache."""

    @abstractmethod
    def renew_touched(self, touched: SignedIn) -> None:
        """Replace the session, and its access token, by those that were just touched; user and data stay as they are.
        The session grows no younger in the cache."""
