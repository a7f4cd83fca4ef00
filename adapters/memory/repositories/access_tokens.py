"""Access tokens in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.repositories.shared import entries_of, user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import AccessTokenEnded
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.state import Entries
from domain.model.user import User, UserId
from domain.ports.repositories import AccessTokenRepository


class MemoryAccessTokens(AccessTokenRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, token: AccessToken) -> None:
        tables = self._transaction.writable
        user_of(tables, token.user_id)
        if token.id in tables.access_tokens or any(
            other.secret_hash == token.secret_hash for other in tables.access_tokens.values()
        ):
            raise RuntimeError("Another token has this id or secret.")
        tables.access_tokens[token.id] = token

    async def save(self, token: AccessToken) -> None:
        tables = self._transaction.writable
        stored = tables.access_tokens.get(token.id)
        if stored is None:
            raise AccessTokenEnded
        tables.access_tokens[token.id] = replace(
            stored, last_used_at=token.last_used_at, secret_hash=token.secret_hash
        )

    async def find(self, token_id: AccessTokenId) -> AccessToken | None:
        return self._transaction.tables.access_tokens.get(token_id)

    async def find_many(self, token_ids: Collection[AccessTokenId]) -> Sequence[AccessToken]:
        tokens = self._transaction.tables.access_tokens
        return [tokens[i] for i in set(token_ids) if i in tokens]

    async def find_with_user(
        self, secret_hashes: Collection[bytes]
    ) -> tuple[AccessToken, User, Entries] | None:
        tables = self._transaction.tables
        for token in tables.access_tokens.values():
            if token.secret_hash in secret_hashes:
                data = entries_of(tables.token_data.get(token.id, {}))
                return token, tables.users[token.user_id], data
        return None

    async def of_user(self, user_id: UserId) -> Sequence[AccessToken]:
        tokens = self._transaction.tables.access_tokens.values()
        theirs = [token for token in tokens if token.user_id == user_id]
        return sorted(theirs, key=lambda token: (token.created_at, token.id), reverse=True)

    async def remove(self, token_ids: Sequence[AccessTokenId]) -> int:
        tables = self._transaction.writable
        there = tables.access_tokens.keys() & set(token_ids)
        for token_id in there:
            del tables.access_tokens[token_id]
            tables.token_data.pop(token_id, None)
        return len(there)

    async def remove_expired(self, expired_by: datetime) -> Sequence[AccessTokenId]:
        tokens = self._transaction.writable.access_tokens.values()
        expired = [token.id for token in tokens if token.expires_at <= expired_by]
        await self.remove(expired)
        return expired
