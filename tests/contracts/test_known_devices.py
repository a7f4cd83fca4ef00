"""Promises of every storage about known devices."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import KnownDeviceNotFound, UserNotFound
from domain.model.known_device import KnownDevice, KnownDeviceId
from domain.model.session import Device, SessionId
from domain.model.user import User
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import NOON, a_known_device, a_session, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTHING = KnownDeviceId(UUID(int=2**127))
MINUTE = timedelta(minutes=1)


async def of_store(units: UnitsOfWork, user: User) -> list[KnownDevice]:
    async with units.reading() as work:
        return list(await work.known_devices.of_user(user.id))


async def test_the_devices_of_an_account_come_back_as_they_were_the_last_seen_first(
    storage: Storage,
) -> None:
    ada, grace = a_user(), a_user()
    old, new = a_known_device(of=ada), a_known_device(of=ada, seen_at=NOON + MINUTE)
    hers = a_known_device(of=grace, device=Device(address="2001:db8::1", agent="Ünïcode " * 50))
    await storage.has(ada, grace, old, hers, new)

    assert await of_store(storage.units, ada) == [new, old]
    assert await of_store(storage.units, grace) == [hers]


async def test_adding_raises_user_not_found_when_the_account_is_gone(units: UnitsOfWork) -> None:
    nobody = a_user()

    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.known_devices.add(a_known_device(of=nobody))
        await work.commit()

    assert await of_store(units, nobody) == []


async def test_saving_updates_the_last_sign_in_and_nothing_else(storage: Storage) -> None:
    ada = a_user()
    known = a_known_device(of=ada)
    session = a_session(of=ada, created_at=NOON + MINUTE, device=Device(address="x", agent="y"))
    await storage.has(ada, known)
    changed = a_known_device(of=ada, id=known.id).signed_in(session)

    async with storage.units.writing() as work:
        await work.known_devices.save(changed)
        await work.commit()

    assert await of_store(storage.units, ada) == [known.signed_in(session)]


async def test_a_forgotten_device_stays_forgotten_when_saved(storage: Storage) -> None:
    ada = a_user()
    known = a_known_device(of=ada)
    await storage.has(ada, known)

    async with storage.units.writing() as work:
        await work.known_devices.remove([known.id])
        with pytest.raises(KnownDeviceNotFound):
            await work.known_devices.save(known)
        await work.commit()

    assert await of_store(storage.units, ada) == []


async def test_one_of_several_hashes_finds_the_device_of_its_account_only(
    storage: Storage,
) -> None:
    ada, grace = a_user(), a_user()
    old = a_known_device(of=ada)
    new = a_known_device(of=ada, seen_at=NOON + MINUTE)
    hers = a_known_device(of=grace, seen_at=NOON + 2 * MINUTE)
    await storage.has(ada, grace, new, old, hers)
    hashes = [old.secret_hash, hers.secret_hash, new.secret_hash]

    async with storage.units.reading() as work:
        assert await work.known_devices.find(ada.id, hashes) == new
        assert await work.known_devices.find(ada.id, hashes[:2]) == old
        assert await work.known_devices.find(grace.id, hashes) == hers
        assert await work.known_devices.find(grace.id, [old.secret_hash]) is None
        assert await work.known_devices.find(ada.id, [b"\0" * 32]) is None
        assert await work.known_devices.find(ada.id, []) is None


async def test_removing_devices_returns_how_many_existed(storage: Storage) -> None:
    ada, grace = a_user(), a_user()
    one, two, kept, hers = (*(a_known_device(of=ada) for _ in range(3)), a_known_device(of=grace))
    await storage.has(ada, grace, one, two, kept, hers)

    async with storage.units.writing() as work:
        removed = [
            await work.known_devices.remove([one.id, NOTHING, one.id]),
            await work.known_devices.remove([one.id]),
            await work.known_devices.remove([]),
            await work.known_devices.remove_of_session(two.session_id),
            await work.known_devices.remove_of_session(SessionId(NOTHING)),
        ]
        await work.commit()

    assert removed == [1, 0, 0, 1, 0]
    assert await of_store(storage.units, ada) == [kept]
    assert await of_store(storage.units, grace) == [hers]


async def test_all_devices_of_an_account_are_removed_except_that_of_one_session(
    storage: Storage,
) -> None:
    ada, grace = a_user(), a_user()
    one, two, kept, hers = (*(a_known_device(of=ada) for _ in range(3)), a_known_device(of=grace))
    await storage.has(ada, grace, one, two, kept, hers)

    async with storage.units.writing() as work:
        others = await work.known_devices.remove_of_user(ada.id, keep=kept.session_id)
        await work.commit()
    left = await of_store(storage.units, ada)
    async with storage.units.writing() as work:
        rest = await work.known_devices.remove_of_user(ada.id)
        await work.commit()

    assert (others, left, rest) == (2, [kept], 1)
    assert await of_store(storage.units, ada) == []
    assert await of_store(storage.units, grace) == [hers]


async def test_unused_devices_are_removed(storage: Storage) -> None:
    ada = a_user()
    unused = a_known_device(of=ada)
    used = a_known_device(of=ada, seen_at=NOON + timedelta(microseconds=1))
    await storage.has(ada, unused, used)

    async with storage.units.writing() as work:
        removed = await work.known_devices.remove_unused(since=NOON)
        await work.commit()

    assert removed == 1
    assert await of_store(storage.units, ada) == [used]


async def test_a_sign_in_does_not_restore_a_device_that_is_forgotten_at_the_same_time(
    storage: Storage,
) -> None:
    ada = a_user()
    devices = [a_known_device(of=ada) for _ in range(10)]
    await storage.has(ada, *devices)

    async def use(known: KnownDevice) -> None:
        async with storage.units.writing() as work:
            await work.known_devices.save(known)
            await work.commit()

    async def forget(known: KnownDevice) -> None:
        async with storage.replica.writing() as work:
            await work.known_devices.remove_of_session(known.session_id)
            await work.commit()

    race = [meet(known) for known in devices for meet in (use, forget, use)]
    results = await asyncio.gather(*race, return_exceptions=True)

    assert {type(result) for result in results} <= {type(None), KnownDeviceNotFound}
    assert await of_store(storage.units, ada) == []
