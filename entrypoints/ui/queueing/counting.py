"""Count the events of one app for the metrics."""

import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Final

from gradio.block_function import BlockFunction
from gradio.queueing import Event
from gradio.server_messages import EventMessage, ProcessCompletedMessage
from starlette.types import Message, Send

from entrypoints.metrics import EventMetrics

RENDERED: Final = "(rendered)"
"""The api_name of all functions that gr.render has made. Each tab makes its own, without end."""


class CountedEvents:
    def __init__(self, metrics: EventMetrics, app: str, built: Set[BlockFunction]) -> None:
        """`app` is the path of the app, and `built` are the functions of its own table."""
        self._metrics: Final = metrics
        self._app: Final = app
        self._built: Final = built
        self._begun: Final[dict[str, float]] = {}
        """By the id of a running event: when it has started."""

    @contextmanager
    def running(self, events: Sequence[Event]) -> Iterator[None]:
        """Count queued events that run inside the block. An event whose client has left meanwhile does not run."""
        now = time.monotonic()
        events = [event for event in events if event.alive]
        for event in events:
            self._begun[event._id] = now  # noqa: SLF001 -- It has no public name.
            self._start(event.fn, waited=now - event.enqueue_time)
        try:
            yield
        finally:
            for event in events:  # Those that were cancelled have sent no result.
                self._end_queued(event, has_failed=False)

    def see(self, event: Event, message: EventMessage) -> None:
        """Look at a message before it is sent. The result ends its event: Gradio cleans up afterwards."""
        if not (event.alive and isinstance(message, ProcessCompletedMessage)):
            return
        if event._id not in self._begun and message.used_cache == "full":  # noqa: SLF001
            # Gradio sends a cached result at once, without a place in the queue.
            self._begun[event._id] = event.enqueue_time  # noqa: SLF001
            self._start(event.fn, waited=0)
        self._end_queued(event, has_failed=not message.success)

    def _end_queued(self, event: Event, *, has_failed: bool) -> None:
        begun = self._begun.pop(event._id, None)  # noqa: SLF001
        if begun is not None:
            self._end(event.fn, begun, has_failed=has_failed)

    def refuse(self) -> None:
        """Count an event that was refused because its account has used up its time."""
        self._metrics.refused(self._app)

    @contextmanager
    def direct(self, fn: BlockFunction) -> Iterator["DirectEvent"]:
        """Count an event that runs within its request."""
        begun = time.monotonic()
        self._start(fn, waited=None)
        event = DirectEvent()
        try:
            yield event
        finally:
            self._end(fn, begun, has_failed=not event.has_succeeded)

    def _start(self, fn: BlockFunction, *, waited: float | None) -> None:
        self._metrics.started(self._app, self._name_of(fn), waited=waited)

    def _end(self, fn: BlockFunction, begun: float, *, has_failed: bool) -> None:
        seconds = time.monotonic() - begun
        self._metrics.ended(self._app, self._name_of(fn), seconds=seconds, has_failed=has_failed)

    def _name_of(self, fn: BlockFunction) -> str:
        return str(fn.api_name) if fn in self._built else RENDERED


class DirectEvent:
    """An event that has succeeded as soon as its response begins with a status below 400."""

    def __init__(self) -> None:
        self.has_succeeded = False

    def watched(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.has_succeeded = message["status"] < 400
            await send(message)

        return watch
