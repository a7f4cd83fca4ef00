"""The timeouts of a session, and its device."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import SessionEnded
from domain.model.session import KEPT_FOR, Device, SessionPolicy
from tests.builders import NOON, a_session, a_user

SECOND = timedelta(seconds=1)
POLICY = SessionPolicy(idle=timedelta(minutes=30), absolute=timedelta(hours=12), per_user=10)


@pytest.mark.asvs("V7.3.1")
def test_a_session_ends_after_its_idle_timeout() -> None:
    session = a_session(of=a_user())

    session.must_be_live(NOON + timedelta(minutes=30) - timedelta(seconds=1), POLICY)

    with pytest.raises(SessionEnded):
        session.must_be_live(NOON + timedelta(minutes=30), POLICY)


@pytest.mark.asvs("V7.3.2")
def test_a_session_ends_after_its_absolute_timeout_even_if_active() -> None:
    session = a_session(of=a_user()).seen(NOON + timedelta(hours=12) - timedelta(seconds=1))

    session.must_be_live(NOON + timedelta(hours=12) - timedelta(seconds=1), POLICY)

    with pytest.raises(SessionEnded):
        session.must_be_live(NOON + timedelta(hours=12), POLICY)


def test_a_session_has_just_expired_for_fifteen_minutes() -> None:
    session, expiry = a_session(of=a_user()), NOON + timedelta(minutes=30)
    times = [expiry - SECOND, expiry, expiry + KEPT_FOR - SECOND, expiry + KEPT_FOR]

    assert [session.has_just_expired(now, POLICY) for now in times] == [False, True, True, False]


MONTH = replace(POLICY, remembered=timedelta(days=30))


@pytest.mark.parametrize(
    ("policy", "lasts"),
    [
        (MONTH, timedelta(days=30)),
        (replace(MONTH, remembered=timedelta(days=7)), timedelta(days=7)),
        (POLICY, timedelta(minutes=30)),
    ],
    ids=["as it was opened", "shortened since", "switched off since"],
)
def test_a_remembered_session_lasts_as_long_as_the_present_policy_allows(
    policy: SessionPolicy, lasts: timedelta
) -> None:
    session = a_session(of=a_user(), ends_at=NOON + timedelta(days=30), is_remembered=True)

    assert session.expires_at(policy) == NOON + lasts


def test_activity_does_not_prolong_a_remembered_session() -> None:
    session = a_session(of=a_user(), ends_at=NOON + timedelta(days=30), is_remembered=True)
    seen = session.seen(NOON + timedelta(days=20))

    assert seen.expires_at(replace(MONTH, remembered=timedelta(days=21))) == NOON + timedelta(
        days=21
    )
    assert seen.seen(NOON + timedelta(days=29)).expires_at(POLICY) == NOON + timedelta(hours=12)


def test_a_session_is_touched_at_most_once_a_minute() -> None:
    session = a_session(of=a_user())

    assert not session.is_due_for_touch(NOON + timedelta(seconds=59), POLICY)
    assert session.is_due_for_touch(NOON + timedelta(seconds=60), POLICY)


def test_a_session_with_a_short_idle_timeout_is_touched_long_before_it_ends() -> None:
    session, policy = a_session(of=a_user()), replace(POLICY, idle=timedelta(minutes=1))

    assert not session.is_due_for_touch(NOON + timedelta(seconds=14), policy)
    assert session.is_due_for_touch(NOON + timedelta(seconds=15), policy)


def test_a_touch_never_moves_the_time_back() -> None:
    session = a_session(of=a_user(), seen_at=NOON)

    assert session.seen(NOON - timedelta(minutes=5)).seen_at == NOON


def test_a_device_is_cut_to_printable_text_of_limited_length() -> None:
    device = Device.seen("192.0.2.1" * 10, "Mozilla\0\n\x1b[31m" + "x" * 1000)

    assert len(device.address) == 45
    assert len(device.agent) == 400
    assert device.agent.startswith("Mozilla[31mx")
