"""Promises of every storage about the time that events have taken."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from domain.model.event_time import EventTime, UsedTime
from domain.model.user import User
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import NOON, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTE = timedelta(minutes=1)
LONG_AGO = NOON - timedelta(days=1)


def used(by: User, *, minute: datetime = NOON, time: timedelta = timedelta(seconds=10)) -> UsedTime:
    return UsedTime(user_id=by.id, minute=minute, time=time)


async def adds(units: UnitsOfWork, *times: UsedTime) -> None:
    async with units.writing() as work:
        await work.event_times.add(times)
        await work.commit()


async def read(units: UnitsOfWork, user: User, *, after: datetime = LONG_AGO) -> EventTime:
    async with units.reading() as work:
        return await work.event_times.of_user(user.id, after=after)


async def forgets(units: UnitsOfWork, *, until: datetime) -> int:
    async with units.writing() as work:
        forgotten = await work.event_times.forget(until=until)
        await work.commit()
    return forgotten


async def test_time_of_one_minute_adds_up_to_the_microsecond(units: UnitsOfWork) -> None:
    ada = a_user()
    small = timedelta(microseconds=1)

    await adds(units, used(ada), used(ada, time=small))
    await adds(units, used(ada))

    assert await read(units, ada) == EventTime(minutes={NOON: timedelta(seconds=20) + small})


async def test_accounts_and_minutes_are_apart(units: UnitsOfWork) -> None:
    ada, bob = a_user(), a_user()

    await adds(units, used(ada), used(bob, time=MINUTE), used(ada, minute=NOON + MINUTE))

    assert (await read(units, ada)).minutes == {
        NOON: timedelta(seconds=10),
        NOON + MINUTE: timedelta(seconds=10),
    }
    assert (await read(units, bob)).minutes == {NOON: MINUTE}
    assert (await read(units, a_user())).minutes == {}


async def test_only_later_minutes_are_read(units: UnitsOfWork) -> None:
    ada = a_user()
    await adds(units, *(used(ada, minute=NOON + n * MINUTE) for n in range(3)))

    found = await read(units, ada, after=NOON)

    assert sorted(found.minutes) == [NOON + MINUTE, NOON + 2 * MINUTE]


async def test_a_thousand_hours_fit_into_one_minute(units: UnitsOfWork) -> None:
    ada = a_user()

    await adds(units, used(ada, time=timedelta(hours=1000)))

    assert (await read(units, ada)).minutes == {NOON: timedelta(hours=1000)}


async def test_nothing_is_added_without_a_commit(units: UnitsOfWork) -> None:
    ada = a_user()

    async with units.writing() as work:
        await work.event_times.add([used(ada)])

    assert (await read(units, ada)).minutes == {}


async def test_adding_nothing_is_no_error(units: UnitsOfWork) -> None:
    await adds(units)


async def test_minutes_until_a_time_are_forgotten_and_later_ones_stay(units: UnitsOfWork) -> None:
    ada = a_user()
    await adds(units, *(used(ada, minute=NOON + n * MINUTE) for n in range(3)))

    forgotten = [await forgets(units, until=NOON + MINUTE) for _ in range(2)]

    assert forgotten == [2, 0]
    assert sorted((await read(units, ada)).minutes) == [NOON + 2 * MINUTE]


async def test_two_replicas_that_add_to_the_same_minutes_lose_nothing(storage: Storage) -> None:
    people = [a_user() for _ in range(20)]
    replicas = [storage.units, storage.replica]

    async def add(number: int, ours: Sequence[User]) -> None:
        await adds(replicas[number % 2], *(used(each) for each in ours))

    await asyncio.gather(*(add(n, people[:: 1 if n % 3 else -1]) for n in range(30)))

    sums = [(await read(storage.replica, each)).minutes for each in people]
    assert sums == [{NOON: timedelta(seconds=300)}] * 20


async def test_more_accounts_than_one_statement_takes_are_added_at_once(units: UnitsOfWork) -> None:
    people = [a_user() for _ in range(1100)]

    await adds(units, *(used(each) for each in people))

    assert (await read(units, people[-1])).minutes == {NOON: timedelta(seconds=10)}
    assert await forgets(units, until=NOON) == 1100
