"""The repositories over SQL: one statement each where that is possible, the same for SQLite and PostgreSQL. What runs for
every event is put together once, which takes as long as to run it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Insert, Select, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import (
    ACCESS_TOKENS,
    ACCESS_TOKENS_AND_USERS,
    SESSIONS,
    SESSIONS_AND_USERS,
    USERS,
    access_token_from,
    changeable,
    entry_from,
    folded,
    session_from,
    user_from,
)
from adapters.sql.rows import (
    AccessTokenRow,
    AccountStateRow,
    FileRow,
    SessionDataRow,
    SessionRow,
    TokenDataRow,
    UserRoleRow,
    UserRow,
)
from adapters.sql.statements import Statements, is_foreign_key, is_taken, upsert
from domain.errors import AccessTokenEnded, DomainError, EmailTaken, SessionEnded, UserNotFound
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.file import FileKey
from domain.model.session import Session, SessionId
from domain.model.state import Changes, Entries, Removed, encoded
from domain.model.user import ADMIN, Email, User, UserId
from domain.ports.repositories import (
    AccessTokenRepository,
    FileRepository,
    SessionRepository,
    StateRepository,
    UserRepository,
)

_OwnerRow = UserRow | SessionRow | AccessTokenRow
_EntryRow = AccountStateRow | SessionDataRow | TokenDataRow
Owner = TypeVar("Owner", bound=UUID, contravariant=True)

ADMINS_LOCK: Final = 4_711_001
"""Whoever counts the admins to act upon it; rows cannot be locked for it, since there may be none."""

_AT_ONCE: Final = 500
"""Ids in one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


