"""Identities at providers, in memory."""

from collections.abc import Sequence
from datetime import datetime

from adapters.memory.repositories.shared import user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import IdentityTaken
from domain.model.identity import Identity
from domain.model.user import UserId
from domain.ports.repositories import IdentityRepository


class MemoryIdentities(IdentityRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, identity: Identity) -> None:
        tables = self._transaction.writable
        user_of(tables, identity.user_id)
        others = await self.of_user(identity.user_id)
        is_taken = (identity.issuer, identity.subject) in tables.identities
        if is_taken or any(other.issuer == identity.issuer for other in others):
            raise IdentityTaken
        tables.identities[identity.issuer, identity.subject] = identity

    async def find(self, issuer: str, subject: str) -> Identity | None:
        return self._transaction.tables.identities.get((issuer, subject))

    async def of_user(self, user_id: UserId) -> Sequence[Identity]:
        identities = self._transaction.tables.identities.values()
        theirs = [identity for identity in identities if identity.user_id == user_id]
        return sorted(theirs, key=lambda identity: identity.issuer)

    async def remove_of_user(self, user_id: UserId) -> int:
        identities = self._transaction.writable.identities
        theirs = await self.of_user(user_id)
        for identity in theirs:
            del identities[identity.issuer, identity.subject]
        return len(theirs)

    async def spend_logout_token(self, key: bytes, *, expires_at: datetime) -> bool:
        spent = self._transaction.writable.spent_logout_tokens
        if key in spent:
            return False
        spent[key] = expires_at
        return True

    async def forget_logout_tokens(self, *, expired_by: datetime) -> int:
        spent = self._transaction.writable.spent_logout_tokens
        expired = [key for key, expires_at in spent.items() if expires_at <= expired_by]
        for key in expired:
            del spent[key]
        return len(expired)
