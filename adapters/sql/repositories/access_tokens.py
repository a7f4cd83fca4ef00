"""Access tokens in SQL. One statement finds a token with its data and user."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import (
    ACCESS_TOKENS,
    ACCESS_TOKENS_AND_USERS,
    access_token_from,
    entry_from,
    user_from,
)
from adapters.sql.rows import AccessTokenRow, TokenDataRow
from adapters.sql.statements import Statements, is_foreign_key, parts
from domain.errors import AccessTokenEnded, UserNotFound
from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.state import Entries
from domain.model.user import User, UserId
from domain.ports.repositories import AccessTokenRepository

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
        found: list[AccessToken] = []
        for ids in parts(list(token_ids)):
            some = AccessTokenRow.id.in_(ids)
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
        # A fixed order keeps two transactions that remove the same tokens from a deadlock.
        for ids in parts(sorted(set(token_ids))):
            some = AccessTokenRow.id.in_(ids)
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
