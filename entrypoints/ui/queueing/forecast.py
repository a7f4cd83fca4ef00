"""Forecast the order in which waiting events will start, if each runs as long as expected. Independent of Gradio."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from entrypoints.ui.queueing.turns import HALF_LIFE, Account, Turns, counted_time

_FARTHEST: Final = 1000.0
"""Half-lives, about eight hours. Later starts are forecast as if no more time passed: 2**1024 is no float."""


@dataclass(frozen=True, slots=True)
class Waiting:
    account: Account
    since: float
    seconds: float
    """How long it will run."""


@dataclass(frozen=True, slots=True)
class Running:
    account: Account
    ran: float
    """Seconds since it has started."""
    left: float
    """Seconds until its end; negative if it runs longer than expected."""


def forecast(
    turns: Turns,
    waiting: Sequence[Waiting],
    running: Sequence[Running],
    *,
    places: int,
    each: int,
) -> list[int]:
    """Return the positions in `waiting` in the order in which they will start. At most `places` events run at a time,
    and at most `each` of one account. Items of one account keep their order."""
    if len({one.account for one in waiting}) < 2:
        return list(range(len(waiting)))
    return _Forecast(turns, waiting, running, free=places - len(running), each=each).order()


@dataclass(slots=True)
class _Forecast:
    """The queue in the future. It begins as it is now."""

    turns: Turns
    waiting: Sequence[Waiting]
    running: Sequence[Running]
    free: int
    each: int
    """Places of one account."""
    at: float = 0.0
    """Seconds from now."""
    used: dict[Account, float] = field(default_factory=dict)
    """Used seconds. A second that is used later counts more, instead of letting the earlier ones decay."""
    runs: Counter[Account] = field(default_factory=Counter)
    queues: dict[Account, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    ends: list[tuple[float, int, Account, float]] = field(default_factory=list)
    """When runs end, the next one first: seconds from now, a number, the account, and the seconds of the whole run."""
    standings: list[tuple[int, float, float, int]] = field(default_factory=list)
    """The next event of each account that may start, in the order of their turns: runs and used seconds of its
    account, since when and where in `waiting` it waits. Some are out of date."""

    def order(self) -> list[int]:
        for position, one in enumerate(self.waiting):
            self.queues[one.account].append(position)
        for account in self.queues:
            self.runs[account], self.used[account] = self.turns.standing(account)
        self.ends = [
            (one.left, number, one.account, one.ran + max(one.left, 0))
            for number, one in enumerate(self.running, -len(self.running))
        ]
        heapify(self.ends)
        for account in self.queues:
            self._enter(account)
        found: list[int] = []
        while len(found) < len(self.waiting):
            started = self._start_next() if self.free > 0 else None
            if started is not None:
                found.append(started)
            elif self.ends:
                self._end_next()
            else:  # Something else holds the places.
                self.free += 1
                self.each += 1
                for account in self.queues:
                    self._enter(account)
        return found

    def _start_next(self) -> int | None:
        while self.standings:
            runs, used, _, position = heappop(self.standings)
            one = self.waiting[position]
            queue = self.queues[one.account]
            is_as_it_was = (runs, used) == (self.runs[one.account], self.used[one.account])
            if is_as_it_was and queue and queue[0] == position:
                queue.popleft()
                self.free -= 1
                self.runs[one.account] += 1
                heappush(self.ends, (self.at + one.seconds, position, one.account, one.seconds))
                self._enter(one.account)
                return position
        return None

    def _end_next(self) -> None:
        end, _, account, seconds = heappop(self.ends)
        self.at = max(self.at, end)
        self.free += 1
        if account in self.queues:
            self.runs[account] -= 1
            later = 2.0 ** min(self.at / HALF_LIFE, _FARTHEST)
            self.used[account] += counted_time(seconds) * later
            self._enter(account)

    def _enter(self, account: Account) -> None:
        queue = self.queues[account]
        if queue and self.runs[account] < self.each:
            since = self.waiting[queue[0]].since
            standing = self.runs[account], self.used[account], since, queue[0]
            heappush(self.standings, standing)
