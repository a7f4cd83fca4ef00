"""The repositories over dictionaries, bound by the same contract as those over SQL."""

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from adapters.memory.store import Kept, Tables
from domain.errors import AccessTokenEnded, DomainError, EmailTaken, SessionEnded, UserNotFound
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.file import FileClaim, FileKey
from domain.model.session import Session, SessionId
from domain.model.state import Changes, Entries, Entry, Removed, encoded
from domain.model.user import Email, User, UserId
from domain.ports.repositories import (
    AccessTokenRepository,
    FileRepository,
    SessionRepository,
    StateRepository,
    UserRepository,
)

Owner = TypeVar("Owner", bound=UUID, contravariant=True)


class MemoryTransaction:
    """The tables one unit of work sees, and whether it may change or still use them."""

    def __init__(self, tables: Tables, *, may_write: bool) -> None:
        self._tables = tables
        self._may_write = may_write
        self._is_open = True

    @property
    def tables(self) -> Tables:
        if not self._is_open:
            raise RuntimeError("The unit of work has ended.")
        return self._tables

    @property
    def writable(self) -> Tables:
        """Also for reading with a lock, which is the first half of a write."""
        if not self._may_write:
            raise RuntimeError("A unit of work from reading() must neither write nor lock.")
        return self.tables

    def close(self) -> None:
        self._is_open = False


class MemoryUsers(UserRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, user: User) -> None:
        tables = self._transaction.writable
        _must_be_free(tables, user)
        if user.id in tables.users:
            raise RuntimeError("This id has been given to another account.")
        tables.users[user.id] = user

    async def save(self, user: User) -> None:
        tables = self._transaction.writable
        stored = _user(tables, user.id)
        _must_be_free(tables, user)
        tables.users[user.id] = replace(user, created_at=stored.created_at)

    async def get(self, user_id: UserId) -> User:
        return _user(self._transaction.tables, user_id)

    async def get_locked(self, user_id: UserId) -> User:
        return _user(self._transaction.writable, user_id)

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

    async def acting_admins(self, *, locked: bool = False) -> int:
        tables = self._transaction.writable if locked else self._transaction.tables
        return sum(user.is_acting_admin for user in tables.users.values())


