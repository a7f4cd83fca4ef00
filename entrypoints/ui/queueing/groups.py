"""The waiting and running events of one function, or of those that share a concurrency limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gradio.block_function import BlockFunction
from gradio.queueing import Event, EventQueue

from entrypoints.access import SIGNED_IN
from entrypoints.ui.limits import half_of
from entrypoints.ui.queueing.forecast import Running, Waiting, forecast
from entrypoints.ui.queueing.turns import Account, Turns

UNKNOWN_SECONDS: Final = 5.0
"""How long an event is taken to run if its function has never ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An event that runs, or a batch."""

    account: Account
    fn: BlockFunction
    begun: float


class Group(EventQueue):
    """Events that share a concurrency limit; by default the events of one function."""

    def __init__(self, concurrency_id: str, concurrency_limit: int | None) -> None:
        super().__init__(concurrency_id, concurrency_limit)
        self.turns: Final = Turns()
        self.runs: Final[list[Run]] = []
        """Those that run; a batch is one."""
        self.is_told_soon = False
        self.told_at = 0.0
        """When all waiting tabs were told their places."""

    @property
    def is_full(self) -> bool:
        limit = self.concurrency_limit
        return limit is not None and self.current_concurrency >= limit

    @property
    def is_idle(self) -> bool:
        return not self.queue and not self.current_concurrency

    def has_room_for(self, account: Account) -> bool:
        limit = self.concurrency_limit
        return limit is None or self.turns.running(account) < half_of(limit)

    def in_order(self) -> list[Event]:
        """Return the waiting events in the order in which they fill a batch."""
        waiting = [(account_of(event), event.enqueue_time) for event in self.queue]
        return [self.queue[position] for position in self.turns.in_order(waiting)]

    def as_forecast(
        self, seconds_of: Callable[[BlockFunction], float], *, most: int
    ) -> list[Event]:
        """Return the waiting events in the order in which they will start. `seconds_of` returns how long a function
        usually runs, and `most` is the number of events of all functions that run at a time."""
        if any(event.fn.batch for event in self.queue):
            return self.in_order()
        now, limit = time.monotonic(), min(self.concurrency_limit or most, most)
        order = forecast(
            self.turns,
            [Waiting(account_of(e), e.enqueue_time, seconds_of(e.fn)) for e in self.queue],
            [
                Running(run.account, now - run.begun, run.begun + seconds_of(run.fn) - now)
                for run in self.runs
            ],
            places=limit,
            each=half_of(limit),
        )
        return [self.queue[position] for position in order]


def account_of(event: Event) -> Account:
    signed_in = event.request.scope.get("state", {}).get(SIGNED_IN)
    return None if signed_in is None else signed_in.user.id
