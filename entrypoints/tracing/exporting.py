"""Export spans to an OpenTelemetry collector, in the background."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from entrypoints.tracing import EventSpan, Outcome, RequestSpan, Tracing

PATIENCE: Final = 2.0
"""Seconds that the last spans get at the end. A collector that hangs must not keep the service from stopping."""
_NAME: Final = "gradioapp"
_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
_OTHER: Final = "_OTHER"
"""The value of `http.request.method` for every method that is not in the standard."""
_HEADERS: Final = TraceContextTextMapPropagator()
_FAILURES: Final = logging.getLogger(OTLPSpanExporter.__module__)
"""The logger of the exporter, which writes a line for each retry."""
_QUIET_FOR: Final = 60.0
"""Seconds between two lines about a collector that does not answer."""


class Exporting(Tracing):
    def __init__(
        self, provider: TracerProvider, new_processor: Callable[[], SpanProcessor]
    ) -> None:
        """`new_processor` makes what exports the spans, when the service starts."""
        self._provider: Final = provider
        self._new_processor: Final = new_processor
        self._tracer: Final = provider.get_tracer(_NAME)

    @classmethod
    def to_collector(cls) -> Self:
        """Export to the collector that the variables name. The queue and all times are bounded, by variables too."""
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        return cls(provider, lambda: BatchSpanProcessor(OTLPSpanExporter()))

    def request(self, traceparent: str | None) -> "ExportedRequest":
        context = _HEADERS.extract({"traceparent": traceparent or ""}, context=Context())
        span = self._tracer.start_span("request", context=context, kind=trace.SpanKind.SERVER)
        return ExportedRequest(span)

    def event(
        self,
        request: RequestSpan | None,
        *,
        app: str,
        api_name: str,
        waited: float | None,
        batch: Sequence[RequestSpan | None] = (),
    ) -> EventSpan:
        if not isinstance(request, ExportedRequest):
            return EventSpan()
        context = trace.set_span_in_context(request.span, Context())
        about = {"gradioapp.app": app, "gradioapp.api_name": api_name}
        others = (one for one in batch if isinstance(one, ExportedRequest) and one is not request)
        run = self._tracer.start_span(
            f"run {api_name}",
            context=context,
            attributes=about,
            links=[trace.Link(one.span.get_span_context()) for one in others],
        )
        # The SDK's own clock: the wait ends exactly where the run begins.
        if waited is not None and isinstance(run, ReadableSpan) and run.start_time is not None:
            joined_at = run.start_time - round(waited * 1e9)
            self._tracer.start_span(
                f"wait {api_name}", context=context, attributes=about, start_time=joined_at
            ).end(run.start_time)
        return ExportedEvent(run)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        processor, rarely = self._new_processor(), _Rarely()
        _FAILURES.addFilter(rarely)
        self._provider.add_span_processor(processor)
        # An app that has set a provider of its own keeps it.
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)
        try:
            yield
        finally:
            await _end(processor)
            _FAILURES.removeFilter(rarely)


@dataclass(frozen=True, slots=True)
class ExportedRequest(RequestSpan):
    span: trace.Span

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self.span.get_span_context().trace_id)

    @property
    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _HEADERS.inject(carrier, trace.set_span_in_context(self.span, Context()))
        return carrier["traceparent"]

    def end(self, *, method: str, route: str, status: int | None, user_id: str) -> None:
        span, is_known = self.span, method in _METHODS
        span.update_name(f"{method if is_known else 'HTTP'} {route}".rstrip())
        span.set_attribute("http.request.method", method if is_known else _OTHER)
        if route:
            span.set_attribute("http.route", route)
        if user_id:
            span.set_attribute("user.id", user_id)
        if status is not None:
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(trace.StatusCode.ERROR)
        span.end()


@dataclass(frozen=True, slots=True)
class ExportedEvent(EventSpan):
    span: trace.Span

    def current(self) -> AbstractContextManager[object]:
        # Messages of exceptions may have a caller's input.
        return trace.use_span(self.span, record_exception=False, set_status_on_exception=False)

    def end(self, outcome: Outcome) -> None:
        self.span.set_attribute("gradioapp.outcome", outcome)
        if outcome == "failed":
            self.span.set_status(trace.StatusCode.ERROR)
        self.span.end()


class _Rarely(logging.Filter):
    """Lets one line pass, and the next one after a while."""

    _next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 -- As in its base class.
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _QUIET_FOR
        return True


def _resource() -> Resource:
    """Return what the variables say of the service. Its name is ours unless they have one."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: _NAME}))
    return found


async def _end(processor: SpanProcessor) -> None:
    """Export the last spans. The thread may outlast us: Python does not wait for it."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        processor.shutdown()
        with suppress(RuntimeError):  # The loop has ended.
            loop.call_soon_threadsafe(ended.set)

    Thread(target=end, name="traces", daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), PATIENCE)