class MemorySessions(SessionRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        tables = self._transaction.writable
        _user(tables, session.user_id)
        if session.id in tables.sessions or any(
            other.secret_hash == session.secret_hash for other in tables.sessions.values()
        ):
            raise RuntimeError("This id or secret has been given to another session.")
        tables.sessions[session.id] = session

    async def save(self, session: Session) -> None:
        sessions = self._transaction.writable.sessions
        stored = sessions.get(session.id)
        if stored is None:
            raise SessionEnded
        sessions[session.id] = replace(stored, seen_at=session.seen_at)

    async def find(self, session_id: SessionId) -> Session | None:
        return self._transaction.tables.sessions.get(session_id)

    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        sessions = self._transaction.tables.sessions
        return [sessions[i] for i in set(session_ids) if i in sessions]

    async def find_with_user(self, secret_hash: bytes) -> tuple[Session, User, Entries] | None:
        tables = self._transaction.tables
        for session in tables.sessions.values():
            if session.secret_hash == secret_hash:
                data = _decoded(tables.session_data.get(session.id, {}))
                return session, tables.users[session.user_id], data
        return None

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        theirs = [s for s in self._transaction.tables.sessions.values() if s.user_id == user_id]
        return sorted(theirs, key=lambda s: (s.seen_at, s.created_at, s.id), reverse=True)

    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        tables = self._transaction.writable
        there = tables.sessions.keys() & set(session_ids)
        for session_id in there:
            del tables.sessions[session_id]
            tables.session_data.pop(session_id, None)
        return len(there)

    async def remove_dead(self, *, ended_by: datetime, idle_since: datetime) -> Sequence[SessionId]:
        sessions = self._transaction.writable.sessions.values()
        dead = [s.id for s in sessions if s.ends_at <= ended_by or s.seen_at <= idle_since]
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


class MemoryAccessTokens(AccessTokenRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, token: AccessToken) -> None:
        tables = self._transaction.writable
        _user(tables, token.user_id)
        if token.id in tables.access_tokens or any(
            other.secret_hash == token.secret_hash for other in tables.access_tokens.values()
        ):
            raise RuntimeError("This id or secret has been given to another token.")
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
                data = _decoded(tables.token_data.get(token.id, {}))
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


class MemoryState(StateRepository[Owner]):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        if locked:
            self._must_be_there(self._transaction.writable, owner)
        return _decoded(self._kept(self._transaction.tables).get(owner, {}))

    async def write(self, owner: Owner, changes: Changes) -> None:
        tables = self._transaction.writable
        self._must_be_there(tables, owner)
        kept = dict(self._kept(tables).get(owner, {}))
        for key, value in changes.items():
            if isinstance(value, Removed):
                kept.pop(key, None)
            else:
                _, version = kept.get(key, ("", 0))
                kept[key] = (encoded(key, value), version + 1)
        self._kept(tables)[owner] = kept

    def _kept(self, tables: Tables) -> Kept:
        raise NotImplementedError

    def _must_be_there(self, tables: Tables, owner: Owner) -> None:
        raise NotImplementedError


class MemorySessionData(MemoryState[SessionId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.session_data

    def _must_be_there(self, tables: Tables, owner: SessionId) -> None:
        _must(owner in tables.sessions, SessionEnded)


class MemoryTokenData(MemoryState[AccessTokenId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.token_data

    def _must_be_there(self, tables: Tables, owner: AccessTokenId) -> None:
        _must(owner in tables.access_tokens, AccessTokenEnded)


class MemoryAccountState(MemoryState[UserId]):
    def _kept(self, tables: Tables) -> Kept:
        return tables.account_state

    def _must_be_there(self, tables: Tables, owner: UserId) -> None:
        _must(owner in tables.users, UserNotFound)


class MemoryFiles(FileRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, user_id: UserId, sizes: Mapping[FileKey, int], now: datetime) -> None:
        tables = self._transaction.writable
        _user(tables, user_id)
        for key, size in sizes.items():
            tables.files[user_id, key] = FileClaim(user_id=user_id, key=key, size=size, used_at=now)

    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        files = self._transaction.tables.files
        return [files[user_id, key] for key in set(keys) if (user_id, key) in files]

    async def of(self, keys: Collection[FileKey]) -> Sequence[FileClaim]:
        asked = set(keys)
        return [claim for claim in self._transaction.tables.files.values() if claim.key in asked]

    async def total(self, user_id: UserId, *, locked: bool = False) -> int:
        if locked:
            _user(self._transaction.writable, user_id)
        claims = self._transaction.tables.files.values()
        return sum(claim.size or 0 for claim in claims if claim.user_id == user_id)

    async def mark_used(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        files = self._transaction.writable.files
        for claim in await self.owned(user_id, keys):
            files[user_id, claim.key] = replace(claim, used_at=max(now, claim.used_at))

    async def measure(self, sizes: Mapping[FileKey, int]) -> None:
        files = self._transaction.writable.files
        for claim in await self.of(sizes):
            if claim.size is None:
                files[claim.user_id, claim.key] = replace(claim, size=sizes[claim.key])

    async def unused(self, before: datetime, *, limit: int) -> Sequence[FileClaim]:
        claims = self._transaction.tables.files.values()
        unused = [claim for claim in claims if claim.used_at < before]
        return sorted(unused, key=lambda claim: claim.used_at)[:limit]

    async def remove_unused(
        self, user_id: UserId, keys: Collection[FileKey], before: datetime
    ) -> frozenset[FileKey]:
        files = self._transaction.writable.files
        claims = await self.owned(user_id, keys)
        removed = frozenset(claim.key for claim in claims if claim.used_at < before)
        for key in removed:
            del files[user_id, key]
        return removed


def _user(tables: Tables, user_id: UserId) -> User:
    try:
        return tables.users[user_id]
    except KeyError:
        raise UserNotFound from None


def _must(holds: bool, refusal: type[DomainError]) -> None:  # noqa: FBT001 - reads as a sentence.
    if not holds:
        raise refusal


def _must_be_free(tables: Tables, user: User) -> None:
    _must(
        all(other.email != user.email or other.id == user.id for other in tables.users.values()),
        EmailTaken,
    )


def _newness(session: Session) -> tuple[datetime, UUID]:
    return session.created_at, session.id


def _folded(text: str) -> str:
    """So that "Ärger" is found as "ärger", and however it was composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _decoded(kept: dict[str, tuple[str, int]]) -> Entries:
    return {key: Entry(value=json.loads(text), version=v) for key, (text, v) in kept.items()}
