"""The encrypted tokens of sessions in SQL."""

from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.rows import ProviderTokensRow, SessionRow
from adapters.sql.statements import Statements, is_foreign_key
from domain.errors import SessionEnded
from domain.model.provider_tokens import SealedTokens
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import ProviderTokenRepository


class SqlProviderTokens(ProviderTokenRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, session_id: SessionId, sealed: bytes) -> None:
        row = {"session_id": session_id, "sealed": sealed}
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(ProviderTokensRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise SessionEnded from error
            raise

    async def find(self, session_id: SessionId) -> SealedTokens | None:
        found = await self._statements.read(
            select(ProviderTokensRow.sealed, ProviderTokensRow.refreshing_until).where(
                ProviderTokensRow.session_id == session_id
            )
        )
        row = found.one_or_none()
        if row is None:
            return None
        return SealedTokens(sealed=row.sealed, refreshing_until=row.refreshing_until)

    async def save(self, session_id: SessionId, sealed: bytes) -> bool:
        saved = await self._statements.write(
            update(ProviderTokensRow)
            .where(ProviderTokensRow.session_id == session_id)
            .values({"sealed": sealed, "refreshing_until": None})
        )
        return saved.rowcount == 1

    async def begin_refresh(self, session_id: SessionId, *, now: datetime, until: datetime) -> bool:
        refreshing = ProviderTokensRow.refreshing_until
        begun = await self._statements.write(
            update(ProviderTokensRow)
            .where(
                ProviderTokensRow.session_id == session_id,
                or_(refreshing.is_(None), refreshing <= now),
            )
            .values({"refreshing_until": until})
        )
        return begun.rowcount == 1

    async def end_refresh(self, session_id: SessionId) -> None:
        await self._statements.write(
            update(ProviderTokensRow)
            .where(ProviderTokensRow.session_id == session_id)
            .values({"refreshing_until": None})
        )

    async def remove(self, session_id: SessionId) -> None:
        await self._statements.write(
            delete(ProviderTokensRow).where(ProviderTokensRow.session_id == session_id)
        )

    async def remove_of_user(self, user_id: UserId) -> int:
        theirs = select(SessionRow.id).where(SessionRow.user_id == user_id)
        removed = await self._statements.write(
            delete(ProviderTokensRow).where(ProviderTokensRow.session_id.in_(theirs))
        )
        return removed.rowcount
