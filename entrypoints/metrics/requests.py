"""Count requests by the template of their address."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

UNKNOWN: Final = "unknown"
"""The route of every address that does not exist, so that nobody can add values of labels."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request went, as the labels of its metrics say."""

    app: str = ""
    """The path of the mounted app; empty for the service's own addresses."""
    template: str = UNKNOWN
    """The address with `{name}` in place of ids. For an app, the part below its path."""
    is_stream: bool = False
    """True for a response that stays open. How long it took says nothing."""


NOWHERE: Final = Route()


class RequestMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gradioapp_requests",
            "Requests by route, app, method and status.",
            ("route", "app", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "gradioapp_request_seconds",
            "Time of a request in seconds, by route and app. Streams are left out.",
            ("route", "app"),
            buckets=_SECONDS,
            registry=registry,
        )

        self._forwarded = Counter(
            "gradioapp_forwarded_requests",
            "Requests that this process has sent on to the home of their account, by status.",
            ("status",),
            registry=registry,
        )

    def count_forwarded(self, status: int) -> None:
        """Count a request that another replica has answered, or should have."""
        self._forwarded.labels(status).inc()

    def count(self, route: Route, *, method: str, status: int, seconds: float) -> None:
        """Count a request that has ended. `method` must be one of a fixed list."""
        self._requests.labels(route.template, route.app, method, status).inc()
        if not route.is_stream:
            self._seconds.labels(route.template, route.app).observe(seconds)
