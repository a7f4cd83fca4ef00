"""A replica that stops hands its accounts over to the others, each when it is not busy."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from adapters.system.clock import StoppedClock
from application.settings import load
from application.use_cases import UseCases
from domain.model.caller import Caller
from domain.model.replica import Replica, ReplicaId
from domain.model.user import UserId
from entrypoints.replicas.homes import FORGOTTEN_AFTER, Homes
from tests.builders import NOON
from tests.compositions import composition

SOON = 0.1
"""Real seconds in which a replica looks several times for accounts that can leave."""


@dataclass
class Two:
    """Two replicas of one service. The clock is theirs."""

    use_cases: UseCases
    now: float = 100.0
    busy: set[UserId] = field(default_factory=set)
    """The accounts with events at the first one."""

    def __post_init__(self) -> None:
        self.here, self.there = self._homes(1), self._homes(2)

    def _homes(self, number: int) -> Homes:
        replica = Replica(id=ReplicaId(UUID(int=number)), url=f"http://10.0.0.{number}:8090")
        return Homes(
            replica,
            beat=self.use_cases.beat,
            find_home=self.use_cases.find_home,
            release_homes=self.use_cases.release_homes,
            leave_replicas=self.use_cases.leave_replicas,
            has_events=lambda user: number == 1 and user in self.busy,
            is_in_use=lambda _: True,
            now=lambda: self.now,
        )

    async def beat(self) -> None:
        for homes in (self.here, self.there, self.here):
            await homes.beat()

    async def an_account_here(self) -> UserId:
        await self.beat()
        user = await self.use_cases.create_user(
            Caller.operator(), email="ada@example.org", password="correct horse"
        )
        assert await self.here.elsewhere(user.id) is None
        return user.id

    async def is_here(self, user: UserId) -> bool:
        """Ask the other replica, which takes the account if it has no home."""
        peer = await self.there.elsewhere(user)
        return peer is not None and peer.replica.id == self.here.this


@pytest.fixture
def two() -> Iterator[Two]:
    settings = load(env_file=None, environment="test")
    with composition(settings, StoppedClock(NOON)) as container:
        yield Two(container.use_cases())


@contextmanager
def handing_over(homes: Homes) -> Iterator["asyncio.Task[None]"]:
    task = asyncio.create_task(homes.hand_over())
    try:
        yield task
    finally:
        task.cancel()


async def test_an_account_leaves_when_no_other_replica_sends_requests_from_memory(two: Two) -> None:
    user = await two.an_account_here()

    with handing_over(two.here) as task:
        await asyncio.sleep(SOON)
        before = task.done()
        two.now += FORGOTTEN_AFTER
        await asyncio.wait_for(task, 5)

    assert not before
    assert not await two.is_here(user)


async def test_an_account_stays_while_its_events_run_or_may_begin(two: Two) -> None:
    user = await two.an_account_here()
    with handing_over(two.here) as task:
        await asyncio.sleep(SOON)
        two.busy.add(user)
        two.now += FORGOTTEN_AFTER
        await asyncio.sleep(SOON)
        with_events = task.done()
        with two.here.used(user):
            two.busy.clear()
            await asyncio.sleep(SOON)
            with_request = task.done()
        await asyncio.wait_for(task, 5)

    assert (with_events, with_request) == (False, False)


async def test_other_replicas_do_not_remember_a_home_that_stops(two: Two) -> None:
    user = await two.an_account_here()
    with handing_over(two.here) as task:
        await asyncio.sleep(SOON)
        await two.there.beat()
        before = await two.is_here(user)
        two.now += FORGOTTEN_AFTER
        await asyncio.wait_for(task, 5)
    two.now -= FORGOTTEN_AFTER

    assert before
    assert not await two.is_here(user)


async def test_an_account_returns_for_a_request_that_was_on_its_way(two: Two) -> None:
    user = await two.an_account_here()
    with handing_over(two.here) as task:
        await asyncio.sleep(SOON)
        two.now += FORGOTTEN_AFTER
        await asyncio.wait_for(task, 5)

    await two.here.must_be_here(user)

    assert await two.is_here(user)


async def test_nothing_is_handed_over_if_no_other_replica_stays(two: Two) -> None:
    user = await two.an_account_here()
    two.there.stop()
    await two.there.beat()

    with handing_over(two.here) as task:
        await asyncio.wait_for(task, 5)

    assert await two.is_here(user)