class SqlUsers(UserRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, user: User) -> None:
        row = {"id": user.id, "created_at": user.created_at, **changeable(user)}
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(UserRow).values(row))
        except IntegrityError as error:
            _must_not_be_email(error)
            raise
        await self._add_roles(user)

    async def save(self, user: User) -> None:
        statement = update(UserRow).where(UserRow.id == user.id).values(changeable(user))
        try:
            async with self._statements.attempt():
                updated = await self._statements.write(statement)
        except IntegrityError as error:
            _must_not_be_email(error)
            raise
        if not updated.rowcount:
            raise UserNotFound
        await self._statements.write(
            delete(UserRoleRow).where(
                UserRoleRow.user_id == user.id, UserRoleRow.role.not_in(user.roles)
            )
        )
        await self._add_roles(user)

    async def get(self, user_id: UserId) -> User:
        found = await self._statements.read(USERS.where(UserRow.id == user_id))
        row = found.one_or_none()
        if row is None:
            raise UserNotFound
        return user_from(row)

    async def get_locked(self, user_id: UserId) -> User:
        # Two statements: what one sees beside the row it waited for, the roles, is older than the lock.
        await self._statements.lock(_row_of(UserRow), {"owner": user_id})
        return await self.get(user_id)

    async def find_by_email(self, email: Email) -> User | None:
        found = await self._statements.read(USERS.where(UserRow.email == email))
        row = found.one_or_none()
        return None if row is None else user_from(row)

    async def page(
        self, *, limit: int, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        if not _may_be_contained(search):
            return []
        users = USERS.order_by(UserRow.email).limit(limit)
        if after is not None:
            cursor = select(UserRow.email).where(UserRow.id == after).correlate(None)
            users = users.where(UserRow.email > func.coalesce(cursor.scalar_subquery(), ""))
        if search:
            users = users.where(UserRow.search.contains(folded(search), autoescape=True))
        return [user_from(row) for row in await self._statements.read(users)]

    async def acting_admins(self, *, locked: bool = False) -> int:
        if locked:
            await self._statements.lock_name(ADMINS_LOCK)
        admins = (
            select(func.count())
            .select_from(UserRoleRow)
            .join(UserRow)
            .where(UserRoleRow.role == ADMIN, UserRow.is_active)
        )
        return int((await self._statements.read(admins)).scalar_one())

    async def _add_roles(self, user: User) -> None:
        if user.roles:
            await self._statements.write(
                upsert(UserRoleRow, self._statements.dialect).on_conflict_do_nothing(),
                [{"user_id": user.id, "role": role} for role in sorted(user.roles)],
            )


_SESSION_OF_SECRET: Final = (
    SESSIONS_AND_USERS.add_columns(SessionDataRow.key, SessionDataRow.value, SessionDataRow.version)
    .outerjoin(SessionDataRow, SessionDataRow.owner_id == SessionRow.id)
    .where(SessionRow.secret_hash == bindparam("secret_hash"))
)


class SqlSessions(SessionRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, session: Session) -> None:
        row = {
            "id": session.id,
            "user_id": session.user_id,
            "secret_hash": session.secret_hash,
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "ends_at": session.ends_at,
            "address": session.device.address,
            "agent": session.device.agent,
        }
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(SessionRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise UserNotFound from error
            raise

    async def save(self, session: Session) -> None:
        updated = await self._statements.write(
            update(SessionRow)
            .where(SessionRow.id == session.id)
            .values({"seen_at": session.seen_at})
        )
        if not updated.rowcount:
            raise SessionEnded

    async def find(self, session_id: SessionId) -> Session | None:
        found = await self._statements.read(SESSIONS.where(SessionRow.id == session_id))
        row = found.one_or_none()
        return None if row is None else session_from(row)

    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        ids = list(session_ids)
        found: list[Session] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = SessionRow.id.in_(ids[start : start + _AT_ONCE])
            found.extend(map(session_from, await self._statements.read(SESSIONS.where(some))))
        return found

    async def find_with_user(self, secret_hash: bytes) -> tuple[Session, User, Entries] | None:
        found = await self._statements.read(_SESSION_OF_SECRET, {"secret_hash": secret_hash})
        rows = found.all()
        if not rows:
            return None
        data = {row.key: entry_from(row) for row in rows if row.key is not None}
        return session_from(rows[0]), user_from(rows[0]), data

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        found = await self._statements.read(
            SESSIONS.where(SessionRow.user_id == user_id).order_by(
                SessionRow.seen_at.desc(), SessionRow.created_at.desc(), SessionRow.id.desc()
            )
        )
        return [session_from(row) for row in found]

    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        removed = 0
        # In one order everywhere, so that two who remove the same sessions do not wait for each other.
        ids = sorted(set(session_ids))
        for start in range(0, len(ids), _AT_ONCE):
            some = SessionRow.id.in_(ids[start : start + _AT_ONCE])
            if len(ids) > 1:
                await self._statements.lock(
                    select(SessionRow.id).where(some).order_by(SessionRow.id)
                )
            removed += (await self._statements.write(delete(SessionRow).where(some))).rowcount
        return removed

    async def remove_dead(self, *, ended_by: datetime, idle_since: datetime) -> Sequence[SessionId]:
        dead = or_(SessionRow.ends_at <= ended_by, SessionRow.seen_at <= idle_since)
        await self._statements.lock(select(SessionRow.id).where(dead).order_by(SessionRow.id))
        removed = await self._statements.write(
            delete(SessionRow).where(dead).returning(SessionRow.id)
        )
        return [SessionId(row.id) for row in removed]

    async def page(
        self, *, limit: int, after: SessionId | None = None
    ) -> Sequence[tuple[Session, User]]:
        newest = SESSIONS_AND_USERS.order_by(SessionRow.created_at.desc(), SessionRow.id.desc())
        cursor = await self.find(after) if after is not None else None
        if cursor is not None:
            newest = newest.where(
                or_(
                    SessionRow.created_at < cursor.created_at,
                    and_(SessionRow.created_at == cursor.created_at, SessionRow.id < cursor.id),
                )
            )
        found = await self._statements.read(newest.limit(limit))
        return [(session_from(row), user_from(row)) for row in found]


_TOKEN_OF_SECRETS: Final = (
    ACCESS_TOKENS_AND_USERS.add_columns(TokenDataRow.key, TokenDataRow.value, TokenDataRow.version)
    .outerjoin(TokenDataRow, TokenDataRow.owner_id == AccessTokenRow.id)
    .where(AccessTokenRow.secret_hash.in_(bindparam("secret_hashes", expanding=True)))
)


class SqlAccessTokens(AccessTokenRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, token: AccessToken) -> None:
        row = {
            "id": token.id,
            "user_id": token.user_id,
            "name": token.name,
            "secret_hash": token.secret_hash,
            "hint": token.hint,
            "roles": None if token.roles is None else ",".join(sorted(token.roles)),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
        }
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(AccessTokenRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise UserNotFound from error
            raise

    async def save(self, token: AccessToken) -> None:
        updated = await self._statements.write(
            update(AccessTokenRow)
            .where(AccessTokenRow.id == token.id)
            .values({"last_used_at": token.last_used_at, "secret_hash": token.secret_hash})
        )
        if not updated.rowcount:
            raise AccessTokenEnded

    async def find(self, token_id: AccessTokenId) -> AccessToken | None:
        found = await self._statements.read(ACCESS_TOKENS.where(AccessTokenRow.id == token_id))
        row = found.one_or_none()
        return None if row is None else access_token_from(row)

    async def find_many(self, token_ids: Collection[AccessTokenId]) -> Sequence[AccessToken]:
        ids = list(token_ids)
        found: list[AccessToken] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = AccessTokenRow.id.in_(ids[start : start + _AT_ONCE])
            rows = await self._statements.read(ACCESS_TOKENS.where(some))
            found.extend(map(access_token_from, rows))
        return found

    async def find_with_user(
        self, secret_hashes: Collection[bytes]
    ) -> tuple[AccessToken, User, Entries] | None:
        found = await self._statements.read(
            _TOKEN_OF_SECRETS, {"secret_hashes": list(secret_hashes)}
        )
        rows = found.all()
        if not rows:
            return None
        data = {row.key: entry_from(row) for row in rows if row.key is not None}
        return access_token_from(rows[0]), user_from(rows[0]), data

    async def of_user(self, user_id: UserId) -> Sequence[AccessToken]:
        found = await self._statements.read(
            ACCESS_TOKENS.where(AccessTokenRow.user_id == user_id).order_by(
                AccessTokenRow.created_at.desc(), AccessTokenRow.id.desc()
            )
        )
        return [access_token_from(row) for row in found]

    async def remove(self, token_ids: Sequence[AccessTokenId]) -> int:
        removed = 0
        # In one order everywhere, so that two who remove the same tokens do not wait for each other.
        ids = sorted(set(token_ids))
        for start in range(0, len(ids), _AT_ONCE):
            some = AccessTokenRow.id.in_(ids[start : start + _AT_ONCE])
            if len(ids) > 1:
                await self._statements.lock(
                    select(AccessTokenRow.id).where(some).order_by(AccessTokenRow.id)
                )
            removed += (await self._statements.write(delete(AccessTokenRow).where(some))).rowcount
        return removed

    async def remove_expired(self, expired_by: datetime) -> Sequence[AccessTokenId]:
        expired = AccessTokenRow.expires_at <= expired_by
        await self._statements.lock(
            select(AccessTokenRow.id).where(expired).order_by(AccessTokenRow.id)
        )
        removed = await self._statements.write(
            delete(AccessTokenRow).where(expired).returning(AccessTokenRow.id)
        )
        return [AccessTokenId(row.id) for row in removed]


class SqlState(StateRepository[Owner]):
    """Whoever writes locks the owner's row, which is there even when no value is."""

    _owners: type[_OwnerRow]
    _entries: type[_EntryRow]
    _gone: type[DomainError]

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._locked: Owner | None = None
        """What this unit of work has locked already."""

    async def read(self, owner: Owner, *, locked: bool = False) -> Entries:
        if locked:
            await self._lock(owner)
        found = await self._statements.read(_values_of(self._entries), {"owner": owner})
        return {row.key: entry_from(row) for row in found}

    async def write(self, owner: Owner, changes: Changes) -> None:
        await self._lock(owner)
        entries = self._entries
        values = [
            {"owner_id": owner, "key": key, "value": encoded(key, value), "version": 1}
            for key, value in changes.items()
            if not isinstance(value, Removed)
        ]
        if values:
            await self._statements.write(
                _upsert_of_values(entries, self._statements.dialect), values
            )
        removed = [key for key, value in changes.items() if isinstance(value, Removed)]
        for start in range(0, len(removed), _AT_ONCE):
            some = entries.key.in_(removed[start : start + _AT_ONCE])
            await self._statements.write(delete(entries).where(entries.owner_id == owner, some))

    async def _lock(self, owner: Owner) -> None:
        if owner == self._locked:
            return
        found = await self._statements.lock(_row_of(self._owners), {"owner": owner})
        if found.one_or_none() is None:
            raise self._gone
        self._locked = owner


class SqlSessionData(SqlState[SessionId]):
    _owners = SessionRow
    _entries = SessionDataRow
    _gone = SessionEnded


class SqlTokenData(SqlState[AccessTokenId]):
    _owners = AccessTokenRow
    _entries = TokenDataRow
    _gone = AccessTokenEnded


class SqlAccountState(SqlState[UserId]):
    _owners = UserRow
    _entries = AccountStateRow
    _gone = UserNotFound


class SqlFiles(FileRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, user_id: UserId, keys: Collection[FileKey], now: datetime) -> None:
        await self._must_be_there(user_id)
        # In one order everywhere, so that two who claim the same do not wait for each other.
        rows = [{"user_id": user_id, "key": key, "claimed_at": now} for key in sorted(set(keys))]
        if rows:
            await self._statements.write(_upsert_of_files(self._statements.dialect), rows)

    async def owned(self, user_id: UserId, keys: Collection[FileKey]) -> frozenset[FileKey]:
        wanted = list(keys)
        owned: set[FileKey] = set()
        for start in range(0, len(wanted), _AT_ONCE):
            found = await self._statements.read(
                select(FileRow.key).where(
                    FileRow.user_id == user_id, FileRow.key.in_(wanted[start : start + _AT_ONCE])
                )
            )
            owned.update(FileKey(row.key) for row in found)
        return frozenset(owned)

    async def remove_older(self, claimed_before: datetime) -> int:
        removed = await self._statements.write(
            delete(FileRow).where(FileRow.claimed_at < claimed_before)
        )
        return removed.rowcount

    async def _must_be_there(self, user_id: UserId) -> None:
        found = await self._statements.lock(_row_of(UserRow), {"owner": user_id})
        if found.one_or_none() is None:
            raise UserNotFound


@cache
def _row_of(owners: type[_OwnerRow]) -> Select[*tuple[Any, ...]]:
    return select(owners.id).where(owners.id == bindparam("owner"))


@cache
def _values_of(entries: type[_EntryRow]) -> Select[*tuple[Any, ...]]:
    values = select(entries.key, entries.value, entries.version)
    return values.where(entries.owner_id == bindparam("owner"))


@cache
def _upsert_of_values(entries: type[_EntryRow], dialect: str) -> Insert:
    statement = upsert(entries, dialect)
    return statement.on_conflict_do_update(
        index_elements=[entries.owner_id, entries.key],
        set_={"value": statement.excluded.value, "version": entries.version + 1},
    )


@cache
def _upsert_of_files(dialect: str) -> Insert:
    statement = upsert(FileRow, dialect)
    return statement.on_conflict_do_update(
        index_elements=[FileRow.user_id, FileRow.key],
        set_={"claimed_at": statement.excluded.claimed_at},
    )


def _must_not_be_email(error: IntegrityError) -> None:
    if is_taken(error, "users", "email"):
        raise EmailTaken from error


def _may_be_contained(search: str) -> bool:
    """No name or e-mail has a control character or lone surrogate: PostgreSQL would refuse some of them, and the
    line feed separates the two in the searched column."""
    return not any(character < " " or "\ud800" <= character <= "\udfff" for character in search)
