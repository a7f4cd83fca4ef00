"""The fair order of what waits: the account that has run least is next. Knows nothing of Gradio."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from domain.model.user import UserId

HALF_LIFE: Final = 30.0
"""Seconds after which what was run counts half. Whoever ran alone for an hour lets a newcomer pass for this long, and no
longer: nobody pays for having used what nobody else wanted."""
FORGOTTEN_AFTER: Final = 20 * HALF_LIFE
"""Seconds after which a run counts nothing; a millionth would be left of it."""
SHORTEST: Final = 0.01
"""Seconds that any run counts for, so that many short ones count too."""

Account = UserId | None
"""None is the service itself."""


class Turns:
    """Runs of several accounts at one place: who is running, and how long each has run of late.

    Nobody starves. While an account waits, what it has run fades as fast as everybody's, and whoever goes first instead
    adds to theirs.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` answers seconds, from anywhere."""
        self._now = now
        self._running: Counter[Account] = Counter()
        self._used: OrderedDict[Account, tuple[float, float]] = OrderedDict()
        """Seconds, and when they were that many; the longest unchanged first."""

    def running(self, account: Account) -> int:
        return self._running[account]

    def begin(self, account: Account) -> None:
        self._running[account] += 1

    def end(self, account: Account, seconds: Mapping[Account, float]) -> None:
        """The run that `account` began is over; it is put down to those in `seconds`: a batch has several."""
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]
        for each, used in seconds.items():
            self._add(each, max(_faded(used), SHORTEST))

    def next_of(self, waiting: Mapping[Account, float]) -> Account:
        """`waiting` maps accounts, at least one, to the time since when the first of each waits."""
        now = self._now()
        return min(waiting, key=lambda account: (*self._standing(account, now), waiting[account]))

    def in_order(self, waiting: Sequence[tuple[Account, float]]) -> list[int]:
        """The positions in `waiting` in the order in which their turns come, if nothing ends meanwhile. `waiting` has the
        account and the time since when it waits; those of one account keep their order."""
        now = self._now()
        standings = {account: self._standing(account, now) for account, _ in waiting}
        ahead: Counter[Account] = Counter()
        keys = []
        for position, (account, since) in enumerate(waiting):
            running, used = standings[account]
            keys.append((running + ahead[account], used, since, position))
            ahead[account] += 1
        return [position for *_, position in sorted(keys)]

    def _standing(self, account: Account, now: float) -> tuple[int, float]:
        """The least is next."""
        used, at = self._used.get(account, (0.0, now))
        return self._running[account], used * 0.5 ** ((now - at) / HALF_LIFE)

    def _add(self, account: Account, seconds: float) -> None:
        now = self._now()
        _, used = self._standing(account, now)
        self._used[account] = used + seconds, now
        self._used.move_to_end(account)
        while next(iter(self._used.values()))[1] < now - FORGOTTEN_AFTER:
            self._used.popitem(last=False)


def _faded(seconds: float) -> float:
    """What is left of a run at its end: its first seconds are as long ago as it took."""
    return HALF_LIFE / math.log(2) * -math.expm1(-math.log(2) * seconds / HALF_LIFE)
