"""The metrics of one service, in the format of Prometheus. Each service has a registry of its own: one process may have several."""

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from entrypoints.metrics.events import EventMetrics
from entrypoints.metrics.process import ProcessMetrics
from entrypoints.metrics.requests import NOWHERE, RequestMetrics, Route

__all__ = ["NOWHERE", "EventMetrics", "Metrics", "ProcessMetrics", "RequestMetrics", "Route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    requests: RequestMetrics
    events: EventMetrics
    _registry: CollectorRegistry

    @classmethod
    def empty(cls) -> Self:
        registry = CollectorRegistry()
        return cls(
            requests=RequestMetrics(registry), events=EventMetrics(registry), _registry=registry
        )

    def show(self, process: ProcessMetrics) -> None:
        """Show the state of the process too."""
        self._registry.register(process)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type, in the format that the Accept header prefers."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
