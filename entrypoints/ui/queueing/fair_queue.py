"""Gradio's queue of one app, in a fair order: the next event comes from the waiting account that has used the least
time, and no account takes more than half of the places, workers and threads."""

import asyncio
import time
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, Final, cast

from gradio.block_function import BlockFunction
from gradio.queueing import Event, EventQueue, Queue
from gradio.server_messages import EventMessage
from starlette.exceptions import HTTPException

from entrypoints.ui import limits
from entrypoints.ui.limits import half_of
from entrypoints.ui.queueing.counting import CountedEvents
from entrypoints.ui.queueing.event_time import EventTimes
from entrypoints.ui.queueing.groups import UNKNOWN_SECONDS, Group, Run, account_of
from entrypoints.ui.queueing.threads import Threads, used_by
from entrypoints.ui.queueing.turns import Account, Turns

TOLD_WITHIN: Final = 0.3
"""Seconds until all waiting tabs know that the queue has changed."""
FEW: Final = 20
"""Waiting events of a function whose tabs are told at once when the first one starts."""
TOLD_PER_SECOND: Final = 200
"""Places that the tabs of one function are told in a second if more events wait: 200 tabs are told once a second. Each
message passes all layers of a stream, and somebody may let hundreds of short events wait."""


class FairQueue(Queue):
    """A queue that is fair between accounts. Gradio's own queue takes the oldest event of a random group."""

    def __init__(
        self,
        *args: Any,
        threads: Threads,
        counted: CountedEvents,
        times: EventTimes,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._threads: Final = threads
        self._times: Final = times
        self._metrics: Final = counted
        self._workers: Final = Turns()
        self._counted: Final[dict[str, ExitStack]] = {}
        """By event id: releases the counted places of a running event."""
        self._joining: Final[Counter[Account]] = Counter()
        self._built: Final = frozenset(self.blocks.fns.values())
        self._built_ids: Final = {fn.concurrency_id for fn in self._built}
        self._groups: Final[dict[str, Group]] = {}
        self.event_queue_per_concurrency_id = cast("dict[str, EventQueue]", self._groups)

    # Places

    @contextmanager
    def place_for(self, account: Account) -> Iterator[None]:
        """Reserve a place for an event that joins inside the block. Raises HTTPException."""
        self._must_have_a_place_for(account)
        self._joining[account] += 1
        try:
            yield
        finally:
            self._joining[account] -= 1
            if not self._joining[account]:
                del self._joining[account]

    def _must_have_a_place_for(self, account: Account) -> None:
        if self.max_size is None or len(self) + self._joining.total() < half_of(self.max_size):
            return
        taken = Counter(account_of(event) for event in self._waiting()) + self._joining
        if taken[account] >= half_of(self.max_size):
            raise HTTPException(
                429,
                f"{taken[account]} of your events wait in this app, which is the limit for one account. "
                "Wait until one of them has started.",
            )
        if taken.total() >= self.max_size:  # Gradio's front end shows its own text for a 503.
            raise HTTPException(
                503,
                f"All {self.max_size} places of this app's queue are taken. Try again in a moment.",
            )

    def _waiting(self) -> Iterator[Event]:
        return chain.from_iterable(group.queue for group in self._groups.values())

    # Order

    def create_event_queue_for_fn(self, block_fn: BlockFunction) -> None:
        super().create_event_queue_for_fn(block_fn)
        made: EventQueue = self._groups[block_fn.concurrency_id]
        if not isinstance(made, Group):
            group = Group(made.concurrency_id, made.concurrency_limit)
            self._groups[block_fn.concurrency_id] = group

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """Remove from the queue what starts next, and return it: one event, or a batch of one function."""
        found: dict[Account, Event] = {}
        for group in self._groups.values():
            first = self._next_of(group) if group.queue and not group.is_full else None
            if first is not None:
                account = account_of(first)
                if account not in found or first.enqueue_time < found[account].enqueue_time:
                    found[account] = first
        if not found:
            return None
        first = found[_next_of(self._workers, found)]
        group = self._groups[first.concurrency_id]
        events = [first, *_batched_with(first, group)]
        for event in events:
            group.queue.remove(event)
        return events, first.fn.batch, first.concurrency_id

    def _next_of(self, group: Group) -> Event | None:
        found: dict[Account, Event] = {}
        held_back: set[Account] = set()
        for event in group.queue:
            account = account_of(event)
            if account in found or account in held_back:
                continue
            if self._may_begin(event, account, group):
                found[account] = event
            else:
                held_back.add(account)
        return found[_next_of(group.turns, found)] if found else None

    def _may_begin(self, event: Event, account: Account, group: Group) -> bool:
        return (
            group.has_room_for(account)
            and self._workers.running(account) < half_of(self.max_thread_count)
            and self._threads.have_room_for(account, event.fn.fn)
        )

    def broadcast_estimations(self, concurrency_id: str, after: int | None = None) -> None:
        """Send the waiting tabs their rank. `after` is given if an event has joined at the end of the list: those that
        start before it only learn soon that the queue has become longer, so that a flood of events costs less. If an
        event has started and many wait, they also learn it soon."""
        group = self._groups[concurrency_id]
        if after is None:
            if group.told_at + _pause(group) > time.monotonic():
                self._tell_all_soon(concurrency_id)
                return
            group.told_at = time.monotonic()
        if len(group.queue) > 1:
            joined = group.queue[-1]
            group.queue = group.as_forecast(self._usual_seconds, most=self.max_thread_count)
            if after is not None:
                after = group.queue.index(joined)
                self._tell_all_soon(concurrency_id)
        super().broadcast_estimations(concurrency_id, after)

    def _tell_all_soon(self, concurrency_id: str) -> None:
        group = self._groups[concurrency_id]
        if not group.is_told_soon:
            group.is_told_soon = True
            pause = max(TOLD_WITHIN, _pause(group))
            asyncio.get_running_loop().call_later(pause, self._tell_all, concurrency_id)

    def _tell_all(self, concurrency_id: str) -> None:
        group = self._groups.get(concurrency_id)
        if group is not None:
            group.is_told_soon = False
            self.broadcast_estimations(concurrency_id)

    def _usual_seconds(self, fn: BlockFunction) -> float:
        if fn.connection == "stream":
            return fn.time_limit or UNKNOWN_SECONDS
        known = self.process_time_per_fn.get(fn)
        return UNKNOWN_SECONDS if known is None else known.avg_time

    async def clean_events(
        self, *, session_hash: str | None = None, event_id: str | None = None
    ) -> None:
        """Remove cancelled events from the queue, and tell the others their new ranks."""
        before = {one: len(group.queue) for one, group in self._groups.items()}
        await super().clean_events(session_hash=session_hash, event_id=event_id)
        for one, group in list(self._groups.items()):
            if len(group.queue) < before.get(one, 0):
                self._tell_all_soon(one)

    # Runs

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        self._metrics.see(event, event_message)
        super().send_message(event, event_message)

    def process_events(
        self, events: list[Event], *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, None]:
        """Run the events that `get_events` has returned. Start the coroutine before returning it: Gradio makes a task
        of it, and a task that is cancelled before its first step would never release its places."""
        run = self._run(events, partial(super().process_events, events, *args, **kwargs))
        run.send(None)
        return run

    async def reset_iterators(self, event_id: str) -> None:
        """Release the run's places. Gradio calls this after it has given the run's place to the next one."""
        if event_id in self._counted:
            self._counted[event_id].close()
        await super().reset_iterators(event_id)

    async def _run(self, events: Sequence[Event], run: Callable[[], Awaitable[None]]) -> None:
        with ExitStack() as counted:
            counted.enter_context(self._counting(events))
            self._counted.update({event._id: counted for event in events})  # noqa: SLF001 -- It has no public name.
            try:
                await _has_begun()
            except asyncio.CancelledError:
                for event in events:
                    event.alive = False  # Gradio then treats the client as gone, and runs nothing.
            try:
                with self._metrics.running(events), used_by(account_of(events[0])):
                    await run()
            finally:
                for event in events:
                    self._counted.pop(event._id, None)  # noqa: SLF001
                    # Gradio has removed the event already, unless it was cancelled a second time.
                    self.event_ids_to_events.pop(event._id, None)  # noqa: SLF001
                    # Gradio's loop keeps a reference to the latest event until the next one.
                    event.data = None
        self._forget_rendered()

    def _forget_rendered(self) -> None:
        """Release the oldest functions that gr.render has made; no tab will call them again."""
        # An event that is about to join may belong to one of the groups.
        if len(self._groups) > limits.RENDERED and not self._joining:
            made = [one for one in self._groups if one not in self._built_ids]
            for one in [one for one in made if self._groups[one].is_idle][: -limits.RENDERED]:
                del self._groups[one]
        if len(self.process_time_per_fn) > limits.RENDERED:
            for fn in [fn for fn in self.process_time_per_fn if fn not in self._built][
                : -limits.RENDERED
            ]:
                del self.process_time_per_fn[fn]

    @contextmanager
    def _counting(self, events: Sequence[Event]) -> Iterator[None]:
        """Count a run for the account whose turn it was. Divide the time of a batch between the accounts in it."""
        first, account = events[0], account_of(events[0])
        group = self._groups[first.concurrency_id]
        counted = group.turns, self._workers
        in_batch = Counter(account_of(event) for event in events)
        begun = time.monotonic()
        run = Run(account, first.fn, begun)
        group.runs.append(run)
        for turns in counted:
            turns.begin(account)
        try:
            shares = {one: n / len(events) for one, n in in_batch.items()}
            with self._threads.counting(account, first.fn.fn), self._times.running(shares):
                yield
        finally:
            group.runs.remove(run)
            each = (time.monotonic() - begun) / len(events)
            for turns in counted:
                turns.end(account, {one: n * each for one, n in in_batch.items()})


def _next_of(turns: Turns, first: dict[Account, Event]) -> Account:
    """Return the account whose turn it is. `first` maps each account to the event that would start."""
    if len(first) == 1:
        return next(iter(first))
    return turns.next_of({account: event.enqueue_time for account, event in first.items()})


def _pause(group: Group) -> float:
    """Return the seconds between two messages to all waiting tabs."""
    waiting = len(group.queue)
    return 0.0 if waiting <= FEW else waiting / TOLD_PER_SECOND


def _batched_with(first: Event, group: Group) -> list[Event]:
    fn = first.fn
    if not fn.batch:
        return []
    others = [event for event in group.in_order() if event is not first and event.fn == fn]
    return others[: fn.max_batch_size - 1]


@types.coroutine
def _has_begun() -> Iterator[None]:
    """Pause a run until its task continues it."""
    yield
