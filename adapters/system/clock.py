"""Clocks. Only this file asks the system for the time."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.ports.system import Clock

_SOME_DAY: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class SystemClock(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC)


class StoppedClock(Clock):
    """A clock for tests: it stands still until the test puts it forward."""

    def __init__(self, now: datetime = _SOME_DAY) -> None:
        if now.tzinfo is None:
            raise ValueError(
                "A clock needs a time with a time zone, such as datetime(..., tzinfo=UTC)."
            )
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def forward(self, by: timedelta) -> None:
        self._now += by
