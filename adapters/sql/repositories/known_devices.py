"""Known devices in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.mappers import KNOWN_DEVICES, known_device_from
from adapters.sql.rows import KnownDeviceRow
from adapters.sql.statements import Statements, is_foreign_key
from domain.errors import KnownDeviceNotFound, UserNotFound
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import KnownDeviceRepository

_NEWEST = (KnownDeviceRow.seen_at.desc(), KnownDeviceRow.id.desc())


class SqlKnownDevices(KnownDeviceRepository):
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, device: KnownDevice) -> None:
        row = {
            "id": device.id,
            "user_id": device.user_id,
            "secret_hash": device.secret_hash,
            "session_id": device.session_id,
            "seen_at": device.seen_at,
            "address": device.device.address,
            "agent": device.device.agent,
        }
        try:
            async with self._statements.attempt():
                await self._statements.write(insert(KnownDeviceRow).values(row))
        except IntegrityError as error:
            if is_foreign_key(error):
                raise UserNotFound from error
            raise

    async def save(self, device: KnownDevice) -> None:
        updated = await self._statements.write(
            update(KnownDeviceRow)
            .where(KnownDeviceRow.id == device.id)
            .values(
                {
                    "session_id": device.session_id,
                    "seen_at": device.seen_at,
                    "address": device.device.address,
                    "agent": device.device.agent,
                }
            )
        )
        if not updated.rowcount:
            raise KnownDeviceNotFound

    async def find(self, user_id: UserId, secret_hashes: Collection[bytes]) -> KnownDevice | None:
        found = await self._statements.read(
            KNOWN_DEVICES.where(
                KnownDeviceRow.user_id == user_id, KnownDeviceRow.secret_hash.in_(secret_hashes)
            )
            .order_by(*_NEWEST)
            .limit(1)
        )
        row = found.one_or_none()
        return None if row is None else known_device_from(row)

    async def of_user(self, user_id: UserId) -> Sequence[KnownDevice]:
        found = await self._statements.read(
            KNOWN_DEVICES.where(KnownDeviceRow.user_id == user_id).order_by(*_NEWEST)
        )
        return [known_device_from(row) for row in found]

    async def remove(self, device_ids: Sequence[KnownDeviceId]) -> int:
        return await self._remove(KnownDeviceRow.id.in_(device_ids))

    async def remove_of_session(self, session_id: SessionId) -> int:
        return await self._remove(KnownDeviceRow.session_id == session_id)

    async def remove_of_user(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        others = [] if keep is None else [KnownDeviceRow.session_id != keep]
        return await self._remove(KnownDeviceRow.user_id == user_id, *others)

    async def remove_unused(self, *, since: datetime) -> int:
        return await self._remove(KnownDeviceRow.seen_at <= since)

    async def _remove(self, *conditions: ColumnElement[bool]) -> int:
        # A fixed order keeps two transactions that remove the same devices from a deadlock.
        await self._statements.lock(
            select(KnownDeviceRow.id).where(*conditions).order_by(KnownDeviceRow.id)
        )
        removed = await self._statements.write(delete(KnownDeviceRow).where(*conditions))
        return removed.rowcount
