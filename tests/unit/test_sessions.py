"""When a session holds, and when it does not."""

from datetime import timedelta

import pytest

from domain.errors import SessionEnded
from domain.model.session import Device, SessionPolicy
from tests.builders import NOON, a_session, a_user

POLICY = SessionPolicy(idle=timedelta(minutes=30), absolute=timedelta(hours=12), per_user=10)


@pytest.mark.asvs("V7.3.1")
def test_a_session_ends_when_it_has_been_idle_too_long() -> None:
    session = a_session(of=a_user())

    session.must_be_live(NOON + timedelta(minutes=30) - timedelta(seconds=1), POLICY)

    with pytest.raises(SessionEnded):
        session.must_be_live(NOON + timedelta(minutes=30), POLICY)


@pytest.mark.asvs("V7.3.2")
def test_a_session_ends_at_its_absolute_end_however_busy() -> None:
    session = a_session(of=a_user()).seen(NOON + timedelta(hours=12) - timedelta(seconds=1))

    session.must_be_live(NOON + timedelta(hours=12) - timedelta(seconds=1), POLICY)

    with pytest.raises(SessionEnded):
        session.must_be_live(NOON + timedelta(hours=12), POLICY)


def test_a_session_is_touched_at_most_once_a_minute() -> None:
    session = a_session(of=a_user())

    assert not session.is_due_for_touch(NOON + timedelta(seconds=59))
    assert session.is_due_for_touch(NOON + timedelta(seconds=60))


def test_a_touch_never_goes_back_in_time() -> None:
    session = a_session(of=a_user(), seen_at=NOON)

    assert session.seen(NOON - timedelta(minutes=5)).seen_at == NOON


def test_a_device_is_cut_to_what_can_be_stored_and_logged() -> None:
    device = Device.seen("192.0.2.1" * 10, "Mozilla\0\n\x1b[31m" + "x" * 1000)

    assert len(device.address) == 45
    assert len(device.agent) == 400
    assert device.agent.startswith("Mozilla[31mx")
