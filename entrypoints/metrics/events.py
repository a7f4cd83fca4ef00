"""Count the events of apps, and the streams that are open."""

from contextlib import AbstractContextManager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LABELS: Final = ("app", "api_name")


class EventMetrics:
    """Events by app and `api_name`. Both come from the mounted apps, never from a request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._started = Counter(
            "gradioapp_events_started", "Events that have started.", _LABELS, registry=registry
        )
        self._failed = Counter(
            "gradioapp_events_failed",
            "Events that have ended with an error, also one that the app itself raises.",
            _LABELS,
            registry=registry,
        )
        self._seconds = Histogram(
            "gradioapp_event_seconds",
            "Time in seconds from the start of an event to its end.",
            _LABELS,
            buckets=_SECONDS,
            registry=registry,
        )
        self._waited = Histogram(
            "gradioapp_event_wait_seconds",
            "Time in seconds that a queued event waited for its start.",
            _LABELS,
            buckets=_SECONDS,
            registry=registry,
        )
        self._refused = Counter(
            "gradioapp_events_over_quota",
            "Events that were refused because their account has used up its time.",
            ("app",),
            registry=registry,
        )
        self._streams = Gauge(
            "gradioapp_streams_open", "Streams that are open.", ("app",), registry=registry
        )

    def started(self, app: str, api_name: str, *, waited: float | None = None) -> None:
        """Count a start. `waited` are the seconds in the queue; None for an event that was not queued."""
        self._started.labels(app, api_name).inc()
        # An event that has never failed is shown with 0, so that its first failure is an increase.
        self._failed.labels(app, api_name)
        if waited is not None:
            self._waited.labels(app, api_name).observe(waited)

    def ended(self, app: str, api_name: str, *, seconds: float, has_failed: bool) -> None:
        self._seconds.labels(app, api_name).observe(seconds)
        if has_failed:
            self._failed.labels(app, api_name).inc()

    def refused(self, app: str) -> None:
        """Count an event that was refused because its account has used up its time."""
        self._refused.labels(app).inc()

    def open_stream(self, app: str) -> AbstractContextManager[object]:
        """Count a stream that is open inside the block."""
        return self._streams.labels(app).track_inprogress()
