"""A short-lived cache of recognised sessions, so that not every request asks the store."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.state import Entries
from domain.model.user import UserId

Ticket = NewType("Ticket", int)
"""A point in time. The cache rejects data that was read from the store after it if the cache learned of a change since
then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The result of one lookup. `put` requires it, so that nobody can ask the store first and the cache afterwards."""

    token: str
    found: SignedIn | None
    ticket: Ticket


class SessionCache(Protocol):
    @abstractmethod
    def look_up(self, token: str) -> Lookup:
        """Return the entry of this token, unless it has expired or was dropped."""

    @abstractmethod
    def put(self, signed_in: SignedIn, *, after: Lookup) -> None:
        """Store what the database returned after this lookup, unless the session or its account has changed since then."""

    @abstractmethod
    def ticket(self) -> Ticket:
        """Return a ticket for `renew_data`. Take it before the unit of work that writes."""

    @abstractmethod
    def drop_sessions(self, session_ids: Sequence[SessionId]) -> None:
        """Drop these sessions: the next lookup asks the store."""

    @abstractmethod
    def drop_user(self, user_id: UserId) -> None:
        """Drop all sessions of the account: the next lookup asks the store."""

    @abstractmethod
    def renew_data(self, session_id: SessionId, data: Entries, *, ticket: Ticket) -> None:
        """Replace the session's data by the data written after the ticket. Drop the session if it changed since then,
        because the order of the two writes is unknown. The entry's expiry stays the same."""

    @abstractmethod
    def renew_touched(self, touched: SignedIn) -> None:
        """Replace the session and its access token by the touched ones; keep the user and data. The entry's expiry
        stays the same."""
