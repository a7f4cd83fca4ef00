"""Gradio's queue of one app, with another order: the next event to start is one of the waiting account that has run
least, and no account holds more than half of anything that others wait for."""

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
from starlette.exceptions import HTTPException

from entrypoints.access import SIGNED_IN
from entrypoints.ui import caps
from entrypoints.ui.caps import half_of
from entrypoints.ui.threads import Threads, let_go_of_steps, used_by
from entrypoints.ui.turns import Account, Turns


class Group(EventQueue):
    """Events that share a concurrency limit: by default those of one function."""

    def __init__(self, concurrency_id: str, concurrency_limit: int | None) -> None:
        super().__init__(concurrency_id, concurrency_limit)
        self.turns: Final = Turns()

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
        """What waits, in the order in which it will start."""
        waiting = [(account_of(event), event.enqueue_time) for event in self.queue]
        return [self.queue[position] for position in self.turns.in_order(waiting)]


class FairQueue(Queue):
    """Gradio takes the oldest event of a group picked by chance."""

    def __init__(self, *args: Any, threads: Threads, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._threads: Final = threads
        self._workers: Final = Turns()
        self._counted: Final[dict[str, ExitStack]] = {}
        """Of the events that run, by their ids."""
        self._joining: Final[Counter[Account]] = Counter()
        self._built: Final = frozenset(self.blocks.fns.values())
        self._built_ids: Final = {fn.concurrency_id for fn in self._built}
        self._groups: Final[dict[str, Group]] = {}
        self.event_queue_per_concurrency_id = cast("dict[str, EventQueue]", self._groups)

    # Places

    @contextmanager
    def place_for(self, account: Account) -> Iterator[None]:
        """An event of the account joins inside. Raises HTTPException."""
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
                f"{taken[account]} of your events wait in this app, which is all that one account may have there: "
                "let one of them start.",
            )
        if taken.total() >= self.max_size:  # Gradio's front end has words of its own for a 503.
            raise HTTPException(
                503,
                f"All {self.max_size} places of this app's queue are taken: try again in a moment.",
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
        """What starts next, taken out of the queue: one event, or a batch of one function."""
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
        """Tell waiting tabs their rank; `after` is given when an event has joined at the end of the list."""
        group = self._groups[concurrency_id]
        if len(group.queue) > 1:
            joined = group.queue[-1]
            group.queue = group.in_order()
            if after is not None:
                after = group.queue.index(joined)
        super().broadcast_estimations(concurrency_id, after)

    # Runs

    def process_events(
        self, events: list[Event], *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, None]:
        """Run what get_events has answered. The run has begun when this returns: Gradio makes a task of it, and a task
        that is cancelled before its first step would give nothing back."""
        run = self._run(events, partial(super().process_events, events, *args, **kwargs))
        run.send(None)
        return run

    async def reset_iterators(self, event_id: str) -> None:
        """Gradio calls this when it has given a run's place to the next, and before it puts the run away."""
        if event_id in self._counted:
            self._counted[event_id].close()
        await super().reset_iterators(event_id)

    async def _run(self, events: Sequence[Event], run: Callable[[], Awaitable[None]]) -> None:
        with ExitStack() as counted:
            counted.enter_context(self._counting(events))
            self._counted.update({event._id: counted for event in events})  # noqa: SLF001 -- Gradio has no other name for it.
            try:
                await _has_begun()
            except asyncio.CancelledError:
                for event in events:
                    event.alive = False  # For Gradio then: nobody listens, and nothing runs.
            try:
                with used_by(account_of(events[0])):
                    await run()
            except asyncio.CancelledError as cancelled:
                let_go_of_steps(cancelled)
                raise
            finally:
                for event in events:
                    self._counted.pop(event._id, None)  # noqa: SLF001
                    # Gradio has done so, unless it was cancelled once more.
                    self.event_ids_to_events.pop(event._id, None)  # noqa: SLF001
                    event.data = (
                        None  # Gradio's loop holds the latest event until there is another.
                    )
        self._forget_rendered()

    def _forget_rendered(self) -> None:
        """Let go of the oldest functions that gr.render has made, which are not asked for again."""
        if len(self._groups) > caps.RENDERED and not self._joining:  # Else one may have its group.
            made = [one for one in self._groups if one not in self._built_ids]
            for one in [one for one in made if self._groups[one].is_idle][: -caps.RENDERED]:
                del self._groups[one]
        if len(self.process_time_per_fn) > caps.RENDERED:
            for fn in [fn for fn in self.process_time_per_fn if fn not in self._built][
                : -caps.RENDERED
            ]:
                del self.process_time_per_fn[fn]

    @contextmanager
    def _counting(self, events: Sequence[Event]) -> Iterator[None]:
        """A run belongs to the account whose turn it was; the time of a batch is shared."""
        first, account = events[0], account_of(events[0])
        counted = self._groups[first.concurrency_id].turns, self._workers
        in_batch = Counter(account_of(event) for event in events)
        begun = time.monotonic()
        for turns in counted:
            turns.begin(account)
        try:
            with self._threads.counting(account, first.fn.fn):
                yield
        finally:
            each = (time.monotonic() - begun) / len(events)
            for turns in counted:
                turns.end(account, {one: n * each for one, n in in_batch.items()})


def account_of(event: Event) -> Account:
    signed_in = event.request.scope.get("state", {}).get(SIGNED_IN)
    return None if signed_in is None else signed_in.user.id


def _next_of(turns: Turns, first: dict[Account, Event]) -> Account:
    """`first` has of each account the event that would start."""
    if len(first) == 1:
        return next(iter(first))
    return turns.next_of({account: event.enqueue_time for account, event in first.items()})


def _batched_with(first: Event, group: Group) -> list[Event]:
    fn = first.fn
    if not fn.batch:
        return []
    others = [event for event in group.in_order() if event is not first and event.fn == fn]
    return others[: fn.max_batch_size - 1]


@types.coroutine
def _has_begun() -> Iterator[None]:
    """Where a run pauses until its task goes on with it."""
    yield
