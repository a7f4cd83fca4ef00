"""Accounts and their roles in SQL."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import USERS, changeable, folded, user_from
from adapters.sql.rows import UserRoleRow, UserRow
from adapters.sql.statements import Statements, is_taken, upsert
from domain.errors import EmailTaken, UserNotFound
from domain.model.user import ADMIN, Email, User, UserId
from domain.ports.repositories import UserRepository

_ADMINS_LOCK: Final = 4_711_001
"""Number of the advisory lock for counting admins. Row locks would not do: there may be no admin."""


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
        # Two statements: a single one that waited for the lock would read the roles as they were before the wait.
        await self._statements.lock_row(UserRow.id, user_id)
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

    async def count_active_admins(self, *, locked: bool = False) -> int:
        if locked:
            await self._statements.lock_name(_ADMINS_LOCK)
        admins = (
            select(func.count())
            .select_from(UserRoleRow)
            .join(UserRow)
            .where(UserRoleRow.role == ADMIN, UserRow.is_active)
        )
        return int((await self._statements.read(admins)).scalar_one())

    async def break_glass(self) -> Sequence[User]:
        marked = USERS.where(UserRow.is_break_glass).order_by(UserRow.email)
        return [user_from(row) for row in await self._statements.read(marked)]

    async def _add_roles(self, user: User) -> None:
        if user.roles:
            await self._statements.write(
                upsert(UserRoleRow, self._statements.dialect).on_conflict_do_nothing(),
                [{"user_id": user.id, "role": role} for role in sorted(user.roles)],
            )


def _must_not_be_email(error: IntegrityError) -> None:
    if is_taken(error, "users", "email"):
        raise EmailTaken from error


def _may_be_contained(search: str) -> bool:
    """Return False for a text with a control character or lone surrogate, which no name or e-mail has. PostgreSQL would
    refuse some of them, and a line feed separates name and e-mail in the searched column."""
    return not any(character < " " or "\ud800" <= character <= "\udfff" for character in search)
