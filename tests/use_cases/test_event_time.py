"""Quotas of event time: who has which, what is used, and when it is free again."""

from datetime import timedelta

import pytest

from adapters.system.clock import StoppedClock
from application.settings import load
from domain.errors import EventTimeUsedUp
from domain.model.event_time import EventQuota, EventTime, EventTimePolicy, UsedTime, minute_of
from domain.model.user import User
from tests.builders import NOON
from tests.compositions import composition
from tests.use_cases.conftest import House

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def uses(house: House, user: User, *, minutes: float) -> None:
    minute = minute_of(house.clock.now())
    used = UsedTime(user_id=user.id, minute=minute, time=minutes * MINUTE)
    await house.use_cases.add_event_time([used])


def test_the_largest_quota_of_everybody_and_of_the_roles_counts() -> None:
    policy = EventTimePolicy(
        everybody=HOUR, by_role={"analyst": 4 * HOUR, "tester": 2 * HOUR, "admin": None}
    )

    found = [
        policy.quota_of(roles)
        for roles in ((), ("guest",), ("tester",), ("tester", "analyst"), ("tester", "admin"))
    ]

    assert found == [HOUR, HOUR, 2 * HOUR, 4 * HOUR, None]


def test_without_a_quota_nobody_has_one() -> None:
    assert EventTimePolicy().quota_of(["analyst"]) is None
    assert not EventTimePolicy().has_quota


def test_a_used_minute_counts_for_an_hour_from_its_beginning() -> None:
    used = EventTime(minutes={NOON: 3 * MINUTE, NOON + MINUTE: 2 * MINUTE})

    totals = [
        used.total(NOON + HOUR + after) for after in (-timedelta(seconds=1), 0 * MINUTE, MINUTE)
    ]

    assert totals == [5 * MINUTE, 2 * MINUTE, 0 * MINUTE]


def test_the_refusal_says_when_enough_is_free_again() -> None:
    used = EventTime(
        minutes={NOON: 30 * MINUTE, NOON + 5 * MINUTE: 30 * MINUTE, NOON + 9 * MINUTE: 30 * MINUTE}
    )
    now = NOON + 52 * MINUTE + timedelta(seconds=30)

    with pytest.raises(EventTimeUsedUp) as refused:
        used.must_be_below(60 * MINUTE, now)

    assert refused.value.retry_after == timedelta(minutes=12, seconds=30)
    assert refused.value.sentence == (
        "You have used your 60 minutes of computing of the last hour. "
        "You can run events again at 13:05 UTC (in 13 minutes)."
    )
    used.must_be_below(60 * MINUTE, NOON + HOUR + 5 * MINUTE)


def test_a_single_minute_is_said_in_the_singular() -> None:
    with pytest.raises(EventTimeUsedUp) as refused:
        EventTime(minutes={NOON: MINUTE}).must_be_below(MINUTE, NOON + 59 * MINUTE)

    assert refused.value.sentence == (
        "You have used your 1 minute of computing of the last hour. "
        "You can run events again at 13:00 UTC (in 1 minute)."
    )


def test_what_is_below_the_quota_is_not_refused() -> None:
    EventTime(minutes={NOON: MINUTE - timedelta.resolution}).must_be_below(MINUTE, NOON)
    EventTime().must_be_below(MINUTE, NOON)


async def test_an_account_sees_its_own_time_of_the_last_hour() -> None:
    settings = load(env_file=None, environment="test", event_minutes="60,analyst=90")
    clock = StoppedClock()
    with composition(settings, clock) as container:
        house = House(container, clock)
        ada, bob = await house.has(), await house.has("bob@example.org", roles={"analyst"})
        me, him = await house.sign_in(), await house.sign_in("bob@example.org")
        await uses(house, ada, minutes=10)
        house.passes(minutes=30)
        await uses(house, ada, minutes=2.5)
        await uses(house, bob, minutes=1)

        first = await house.use_cases.find_event_quota(me.caller)
        house.passes(minutes=29)
        almost = await house.use_cases.find_event_quota(me.caller)
        house.passes(minutes=1)
        later = await house.use_cases.find_event_quota(me.caller)

        assert first == almost == EventQuota(used=12.5 * MINUTE, quota=HOUR)
        assert later == EventQuota(used=2.5 * MINUTE, quota=HOUR)
        assert await house.use_cases.find_event_quota(him.caller) == EventQuota(
            used=MINUTE, quota=90 * MINUTE
        )


async def test_without_a_quota_nothing_is_found(house: House) -> None:
    ada = await house.has()
    me = await house.sign_in()
    await uses(house, ada, minutes=10)

    assert await house.use_cases.find_event_quota(me.caller) is None


async def test_used_time_is_purged_after_two_hours(house: House) -> None:
    ada = await house.has()
    await uses(house, ada, minutes=1)
    house.passes(hours=1, minutes=59)
    too_early = await house.use_cases.purge_event_time()
    house.passes(minutes=1)

    assert (too_early, await house.use_cases.purge_event_time()) == (0, 1)
