"""Order waiting events fairly: the account that has used the least time is next. Independent of Gradio."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from domain.model.user import UserId

HALF_LIFE: Final = 30.0
"""Seconds after which used time counts half. After an account has run alone for an hour, a new account goes first for
about this long: nobody pays later for time that nobody else wanted."""
FORGOTTEN_AFTER: Final = 20 * HALF_LIFE
"""Seconds after which used time is forgotten; only a millionth of it would still count."""
SHORTEST: Final = 0.01
"""Seconds that a run counts at least, so that many short runs count too."""

Account = UserId | None
"""An account; None is the service itself."""


class Turns:
    """The running events and the recently used time of several accounts.

    No account starves: while it waits, its used time decays as fast as that of all others, and the accounts that run
    instead add to theirs.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds of a monotonic clock."""
        self._now = now
        self._running: Counter[Account] = Counter()
        self._used: OrderedDict[Account, tuple[float, float]] = OrderedDict()
        """Used seconds, and the time at which they were computed; the account unchanged for longest comes first."""

    def running(self, account: Account) -> int:
        return self._running[account]

    def begin(self, account: Account) -> None:
        self._running[account] += 1

    def end(self, account: Account, seconds: Mapping[Account, float]) -> None:
        """End a run of `account`, and add the used time of each account in `seconds`; a batch has several accounts."""
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]
        for each, used in seconds.items():
            self._add(each, counted_time(used))

    def next_of(self, waiting: Mapping[Account, float]) -> Account:
        """Return the account whose turn it is. `waiting` maps at least one account to the time since which its first
        event has been waiting."""
        now = self._now()
        return min(waiting, key=lambda account: (*self._standing(account, now), waiting[account]))

    def in_order(self, waiting: Sequence[tuple[Account, float]]) -> list[int]:
        """Return the positions in `waiting` in the order of their turns if all start at once, as in a batch. Each
        item of `waiting` is an account, and the time since which it waits. Items of one account keep their order."""
        now = self._now()
        standings = {account: self._standing(account, now) for account, _ in waiting}
        ahead: Counter[Account] = Counter()
        keys = []
        for position, (account, since) in enumerate(waiting):
            running, used = standings[account]
            keys.append((running + ahead[account], used, since, position))
            ahead[account] += 1
        return [position for *_, position in sorted(keys)]

    def standing(self, account: Account) -> tuple[int, float]:
        """Return the number of runs and the used seconds of an account at this moment."""
        return self._standing(account, self._now())

    def _standing(self, account: Account, now: float) -> tuple[int, float]:
        """Return the number of runs and the decayed seconds of an account. The lowest pair is next."""
        used, at = self._used.get(account, (0.0, now))
        return self._running[account], used * 0.5 ** ((now - at) / HALF_LIFE)

    def _add(self, account: Account, seconds: float) -> None:
        now = self._now()
        _, used = self._standing(account, now)
        self._used[account] = used + seconds, now
        self._used.move_to_end(account)
        while next(iter(self._used.values()))[1] < now - FORGOTTEN_AFTER:
            self._used.popitem(last=False)


def counted_time(seconds: float) -> float:
    """Return the seconds of a run that count at its end: its first seconds have decayed already."""
    faded = HALF_LIFE / math.log(2) * -math.expm1(-math.log(2) * seconds / HALF_LIFE)
    return max(faded, SHORTEST)
