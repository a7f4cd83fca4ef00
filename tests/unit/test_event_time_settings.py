"""The setting of event time: what is read, and what is refused in one line."""

from datetime import timedelta

import pytest

from application.settings import SettingsInvalid, load
from domain.model.event_time import EventTimePolicy

HOUR = timedelta(hours=1)


def policy(text: str) -> EventTimePolicy:
    return load(env_file=None, environment="test", event_minutes=text).event_time_policy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", EventTimePolicy()),
        ("None", EventTimePolicy()),
        ("60", EventTimePolicy(everybody=HOUR)),
        (
            " 60 , analyst = 240,admin=none ",
            EventTimePolicy(everybody=HOUR, by_role={"analyst": 4 * HOUR, "admin": None}),
        ),
    ],
)
def test_minutes_of_everybody_and_of_roles_are_read(text: str, expected: EventTimePolicy) -> None:
    assert policy(text) == expected


def test_without_the_setting_there_is_no_quota() -> None:
    assert load(env_file=None, environment="test").event_time_policy == EventTimePolicy()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("many", "has no number of minutes in 'many'"),
        ("0", "has no number of minutes in '0'"),
        ("-5", "has no number of minutes in '-5'"),
        ("1.5", "has no number of minutes in '1.5'"),
        ("²", "has no number of minutes in '²'"),
        ("9" * 5000, "has no number of minutes"),
        ("1000001", "has no number of minutes"),
        ("analyst=240", "has no number of minutes in 'analyst=240'"),
        ("60,analyst", "needs one number for the role analyst"),
        ("60,analyst=", "has no number of minutes in ''"),
        ("60,analyst=90,analyst=100", "needs one number for the role analyst"),
        ("60,An Analyst=90", "has no role in 'An Analyst=90'"),
        ("60,", "has no role in ''"),
        ("60,guest=10", "gives guest=10 no effect, because everybody has 60"),
        ("60,guest=60", "gives guest=60 no effect"),
        ("none,analyst=60", "gives analyst=60 no effect, because everybody has none"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        policy(text)

    [fault] = refused.value.faults
    assert fault.startswith("GRADIOAPP_EVENT_MINUTES")
    assert says in fault
    assert "60,analyst=240,admin=none" in fault or "roles larger ones" in fault
