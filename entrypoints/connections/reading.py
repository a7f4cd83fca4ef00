"""How fast the clients read their responses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from entrypoints.web.limits import SLOWEST

SLOW: Final = 10 * SLOWEST
"""Bytes per second. At the cap of connections, a client that reads less is closed to make room."""


class Reader(Protocol):
    def unsent(self) -> int:
        """Return the bytes of responses that the client has not read yet."""

    def sent(self) -> int:
        """Return the bytes that have left this process since the connection began."""


One = TypeVar("One", bound=Reader)


@dataclass(slots=True)
class _Reading:
    """One client that has unsent bytes."""

    allowance: float
    """Seconds for which it may still pause. Each 1,000 bytes that it reads give one second back."""
    since: float
    sent_before: int
    looked_at: float
    sent: int

    def look(self, now: float, sent: int, *, stall: float) -> None:
        earned = (sent - self.sent) / SLOWEST
        self.allowance = min(stall, self.allowance - (now - self.looked_at) + earned)
        self.looked_at, self.sent = now, sent

    def speed(self) -> float:
        """Bytes per second, since the client began to read this response."""
        return (self.sent - self.sent_before) / max(1.0, self.looked_at - self.since)


class Readers(Generic[One]):
    """The clients that have something to read."""

    def __init__(self, *, stall: float) -> None:
        """`stall` is the time in seconds for which a client may pause in total."""
        self._stall = stall
        self._reading: dict[One, _Reading] = {}

    def look(self, one: One, now: float) -> bool:
        """Return whether the client reads fast enough. To be asked from time to time."""
        if not one.unsent():
            self._reading.pop(one, None)
            return True
        reading = self._reading.get(one)
        if reading is None:
            sent = one.sent()
            self._reading[one] = _Reading(self._stall, now, sent, now, sent)
            return True
        reading.look(now, one.sent(), stall=self._stall)
        return reading.allowance > 0

    def forget(self, one: One) -> None:
        self._reading.pop(one, None)

    def slow(self) -> Iterator[One]:
        """Yield the clients that read little, the slowest first."""
        slow = [(reading.speed(), one) for one, reading in self._reading.items()]
        return (one for speed, one in sorted(slow, key=lambda pair: pair[0]) if speed < SLOW)
