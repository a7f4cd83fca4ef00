"""Promises of every storage about replicas and the homes of accounts."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from domain.errors import ReplicaGone, UserNotFound
from domain.model.replica import Replica, ReplicaId
from domain.model.user import User
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

HERE = Replica(id=ReplicaId(UUID(int=1)), url="http://10.0.0.1:8090")
THERE = Replica(id=ReplicaId(UUID(int=2)), url="http://10.0.0.2:8090")


async def has(units: UnitsOfWork, *replicas: Replica) -> None:
    async with units.writing() as work:
        for replica in replicas:
            await work.replicas.add(replica)
        await work.commit()


async def all_of(units: UnitsOfWork) -> list[Replica]:
    async with units.reading() as work:
        return list(await work.replicas.all())


async def home_of(units: UnitsOfWork, user: User, otherwise: Replica) -> ReplicaId:
    async with units.writing() as work:
        home = await work.replicas.home_of(user.id, otherwise=otherwise.id)
        await work.commit()
    return home


async def test_replicas_come_back_as_they_were(units: UnitsOfWork) -> None:
    stopping = replace(THERE, beats=2**40, is_stopping=True)
    await has(units, stopping, HERE)

    assert await all_of(units) == [HERE, stopping]


async def test_a_beat_is_counted_and_says_whether_the_replica_stops(units: UnitsOfWork) -> None:
    await has(units, HERE, THERE)

    async with units.writing() as work:
        assert await work.replicas.beat(HERE)
        assert await work.replicas.beat(replace(HERE, is_stopping=True))
        await work.commit()

    assert await all_of(units) == [replace(HERE, beats=2, is_stopping=True), THERE]


async def test_a_replica_that_is_gone_cannot_beat(units: UnitsOfWork) -> None:
    async with units.writing() as work:
        assert not await work.replicas.beat(HERE)
        await work.commit()

    assert await all_of(units) == []


async def test_a_replica_that_has_beaten_meanwhile_is_not_removed(units: UnitsOfWork) -> None:
    await has(units, HERE, THERE)
    async with units.writing() as work:
        await work.replicas.beat(THERE)
        await work.commit()

    async with units.writing() as work:
        assert not await work.replicas.remove(THERE)
        assert await work.replicas.remove(HERE)
        assert not await work.replicas.remove(HERE)
        await work.commit()

    assert [each.id for each in await all_of(units)] == [THERE.id]


async def test_an_account_keeps_its_first_home(storage: Storage) -> None:
    ada, grace = a_user(), a_user()
    await storage.has(ada, grace)
    await has(storage.units, HERE, THERE)

    assert await home_of(storage.units, ada, HERE) == HERE.id
    assert await home_of(storage.replica, ada, THERE) == HERE.id
    assert await home_of(storage.replica, grace, THERE) == THERE.id


async def test_of_two_replicas_at_once_both_find_the_same_home(storage: Storage) -> None:
    users = [a_user() for _ in range(20)]
    await storage.has(*users)
    await has(storage.units, HERE, THERE)

    for user in users:
        found = await asyncio.gather(
            home_of(storage.units, user, HERE), home_of(storage.replica, user, THERE)
        )
        assert len(set(found)) == 1


async def test_a_released_account_gets_another_home_and_others_stay(storage: Storage) -> None:
    ada, grace = a_user(), a_user()
    await storage.has(ada, grace)
    await has(storage.units, HERE, THERE)
    await home_of(storage.units, ada, HERE)
    await home_of(storage.units, grace, THERE)

    async with storage.units.writing() as work:
        await work.replicas.release([ada.id, grace.id], of=HERE.id)
        await work.commit()

    assert await home_of(storage.units, ada, THERE) == THERE.id
    assert await home_of(storage.units, grace, HERE) == THERE.id


@pytest.mark.parametrize("way", ["removed", "left"])
async def test_the_accounts_of_a_replica_that_is_gone_get_another_home(
    storage: Storage, way: str
) -> None:
    ada = a_user()
    await storage.has(ada)
    await has(storage.units, HERE, THERE)
    await home_of(storage.units, ada, HERE)

    async with storage.units.writing() as work:
        await (work.replicas.remove(HERE) if way == "removed" else work.replicas.leave(HERE.id))
        await work.commit()

    assert await home_of(storage.units, ada, THERE) == THERE.id


async def test_nobody_finds_a_home_at_a_replica_that_is_gone(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    with pytest.raises(ReplicaGone):
        await home_of(storage.units, ada, HERE)


async def test_an_account_that_is_gone_has_no_home(units: UnitsOfWork) -> None:
    await has(units, HERE)

    with pytest.raises(UserNotFound):
        await home_of(units, a_user(), HERE)
