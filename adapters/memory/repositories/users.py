"""Accounts in memory."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from adapters.memory.repositories.shared import must, user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from adapters.memory.store import Tables
from domain.errors import EmailTaken
from domain.model.user import Email, User, UserId
from domain.ports.repositories import UserRepository


class MemoryUsers(UserRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, user: User) -> None:
        tables = self._transaction.writable
        _must_be_free(tables, user)
        if user.id in tables.users:
            raise RuntimeError("Another account has this id.")
        tables.users[user.id] = user

    async def save(self, user: User) -> None:
        tables = self._transaction.writable
        stored = user_of(tables, user.id)
        _must_be_free(tables, user)
        tables.users[user.id] = replace(user, created_at=stored.created_at)

    async def get(self, user_id: UserId) -> User:
        return user_of(self._transaction.tables, user_id)

    async def get_locked(self, user_id: UserId) -> User:
        return user_of(self._transaction.writable, user_id)

    async def find_by_email(self, email: Email) -> User | None:
        return next((u for u in self._transaction.tables.users.values() if u.email == email), None)

    async def page(
        self, *, limit: int, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        users = self._transaction.tables.users
        cursor = users.get(after) if after is not None else None
        behind = "" if cursor is None else cursor.email
        found = [
            user
            for user in users.values()
            if user.email > behind
            and any(_folded(search) in _folded(text) for text in (user.email, user.name))
        ]
        return sorted(found, key=lambda user: user.email)[:limit]

    async def count_active_admins(self, *, locked: bool = False) -> int:
        tables = self._transaction.writable if locked else self._transaction.tables
        return sum(user.is_acting_admin for user in tables.users.values())

    async def break_glass(self) -> Sequence[User]:
        marked = [user for user in self._transaction.tables.users.values() if user.is_break_glass]
        return sorted(marked, key=lambda user: user.email)


def _must_be_free(tables: Tables, user: User) -> None:
    must(
        all(other.email != user.email or other.id == user.id for other in tables.users.values()),
        EmailTaken,
    )


def _folded(text: str) -> str:
    """Return the text normalized and casefolded, so that "Ärger" is found as "ärger" and in every Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
