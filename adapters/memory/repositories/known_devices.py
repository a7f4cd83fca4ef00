"""Known devices in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.repositories.shared import user_of
from adapters.memory.repositories.transactions import MemoryTransaction
from domain.errors import KnownDeviceNotFound
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.repositories import KnownDeviceRepository


class MemoryKnownDevices(KnownDeviceRepository):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, device: KnownDevice) -> None:
        tables = self._transaction.writable
        user_of(tables, device.user_id)
        if device.id in tables.known_devices or any(
            other.secret_hash == device.secret_hash for other in tables.known_devices.values()
        ):
            raise RuntimeError("Another known device has this id or secret.")
        tables.known_devices[device.id] = device

    async def save(self, device: KnownDevice) -> None:
        devices = self._transaction.writable.known_devices
        stored = devices.get(device.id)
        if stored is None:
            raise KnownDeviceNotFound
        devices[device.id] = replace(
            stored, session_id=device.session_id, seen_at=device.seen_at, device=device.device
        )

    async def find(self, user_id: UserId, secret_hashes: Collection[bytes]) -> KnownDevice | None:
        theirs = await self.of_user(user_id)
        return next((device for device in theirs if device.secret_hash in secret_hashes), None)

    async def of_user(self, user_id: UserId) -> Sequence[KnownDevice]:
        devices = self._transaction.tables.known_devices.values()
        theirs = [device for device in devices if device.user_id == user_id]
        return sorted(theirs, key=lambda device: (device.seen_at, device.id), reverse=True)

    async def remove(self, device_ids: Sequence[KnownDeviceId]) -> int:
        wanted = set(device_ids)
        return self._remove(lambda device: device.id in wanted)

    async def remove_of_session(self, session_id: SessionId) -> int:
        return self._remove(lambda device: device.session_id == session_id)

    async def remove_of_user(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        return self._remove(lambda device: device.user_id == user_id and device.session_id != keep)

    async def remove_unused(self, *, since: datetime) -> int:
        return self._remove(lambda device: device.seen_at <= since)

    def _remove(self, is_unwanted: Callable[[KnownDevice], bool]) -> int:
        devices = self._transaction.writable.known_devices
        unwanted = [device.id for device in devices.values() if is_unwanted(device)]
        for device_id in unwanted:
            del devices[device_id]
        return len(unwanted)
