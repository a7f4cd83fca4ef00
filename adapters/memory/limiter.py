"""How often something may be tried, counted in this process: the generic cell rate algorithm."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

from domain.ports.security import AttemptLimiter
from domain.ports.system import Clock


class MemoryAttemptLimiter(AttemptLimiter):
    """Keeps one moment per key: the one at which all of its attempts will be free again. Beyond `most_keys` the
    keys tried longest ago are forgotten, so that nobody fills the memory by making keys up."""

    def __init__(self, clock: Clock, *, most_keys: int = 50_000) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._all_free_at: OrderedDict[str, datetime] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, *, burst: int, every: timedelta) -> timedelta | None:
        now = self._clock.now()
        with self._lock:
            all_free_at = max(self._all_free_at.get(key, now), now)
            wait = (all_free_at - now) - (burst - 1) * every
            refused = wait > timedelta(0)
            self._all_free_at[key] = all_free_at if refused else all_free_at + every
            self._all_free_at.move_to_end(key)
            while len(self._all_free_at) > self._most_keys:
                self._all_free_at.popitem(last=False)
        return wait if refused else None

    def give_back(self, key: str, *, every: timedelta) -> None:
        now = self._clock.now()
        with self._lock:
            all_free_at = self._all_free_at.get(key)
            if all_free_at is None:
                return
            if all_free_at - every > now:
                self._all_free_at[key] = all_free_at - every
            else:
                del self._all_free_at[key]
