"""Count the events of one app for the metrics, and trace them."""

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from gradio.block_function import BlockFunction
from gradio.queueing import Event
from gradio.server_messages import EventMessage, ProcessCompletedMessage
from starlette.types import Message, Send

from entrypoints.access import TRACE
from entrypoints.metrics import EventMetrics
from entrypoints.tracing import EventSpan, Outcome, RequestSpan, Tracing

RENDERED: Final = "(rendered)"
"""The api_name of all functions that gr.render has made. Each tab makes its own, without end."""


@dataclass(frozen=True, slots=True)
class _Begun:
    at: float
    span: EventSpan


class CountedEvents:
    def __init__(
        self, metrics: EventMetrics, tracing: Tracing, app: str, built: Set[BlockFunction]
    ) -> None:
        """`app` is the path of the app, and `built` are the functions of its own table."""
        self._metrics: Final = metrics
        self._tracing: Final = tracing
        self._app: Final = app
        self._built: Final = built
        self._begun: Final[dict[str, _Begun]] = {}
        """By the id of a running event."""

    @contextmanager
    def running(self, events: Sequence[Event]) -> Iterator[None]:
        """Count queued events that run inside the block. An event whose client has left meanwhile does not run. In a
        batch, spans of the app's own code belong to the first event."""
        now = time.monotonic()
        events = [event for event in events if event.alive]
        batch = [_span_of(event.request.scope) for event in events]
        begun = [
            self._begin_queued(event, now, now - event.enqueue_time, batch) for event in events
        ]
        try:
            with begun[0].span.current() if begun else nullcontext():
                yield
        finally:
            for event in events:  # Those that were cancelled have sent no result.
                self._end_queued(event, "cancelled")

    def see(self, event: Event, message: EventMessage) -> None:
        """Look at a message before it is sent. The result ends its event: Gradio cleans up afterwards."""
        if not (event.alive and isinstance(message, ProcessCompletedMessage)):
            return
        if event._id not in self._begun and message.used_cache == "full":  # noqa: SLF001
            # Gradio sends a cached result at once, without a place in the queue.
            self._begin_queued(event, event.enqueue_time, 0, ())
        self._end_queued(event, "done" if message.success else "failed")

    def _begin_queued(
        self, event: Event, at: float, waited: float, batch: Sequence[RequestSpan | None]
    ) -> _Begun:
        span = self._start(event.fn, event.request.scope, waited=waited, batch=batch)
        begun = self._begun[event._id] = _Begun(at, span)  # noqa: SLF001 -- It has no public name.
        return begun

    def _end_queued(self, event: Event, outcome: Outcome) -> None:
        begun = self._begun.pop(event._id, None)  # noqa: SLF001
        if begun is not None:
            self._end(event.fn, begun, outcome)

    def refuse(self) -> None:
        """Count an event that was refused because its account has used up its time."""
        self._metrics.refused(self._app)

    @contextmanager
    def direct(self, fn: BlockFunction, scope: Mapping[str, Any]) -> Iterator["DirectEvent"]:
        """Count an event that runs within the request of this scope."""
        begun = _Begun(time.monotonic(), self._start(fn, scope, waited=None))
        event = DirectEvent()
        try:
            with begun.span.current():
                yield event
        finally:
            self._end(fn, begun, "done" if event.has_succeeded else "failed")

    def _start(
        self,
        fn: BlockFunction,
        scope: Mapping[str, Any],
        *,
        waited: float | None,
        batch: Sequence[RequestSpan | None] = (),
    ) -> EventSpan:
        api_name = self._name_of(fn)
        self._metrics.started(self._app, api_name, waited=waited)
        return self._tracing.event(
            _span_of(scope), app=self._app, api_name=api_name, waited=waited, batch=batch
        )

    def _end(self, fn: BlockFunction, begun: _Begun, outcome: Outcome) -> None:
        self._metrics.ended(
            self._app,
            self._name_of(fn),
            seconds=time.monotonic() - begun.at,
            has_failed=outcome == "failed",
        )
        begun.span.end(outcome)

    def _name_of(self, fn: BlockFunction) -> str:
        return str(fn.api_name) if fn in self._built else RENDERED


def _span_of(scope: Mapping[str, Any]) -> RequestSpan | None:
    """Return the span of the request that has joined an event."""
    span: RequestSpan | None = scope["state"].get(TRACE)
    return span


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
