"""Rate limits in the memory of this process, by the generic cell rate algorithm."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.ports.security import AttemptLimiter, Limit, LimitReached

_NOW: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    free_at: datetime
    """When all attempts of the key are free again."""
    pending: int
    """How many counted attempts are not settled."""


class MemoryAttemptLimiter(AttemptLimiter):
    """Above `most_keys`, the least recently tried keys are forgotten, so that nobody can fill the memory with invented
    keys. No method waits, so that other tasks see each call as one step."""

    def __init__(self, *, most_keys: int = 50_000) -> None:
        self._most_keys = most_keys
        self._counted: OrderedDict[bytes, _Counted] = OrderedDict()

    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        reached = [limit for limit in limits if self._wait(limit, now) > _NOW]
        if reached:
            return LimitReached(
                wait=max(self._wait(limit, now) for limit in reached),
                is_pending=any(self._counted[limit.key].pending for limit in reached),
            )
        for limit in limits:
            before = self._live(limit.key, now)
            self._counted[limit.key] = _Counted(
                free_at=before.free_at + limit.every, pending=before.pending + 1
            )
            self._counted.move_to_end(limit.key)
        while len(self._counted) > self._most_keys:
            self._counted.popitem(last=False)
        return None

    async def settle(self, limits: Sequence[Limit], *, counts: bool) -> None:
        for limit in limits:
            before = self._counted.get(limit.key)
            if before is not None:
                back = _NOW if counts else limit.every
                self._counted[limit.key] = _Counted(
                    free_at=before.free_at - back, pending=max(0, before.pending - 1)
                )

    async def purge(self, now: datetime) -> int:
        free = [key for key, counted in self._counted.items() if counted.free_at <= now]
        for key in free:
            del self._counted[key]
        return len(free)

    def _wait(self, limit: Limit, now: datetime) -> timedelta:
        return self._live(limit.key, now).free_at - now - (limit.burst - 1) * limit.every

    def _live(self, key: bytes, now: datetime) -> _Counted:
        found = self._counted.get(key)
        return _Counted(free_at=now, pending=0) if found is None or found.free_at <= now else found
