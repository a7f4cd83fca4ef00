"""Trace requests and the events that they begin. Without the variables of OpenTelemetry, nothing is traced or imported."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Final, Literal, Protocol

import structlog

from application.settings import fault_of_traces, traces_endpoint

Outcome = Literal["done", "failed", "cancelled"]

MISSING: Final = "traces are not exported, because packages are missing. Type: uv sync --extra traces, or pip install 'gradioapp[traces]'"

log = structlog.get_logger()


class RequestSpan(Protocol):
    """The span of one request."""

    @property
    @abstractmethod
    def trace_id(self) -> str:
        """32 hexadecimal digits, for the log."""

    @property
    @abstractmethod
    def traceparent(self) -> str:
        """The span as a header of W3C Trace Context, for the replica that responds."""

    @abstractmethod
    def end(self, *, method: str, route: str, status: int | None, user_id: str) -> None:
        """`route` is the template of the address, empty if there is no such address. `status` is None if the client has
        left before the response. `user_id` is empty for a visitor."""


class EventSpan:
    """The span of one run of an event. This one records nothing."""

    def current(self) -> AbstractContextManager[object]:
        """Make spans of the app's own code children of this one inside the block."""
        return nullcontext()

    def end(self, outcome: Outcome) -> None:
        """End the span."""


_UNTRACED: Final = EventSpan()


class Tracing:
    """Traces nothing: for a service without the variables of OpenTelemetry."""

    def request(self, traceparent: str | None) -> RequestSpan | None:  # noqa: ARG002 -- See Exporting.
        """Begin the span of a request. `traceparent` is the header of a sender that is trusted."""
        return None

    def event(
        self,
        request: RequestSpan | None,  # noqa: ARG002
        *,
        app: str,  # noqa: ARG002
        api_name: str,  # noqa: ARG002
        waited: float | None,  # noqa: ARG002
        batch: Sequence[RequestSpan | None] = (),  # noqa: ARG002
    ) -> EventSpan:
        """Begin the span of an event that runs now, and export a span of its wait. `request` has joined it. `waited` are
        its seconds in the queue, None for an event that was not queued. `batch` are the requests of all events that run
        together with it."""
        return _UNTRACED

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Export spans until the block ends."""
        yield


OFF: Final = Tracing()


def from_environment() -> Tracing:
    """Return what the variables of OpenTelemetry ask for. If that is impossible, log why, and trace nothing."""
    if not traces_endpoint():
        return OFF
    if why := why_not_exported():
        log.warning(why)
        return OFF
    from entrypoints.tracing.exporting import (
        Exporting,
    )  # Without traces, nothing of it is imported.

    return Exporting.to_collector()


def why_not_exported() -> str:
    """Return why the traces that the variables ask for cannot be exported, and what to do; empty if they can."""
    if fault := fault_of_traces():
        return f"traces are not exported: {fault}"
    try:
        import entrypoints.tracing.exporting  # noqa: F401
    except ImportError:
        return MISSING
    return ""
