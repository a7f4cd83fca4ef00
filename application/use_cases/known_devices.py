"""Use cases of known devices: owners list and forget them, and the service purges them."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.audit import Act
from domain.model.caller import Caller
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.audit import AuditService
from domain.services.known_devices import KnownDeviceService


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKnownDevices:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller) -> Sequence[KnownDevice]:
        """Return the known devices of the caller's own account, the most recently seen first. Raises NotAllowed for a
        program."""
        caller.must_be_a_person()
        async with self.units_of_work.reading() as work:
            return await work.known_devices.of_user(caller.account())


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetDevice:
    units_of_work: UnitsOfWork
    devices: KnownDeviceService
    audit: AuditService

    async def __call__(self, caller: Caller, device_id: KnownDeviceId) -> None:
        """Forget one of the caller's own devices; its session goes on. Raises KnownDeviceNotFound, and NotAllowed for a
        program."""
        async with (
            self.audit.act(
                Act.CHANGE_USER, by=caller, of=caller.user_id, forgotten_device=str(device_id)
            ),
            self.units_of_work.writing() as work,
        ):
            await self.devices.forget(work.known_devices, device_id, by=caller)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDevices:
    units_of_work: UnitsOfWork
    devices: KnownDeviceService

    async def __call__(self) -> int:
        """Forget devices without a sign-in for a year; return how many."""
        async with self.units_of_work.writing() as work:
            forgotten = await self.devices.purge(work.known_devices)
            await work.commit()
        return forgotten
