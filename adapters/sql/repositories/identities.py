"""Identities and spent logout tokens in SQL."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import IDENTITIES, identity_from
from adapters.sql.rows import IdentityRow, SpentLogoutTokenRow
from adapters.sql.statements import Statements, is_foreign_key, upsert
from domain.errors import IdentityTaken, UserNotFound
from domain.model.identity import Identity
from domain.model.user import UserId
from domain.ports.repositories import IdentityRepository


class SqlIdentities(IdentityRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, identity: Identity) -> None:
        row = {
            "issuer": identity.issuer,
            "subject": identity.subject,
            "user_id": identity.user_id,
            "created_at": identity.created_at,
        }
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(IdentityRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise UserNotFound from error
            # The table has no other constraints than the two unique ones.
            raise IdentityTaken from error

    async def find(self, issuer: str, subject: str) -> Identity | None:
        found = await self._statements.read(
            IDENTITIES.where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
        )
        row = found.one_or_none()
        return None if row is None else identity_from(row)

    async def of_user(self, user_id: UserId) -> Sequence[Identity]:
        theirs = IDENTITIES.where(IdentityRow.user_id == user_id).order_by(IdentityRow.issuer)
        return [identity_from(row) for row in await self._statements.read(theirs)]

    async def remove_of_user(self, user_id: UserId) -> int:
        removed = await self._statements.write(
            delete(IdentityRow).where(IdentityRow.user_id == user_id)
        )
        return removed.rowcount

    async def spend_logout_token(self, key: bytes, *, expires_at: datetime) -> bool:
        added = await self._statements.write(
            upsert(SpentLogoutTokenRow, self._statements.dialect)
            .values({"key": key, "expires_at": expires_at})
            .on_conflict_do_nothing()
        )
        return added.rowcount == 1

    async def forget_logout_tokens(self, *, expired_by: datetime) -> int:
        removed = await self._statements.write(
            delete(SpentLogoutTokenRow).where(SpentLogoutTokenRow.expires_at <= expired_by)
        )
        return removed.rowcount
