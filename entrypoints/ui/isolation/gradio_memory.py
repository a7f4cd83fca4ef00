"""Manage what Gradio keeps in memory for tabs: size it for all accounts together, and release it with each tab."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import gradio as gr
import structlog
from gradio import caching
from gradio.blocks import Block
from gradio.queueing import Queue
from gradio.routes import App
from gradio.server_messages import EventMessage
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

from entrypoints.ui import limits
from entrypoints.ui.isolation.account import Keeper
from entrypoints.ui.isolation.kept_inputs import Held, TabValues, messages_of_caller
from entrypoints.ui.queueing.turns import Account
from entrypoints.ui.replacement import Replacement
from entrypoints.ui.wire import handed_bodies

log = structlog.get_logger()


def _delete_states(_: Any) -> Any:
    def delete_state(holder: StateHolder, session_id: str, expired_only: bool = False) -> None:  # noqa: FBT001, FBT002 -- As in Gradio.
        """Delete the values of a tab and call each one's `delete_callback`, which is the author's. One that fails hides
        no other one and does not end the service."""
        if session_id not in holder.session_data:
            return
        state = holder.session_data[session_id]
        for component, value, has_expired in list(state.state_components):
            if has_expired or not expired_only:
                try:
                    component.delete_callback(value)
                except (Exception, SystemExit, KeyboardInterrupt) as error:
                    log.exception("a State's delete_callback failed", fault=type(error).__name__)
                state.state_data.pop(component._id, None)  # noqa: SLF001 -- Gradio's own key.

    return delete_state


DELETING_STATES: Final = Replacement(owner=StateHolder, name="delete_state", by=_delete_states)


class Messages(LRUCache[str, "asyncio.Queue[EventMessage]"]):
    """Maps each tab to its queue of messages. Messages to a tab that no longer exists are dropped: an error would stop
    Gradio while it sends to other tabs."""

    def __missing__(self, tab: str) -> "asyncio.Queue[EventMessage]":
        return asyncio.Queue()

    def __setitem__(self, tab: str, messages: "asyncio.Queue[EventMessage]") -> None:
        """Store a TabMessages, which counts its bytes for an account, in place of Gradio's queue."""
        bounded = messages_of_caller(partial(self.pop, tab, None))
        super().__setitem__(tab, messages if bounded is None else bounded)


class _Unread(dict[int, Any]):
    """Ignores every value that is set."""

    def __setitem__(self, key: int, value: Any) -> None:
        pass


class TabState(SessionState):
    """Gradio's state of a tab. Gradio keeps the latest value of every component for deep links, which takes about 50 MB
    for 1 MiB of JSON. Here, they are kept as texts, and only if the app has a button for links."""

    def __init__(self, blocks: gr.Blocks, values: TabValues | None) -> None:
        super().__init__(blocks)
        self.config_values = _Unread()
        self.values = values
        self._replaced: dict[int, int] = {}
        """The app's own number of each component that an event has replaced. Gradio gives the new one another."""

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        number = value._id if isinstance(value, Block) else key  # noqa: SLF001 -- Gradio has no public way.
        if self.values is not None and number != key:
            others = {new: old for new, old in self._replaced.items() if old != key}
            self._replaced = {**others, number: key}

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        if self.values is not None:
            self.values.keep(self._replaced.get(key, key), value)


