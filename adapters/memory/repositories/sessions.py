"""Sessions in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory.repositories.shared import entries_of, user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import SessionEnded
from domain.model.session import Session, SessionId
from domain.model.state import Entries
from domain.model.user import User, UserId
from domain.ports.repositories import SessionRepository


class MemorySessions(SessionRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        tables = self._transaction.writable
        user_of(tables, session.user_id)
        if session.id in tables.sessions or any(
            other.secret_hash == session.secret_hash for other in tables.sessions.values()
        ):
            raise RuntimeError("Another session has this id or secret.")
        tables.sessions[session.id] = session

    async def save(self, session: Session) -> None:
        sessions = self._transaction.writable.sessions
        stored = sessions.get(session.id)
        if stored is None:
            raise SessionEnded
        sessions[session.id] = replace(stored, seen_at=session.seen_at)

    async def confirm(self, session_id: SessionId, now: datetime) -> None:
        sessions = self._transaction.writable.sessions
        stored = sessions.get(session_id)
        if stored is None:
            raise SessionEnded
        sessions[session_id] = replace(stored, confirmed_at=now)

    async def find(self, session_id: SessionId) -> Session | None:
        return self._transaction.tables.sessions.get(session_id)

    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        sessions = self._transaction.tables.sessions
        return [sessions[i] for i in set(session_ids) if i in sessions]

    async def find_with_user(self, secret_hash: bytes) -> tuple[Session, User, Entries] | None:
        tables = self._transaction.tables
        for session in tables.sessions.values():
            if session.secret_hash == secret_hash:
                data = entries_of(tables.session_data.get(session.id, {}))
                return session, tables.users[session.user_id], data
        return None

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        theirs = [s for s in self._transaction.tables.sessions.values() if s.user_id == user_id]
        return sorted(theirs, key=lambda s: (s.seen_at, s.created_at, s.id), reverse=True)

    async def of_provider(
        self, issuer: str, *, subject: str | None, sid: str | None
    ) -> Sequence[Session]:
        if subject is None and sid is None:
            return []
        return [
            session
            for session in self._transaction.tables.sessions.values()
            if session.origin is not None
            and session.origin.issuer == issuer
            and subject in {None, session.origin.subject}
            and sid in {None, session.origin.sid}
        ]

    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        tables = self._transaction.writable
        there = tables.sessions.keys() & set(session_ids)
        for session_id in there:
            del tables.sessions[session_id]
            tables.session_data.pop(session_id, None)
            tables.provider_tokens.pop(session_id, None)
        return len(there)

    async def remove_dead(
        self, *, ended_by: datetime, idle_since: datetime, spares_remembered: bool
    ) -> Sequence[SessionId]:
        dead = [
            session.id
            for session in self._transaction.writable.sessions.values()
            if session.ends_at <= ended_by
            or (session.seen_at <= idle_since and not (spares_remembered and session.is_remembered))
        ]
        await self.remove(dead)
        return dead

    async def page(
        self, *, limit: int, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        tables = self._transaction.tables
        cursor = tables.sessions.get(after) if after is not None else None
        found = [
            session
            for session in tables.sessions.values()
            if cursor is None or _newness(session) < _newness(cursor)
        ]
        newest = sorted(found, key=_newness, reverse=True)[:limit]
        return [(session, tables.users[session.user_id]) for session in newest]


def _newness(session: Session) -> tuple[datetime, UUID]:
    return session.created_at, session.id
