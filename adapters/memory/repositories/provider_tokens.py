"""The encrypted tokens of sessions, in memory."""

from dataclasses import replace
from datetime import datetime

from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import SessionEnded
from domain.model.provider_tokens import SealedTokens
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import ProviderTokenRepository


class MemoryProviderTokens(ProviderTokenRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, session_id: SessionId, sealed: bytes) -> None:
        tables = self._transaction.writable
        if session_id not in tables.sessions:
            raise SessionEnded
        if session_id in tables.provider_tokens:
            raise RuntimeError("The session has tokens already.")
        tables.provider_tokens[session_id] = SealedTokens(sealed=sealed)

    async def find(self, session_id: SessionId) -> SealedTokens | None:
        return self._transaction.tables.provider_tokens.get(session_id)

    async def save(self, session_id: SessionId, sealed: bytes) -> bool:
        kept = self._transaction.writable.provider_tokens
        if session_id not in kept:
            return False
        kept[session_id] = SealedTokens(sealed=sealed)
        return True

    async def begin_refresh(self, session_id: SessionId, *, now: datetime, until: datetime) -> bool:
        kept = self._transaction.writable.provider_tokens
        tokens = kept.get(session_id)
        if tokens is None:
            return False
        if tokens.refreshing_until is not None and tokens.refreshing_until > now:
            return False
        kept[session_id] = replace(tokens, refreshing_until=until)
        return True

    async def end_refresh(self, session_id: SessionId) -> None:
        kept = self._transaction.writable.provider_tokens
        if session_id in kept:
            kept[session_id] = replace(kept[session_id], refreshing_until=None)

    async def remove(self, session_id: SessionId) -> None:
        self._transaction.writable.provider_tokens.pop(session_id, None)

    async def remove_of_user(self, user_id: UserId) -> int:
        tables = self._transaction.writable
        theirs = [i for i in tables.provider_tokens if tables.sessions[i].user_id == user_id]
        for session_id in theirs:
            del tables.provider_tokens[session_id]
        return len(theirs)
