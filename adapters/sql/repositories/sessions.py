"""Sessions in SQL. One statement finds a session with its data and user."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import SESSIONS, SESSIONS_AND_USERS, entry_from, session_from, user_from
from adapters.sql.rows import SessionDataRow, SessionRow
from adapters.sql.statements import Statements, is_foreign_key, parts
from domain.errors import SessionEnded, UserNotFound
from domain.model.session import Session, SessionId
from domain.model.state import Entries
from domain.model.user import User, UserId
from domain.ports.repositories import SessionRepository

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
            "issuer": session.origin and session.origin.issuer,
            "subject": session.origin and session.origin.subject,
            "sid": session.origin and session.origin.sid,
            "is_remembered": session.is_remembered,
            "confirmed_at": session.confirmed_at,
        }
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(SessionRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise UserNotFound from error
            raise

    async def save(self, session: Session) -> None:
        await self._update(session.id, {"seen_at": session.seen_at})

    async def confirm(self, session_id: SessionId, now: datetime) -> None:
        await self._update(session_id, {"confirmed_at": now})

    async def _update(self, session_id: SessionId, values: Mapping[str, datetime]) -> None:
        updated = await self._statements.write(
            update(SessionRow).where(SessionRow.id == session_id).values(values)
        )
        if not updated.rowcount:
            raise SessionEnded

    async def find(self, session_id: SessionId) -> Session | None:
        found = await self._statements.read(SESSIONS.where(SessionRow.id == session_id))
        row = found.one_or_none()
        return None if row is None else session_from(row)

    async def find_many(self, session_ids: Collection[SessionId]) -> Sequence[Session]:
        found: list[Session] = []
        for ids in parts(list(session_ids)):
            some = SessionRow.id.in_(ids)
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

    async def of_provider(
        self, issuer: str, *, subject: str | None, sid: str | None
    ) -> Sequence[Session]:
        if subject is None and sid is None:
            return []
        theirs = SESSIONS.where(SessionRow.issuer == issuer)
        if subject is not None:
            theirs = theirs.where(SessionRow.subject == subject)
        if sid is not None:
            theirs = theirs.where(SessionRow.sid == sid)
        return [session_from(row) for row in await self._statements.read(theirs)]

    async def remove(self, session_ids: Sequence[SessionId]) -> int:
        removed = 0
        # A fixed order keeps two transactions that remove the same sessions from a deadlock.
        for ids in parts(sorted(set(session_ids))):
            some = SessionRow.id.in_(ids)
            if len(ids) > 1:
                await self._statements.lock(
                    select(SessionRow.id).where(some).order_by(SessionRow.id)
                )
            removed += (await self._statements.write(delete(SessionRow).where(some))).rowcount
        return removed

    async def remove_dead(
        self, *, ended_by: datetime, idle_since: datetime, spares_remembered: bool
    ) -> Sequence[SessionId]:
        idle = SessionRow.seen_at <= idle_since
        if spares_remembered:
            idle = and_(idle, SessionRow.is_remembered.is_(False))
        dead = or_(SessionRow.ends_at <= ended_by, idle)
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
