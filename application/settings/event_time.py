"""The setting of the time that events of one account may take within an hour."""

from datetime import timedelta
from typing import Final

from pydantic import field_validator
from pydantic_settings import BaseSettings

from domain.errors import RoleInvalid
from domain.model.event_time import EventTimePolicy
from domain.model.user import checked_role

NO_QUOTA: Final = "none"
_LARGEST: Final = 1_000_000
"""Minutes."""
_EXAMPLE: Final = "write minutes within an hour, such as 60, or 60,analyst=240,admin=none"


class EventTimeSettings(BaseSettings):
    """A part of the settings."""

    event_minutes: str = NO_QUOTA

    @field_validator("event_minutes")
    @classmethod
    def _must_be_readable(cls, value: str) -> str:
        policy_in(value)
        return value

    @property
    def event_time_policy(self) -> EventTimePolicy:
        return policy_in(self.event_minutes)


def policy_in(text: str) -> EventTimePolicy:
    """Read the quota of everybody, and those of roles after it. Raises ValueError, which says what to write."""
    first, *others = [part.strip() for part in text.split(",")]
    everybody = _quota_in(first)
    by_role: dict[str, timedelta | None] = {}
    for part in others:
        name, equals, minutes = (each.strip() for each in part.partition("="))
        try:
            role = checked_role(name)
        except RoleInvalid as error:
            raise ValueError(f"has no role in {part!r}: {_EXAMPLE}") from error
        if not equals or role in by_role:
            raise ValueError(f"needs one number for the role {role}: {_EXAMPLE}")
        by_role[role] = quota = _quota_in(minutes)
        if everybody is None or (quota is not None and quota <= everybody):
            raise ValueError(
                f"gives {part} no effect, because everybody has {first}: give everybody the smallest number, and roles larger ones"
            )
    return EventTimePolicy(everybody=everybody, by_role=by_role)


def _quota_in(text: str) -> timedelta | None:
    if text.lower() == NO_QUOTA:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= _LARGEST):
        raise ValueError(f"has no number of minutes in {text[:50]!r}: {_EXAMPLE}")
    return timedelta(minutes=int(text))
