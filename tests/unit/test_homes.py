"""Each account has one replica that runs its events, and gets another one when that one goes."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from application.use_cases import Beat, FindHome, LeaveReplicas, ReleaseHomes
from domain.errors import ReplicaGone, StoreUnavailable
from domain.model.replica import Replica, ReplicaId
from domain.model.user import User, UserId
from domain.ports.unit_of_work import UnitOfWork
from domain.services.replicas import SILENT, ReplicaService
from entrypoints.replicas.homes import FORGOTTEN_AFTER, KNOWN_FOR, STOOD_STILL, UNUSED_FOR, Homes
from tests.builders import a_user


class Units(MemoryUnitsOfWork):
    """A store that may be out of reach."""

    is_gone = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        if self.is_gone:
            raise StoreUnavailable
        async with super().writing() as work:
            yield work


@dataclass
class Site:
    """Replicas on one store. Each has a clock of its own, which moves only when the test says so."""

    store: MemoryStore = field(default_factory=MemoryStore)
    number: int = 0
    replicas: "list[One]" = field(default_factory=list)

    async def replica(self) -> "One":
        self.number += 1
        one = One(self.number, self.store)
        self.replicas.append(one)
        for each in self.replicas:
            await each.homes.beat()
        return one

    async def has(self) -> User:
        user = a_user()
        async with MemoryUnitsOfWork(self.store).writing() as work:
            await work.users.add(user)
            await work.commit()
        return user


class One:
    """One replica. It takes no time unless the test says so."""

    def __init__(self, number: int, store: MemoryStore) -> None:
        self.id = ReplicaId(UUID(int=number))
        self.time = 0.0
        self.with_events: Collection[UserId] = ()
        self.with_pages: Collection[UserId] = ()
        self.units = Units(store)
        self.homes = Homes(
            Replica(id=self.id, url=f"http://10.0.0.{number}:8090"),
            beat=Beat(units_of_work=self.units, replicas=ReplicaService()),
            find_home=FindHome(units_of_work=self.units),
            release_homes=ReleaseHomes(units_of_work=self.units),
            leave_replicas=LeaveReplicas(units_of_work=self.units),
            has_events=lambda user_id: user_id in self.with_events,
            is_in_use=lambda user_id: user_id in self.with_pages,
            now=lambda: self.time,
        )

    async def sends(self, user: User) -> ReplicaId | None:
        """Return the replica to which a request of the account goes; None for this one."""
        peer = await self.homes.elsewhere(user.id)
        return None if peer is None else peer.replica.id

    async def beats(self, times: int = 1) -> None:
        for _ in range(times):
            await self.homes.beat()
            await self.homes.release_unused()


@pytest.fixture
def site() -> Site:
    return Site()


async def test_the_first_replica_that_an_account_comes_to_is_its_home(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()

    assert await one.sends(ada) is None
    assert await two.sends(ada) == one.id
    assert await one.sends(ada) is None


async def test_a_replica_that_stops_takes_no_account_and_spreads_them_over_the_others(
    site: Site,
) -> None:
    users = [await site.has() for _ in range(40)]
    one, two, three = [await site.replica() for _ in range(3)]
    await one.beats()

    one.homes.stop()
    sent = [await one.sends(user) for user in users]

    assert set(sent) == {two.id, three.id}
    assert [await two.sends(user) for user in users] == [
        None if home == two.id else home for home in sent
    ]


async def test_the_last_replica_keeps_its_accounts_while_it_stops(site: Site) -> None:
    ada, one = await site.has(), await site.replica()

    one.homes.stop()

    assert await one.sends(ada) is None


async def test_a_replica_that_no_longer_beats_is_gone_and_its_accounts_move(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)
    peer = await two.homes.elsewhere(ada.id)
    assert peer is not None

    await two.beats(SILENT - 1)
    assert not peer.gone.is_set()
    await two.beats()

    assert peer.gone.is_set()
    assert await two.sends(ada) is None


async def test_a_replica_that_beats_slowly_is_not_gone(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)

    for _ in range(5):
        await two.beats(SILENT - 1)
        await one.beats()

    assert await two.sends(ada) == one.id


async def test_a_replica_that_stood_still_asks_before_it_answers(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)
    await two.beats(SILENT)
    assert await two.sends(ada) is None

    one.time += STOOD_STILL + 1

    assert await one.sends(ada) == two.id


async def test_without_the_store_a_replica_goes_on_with_the_accounts_that_it_has(
    site: Site,
) -> None:
    ada, grace, one = await site.has(), await site.has(), await site.replica()
    await one.sends(ada)

    one.units.is_gone = True
    one.time += STOOD_STILL + 1

    assert await one.sends(ada) is None
    with pytest.raises(StoreUnavailable):
        await one.sends(grace)


async def test_a_replica_that_leaves_gives_its_accounts_to_the_others_at_once(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)

    await one.homes.leave()
    await two.beats()

    assert await two.sends(ada) is None


async def test_a_replica_can_leave_without_the_store(site: Site) -> None:
    one = await site.replica()
    one.units.is_gone = True

    await one.homes.leave()


async def test_a_new_home_is_noticed_when_the_last_answer_is_old(site: Site) -> None:
    ada, one, two, three = await site.has(), *[await site.replica() for _ in range(3)]
    await one.sends(ada)
    assert await three.sends(ada) == one.id
    await one.homes.leave()
    assert await two.sends(ada) is None

    assert await three.sends(ada) == one.id
    three.time += KNOWN_FOR

    assert await three.sends(ada) == two.id


async def test_nobody_is_sent_to_a_replica_that_has_gone_since_the_last_beat(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)
    assert await two.sends(ada) == one.id

    await two.beats(SILENT)

    assert await two.sends(ada) is None


async def test_a_replica_that_has_just_started_is_found(site: Site) -> None:
    ada, one = await site.has(), await site.replica()
    two = One(9, site.store)
    await two.homes.beat()
    await two.sends(ada)

    assert await one.sends(ada) == two.id


async def test_a_request_makes_one_hop(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)

    await one.homes.must_be_here(ada.id)
    with pytest.raises(ReplicaGone):
        await two.homes.must_be_here(ada.id)


async def test_a_request_that_arrives_by_a_hop_asks_again_where_the_home_is(site: Site) -> None:
    ada, one, two = await site.has(), await site.replica(), await site.replica()
    await one.sends(ada)
    assert await two.sends(ada) == one.id
    await one.homes.leave()

    await two.homes.must_be_here(ada.id)


async def test_an_account_unused_for_an_hour_may_go_to_another_replica(site: Site) -> None:
    ada, grace, one, two = (
        await site.has(),
        await site.has(),
        await site.replica(),
        await site.replica(),
    )
    for user in (ada, grace):
        await one.sends(user)
    one.with_pages = {grace.id}

    one.time += UNUSED_FOR - 1
    await one.beats()
    two.time += UNUSED_FOR
    assert await two.sends(ada) == one.id
    one.time += 2
    await one.beats()
    two.time += KNOWN_FOR

    assert await two.sends(ada) is None
    assert await two.sends(grace) == one.id


async def test_while_a_replica_stops_the_accounts_without_events_leave_it(site: Site) -> None:
    ada, grace, one, two = (
        await site.has(),
        await site.has(),
        await site.replica(),
        await site.replica(),
    )
    for user in (ada, grace):
        await one.sends(user)
    one.with_pages = {ada.id, grace.id}
    one.with_events = {grace.id}

    one.homes.stop()
    await one.beats()
    assert await one.sends(ada) is None
    one.time += FORGOTTEN_AFTER
    await one.beats()

    assert await one.sends(ada) == two.id
    assert await one.sends(grace) is None
    one.with_events = ()
    await one.beats()
    assert await one.sends(grace) == two.id
