"""Gradio's memory of tabs: made large enough for everybody together, and let go of when a tab is."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import gradio as gr
import structlog
from gradio import caching
from gradio.queueing import Queue
from gradio.routes import App
from gradio.server_messages import EventMessage
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

from entrypoints.ui import caps
from entrypoints.ui.holding import messages_of_caller
from entrypoints.ui.logins import Keeper
from entrypoints.ui.turns import Account

log = structlog.get_logger()


class Messages(LRUCache[str, "asyncio.Queue[EventMessage]"]):
    """Of each tab. What is said to a tab that is gone is lost: Gradio would stop in the middle of telling others."""

    def __missing__(self, tab: str) -> "asyncio.Queue[EventMessage]":
        return asyncio.Queue()

    def __setitem__(self, tab: str, messages: "asyncio.Queue[EventMessage]") -> None:
        """In place of Gradio's own, one that knows how much it holds, and for whom."""
        bounded = messages_of_caller(partial(self.pop, tab, None))
        super().__setitem__(tab, messages if bounded is None else bounded)


class _Unread(dict[int, Any]):
    """Keeps nothing."""

    def __setitem__(self, key: int, value: Any) -> None:
        pass


class TabState(SessionState):
    """What Gradio keeps for a tab, without the latest value of every component: some 50 MB for 1 MiB of JSON, which only
    deep links read, and there are none here."""

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(blocks)
        self.config_values = _Unread()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class TabStates(StateHolder):
    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = TabState(self.blocks)
        return super().__getitem__(session_id)


def replace_queue(demo: gr.Blocks, kind: Callable[..., Queue] = Queue) -> None:
    """By an empty one with the author's settings: what waits in it, and its locks, belong to an event loop that ends."""
    old: Any = demo._queue  # noqa: SLF001 -- Gradio has no other way to ask.
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
    def __init__(self, demo: gr.Blocks, app: App) -> None:
        self._demo: Final[Any] = demo
        self._app: Final[Any] = app
        app.state_holder = TabStates()  # type: ignore[no-untyped-call]
        app.state_holder.set_blocks(demo)
        app.state_holder.capacity = caps.ALL_TABS
        self._queue.pending_messages_per_session = Messages(caps.ALL_TABS)

    @property
    def _queue(self) -> Any:
        """Looked up each time: `demo.queue()` replaces it."""
        return self._demo._queue  # noqa: SLF001 -- Gradio has no other way to ask.

    def is_under_way(self, event_id: str) -> bool:
        return event_id in self._queue.event_ids_to_events

    def place_for(self, account: Account) -> AbstractContextManager[None]:
        """An event of the account joins the queue inside. Raises HTTPException."""
        place: AbstractContextManager[None] = self._queue.place_for(account)
        return place

    def has_messages(self, tab: str) -> bool:
        """Whether anything has been started in the tab."""
        return tab in self._queue.pending_messages_per_session

    def is_streamed_to(self, event_id: str) -> bool:
        """Whether its caller may send it more than it began with."""
        event = self._queue.event_ids_to_events.get(event_id)
        return event is not None and event.streaming

    def fn_of(self, event_id: str) -> Any:
        """Of one under way."""
        return self._queue.event_ids_to_events[event_id].fn

    def fns(self, tab: str | None) -> dict[int, Any]:
        """The events a tab may ask for: those of the app, and what gr.render made for this tab alone."""
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
        try:
            holder.delete_state(tab)  # Tells the author's `delete_callback`.
        except Exception as error:
            log.exception("a State's delete_callback failed", fault=type(error).__name__)
        holder.session_data.pop(tab, None)
        holder.time_last_used.pop(tab, None)
        caching.clear_session_caches(tab)
        for block in self._demo.blocks.values():
            drawings = getattr(block, "blob_storage", {})
            for name in [name for name in drawings if name.endswith(f".{tab}")]:
                del drawings[name]