class TabStates(StateHolder):
    def __init__(self, values_for: Callable[[str], TabValues | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._values_for = values_for

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = TabState(self.blocks, self._values_for(session_id))
        return super().__getitem__(session_id)


def replace_queue(demo: gr.Blocks, kind: Callable[..., Queue] = Queue) -> None:
    """Replace the app's queue by an empty one with the same settings. The old one's events and locks belong to an event
    loop that ends."""
    old: Any = demo._queue  # noqa: SLF001 -- Gradio has no public way.
    old.close()
    demo._queue = kind(  # noqa: SLF001
        live_updates=old.live_updates,
        concurrency_count=old.max_thread_count,
        update_intervals=old.update_intervals,
        max_size=old.max_size,
        blocks=demo,
        default_concurrency_limit=old.default_concurrency_limit,
    )


class GradioMemory(Keeper):
    def __init__(self, demo: gr.Blocks, app: App, *, held_by: Callable[[str], Held | None]) -> None:
        """`held_by` returns what is kept for the account that owns a tab."""
        self._demo: Final[Any] = demo
        self._app: Final[Any] = app
        self._held_by = held_by
        self.saves_values = any(isinstance(b, gr.DeepLinkButton) for b in demo.blocks.values())
        app.state_holder = TabStates(self._values_for)
        app.state_holder.set_blocks(demo)
        app.state_holder.capacity = limits.ALL_TABS
        self._queue.pending_messages_per_session = Messages(limits.ALL_TABS)

    def _values_for(self, tab: str) -> TabValues | None:
        held = self._held_by(tab) if self.saves_values else None
        return None if held is None else TabValues(held)

    def state_of(self, tab: str) -> TabState | None:
        """Return Gradio's state of a tab, or None if no event has run in it."""
        state: TabState | None = self._app.state_holder.session_data.get(tab)
        return state

    @property
    def _queue(self) -> Any:
        """Return the current queue: `demo.queue()` may have replaced it."""
        return self._demo._queue  # noqa: SLF001 -- Gradio has no public way.

    def is_under_way(self, event_id: str) -> bool:
        return event_id in self._queue.event_ids_to_events

    def place_for(self, account: Account) -> AbstractContextManager[None]:
        """Reserve a place in the queue for an event of the account, until the block ends. Raises HTTPException."""
        place: AbstractContextManager[None] = self._queue.place_for(account)
        return place

    def has_messages(self, tab: str) -> bool:
        """Return whether an event has been queued in the tab."""
        return tab in self._queue.pending_messages_per_session

    def has_unread_events(self, tab: str) -> bool:
        """Return whether an event of the tab has a result that was not read, or will have one."""
        return bool(self._queue.pending_event_ids_session.get(tab))

    def is_streamed_to(self, event_id: str) -> bool:
        """Return whether the event accepts further inputs while it runs."""
        event = self._queue.event_ids_to_events.get(event_id)
        return event is not None and event.streaming

    def unread_inputs(self, event_id: str) -> Sequence[Any]:
        """Return the inputs that were sent to a running event and that it has not read yet. The next ones replace
        them."""
        event = self._queue.event_ids_to_events.get(event_id)
        if event is None or event.data is None or not event.signal.is_set():
            return ()
        return handed_bodies.inputs_in(event.data.data)

    def fn_of(self, event_id: str) -> Any:
        """Return the function of an event that waits or runs."""
        return self._queue.event_ids_to_events[event_id].fn

    def fns(self, tab: str | None) -> dict[int, Any]:
        """Return the functions that a tab may call: those of the app, and those that gr.render made for this tab."""
        state = self._app.state_holder.session_data.get(tab)
        fns: dict[int, Any] = self._demo.fns if state is None else state.blocks_config.fns
        return fns

    def components(self, tab: str) -> dict[int, Any]:
        state = self._app.state_holder.session_data.get(tab)
        components: dict[int, Any] = dict(self._demo.blocks)
        return components if state is None else components | state.blocks_config.blocks

    async def forget(self, tab: str) -> None:
        queue = self._queue
        await queue.clean_events(session_hash=tab)
        queue.pending_messages_per_session.pop(tab, None)
        for event_id in queue.pending_event_ids_session.pop(tab, ()):
            self._app.iterators_to_reset.discard(event_id)
        for run in self._demo.pending_streams.pop(tab, {}).values():
            for stream in run.values():
                stream.end_stream()
        self._demo.pending_diff_streams.pop(tab, None)
        holder = self._app.state_holder
        holder.delete_state(tab)
        holder.session_data.pop(tab, None)
        holder.time_last_used.pop(tab, None)
        caching.clear_session_caches(tab)
        for block in self._demo.blocks.values():
            drawings = getattr(block, "blob_storage", {})
            for name in [name for name in drawings if name.endswith(f".{tab}")]:
                del drawings[name]
