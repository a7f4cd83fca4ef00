"""Show what the process does at the moment of each reading."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.model.load import Connections, Load


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMetrics(Collector):
    read_load: Callable[[], Load]
    count_sessions: Callable[[], int]
    """Returns how many sessions and access tokens have used an app in this process, and live."""
    job_states: Callable[[], Mapping[str, str]]
    """Maps the name of each background job to "ok" or "degraded"."""

    def collect(self) -> Iterator[Metric]:
        load = self.read_load()
        yield GaugeMetricFamily(
            "gradioapp_sessions_live",
            "Live sessions and access tokens that have used an app in this process.",
            self.count_sessions(),
        )
        yield _sign_ins(load)
        yield CounterMetricFamily(
            "gradioapp_throttled", "Attempts that a rate limit has refused.", load.throttled
        )
        yield GaugeMetricFamily(
            "gradioapp_password_hashes_waiting",
            "Passwords that wait for a thread to be hashed.",
            load.hashes_waiting,
        )
        yield from _connections(load.connections)
        yield _redis(load)
        jobs = GaugeMetricFamily(
            "gradioapp_job_ok",
            "1 for a background job that works, 0 for a degraded one.",
            labels=("name",),  # Prometheus has a label `job` of its own.
        )
        for name, state in self.job_states().items():
            jobs.add_metric((name,), int(state == "ok"))
        yield jobs


def _sign_ins(load: Load) -> Metric:
    family = CounterMetricFamily(
        "gradioapp_sign_ins",
        "Sign-ins and confirmations, done or refused.",
        labels=("how", "outcome"),
    )
    for sign_in, number in load.sign_ins.items():
        family.add_metric((sign_in.how, sign_in.outcome), number)
    return family


def _redis(load: Load) -> Metric:
    """Return no value for a service without Redis."""
    family = GaugeMetricFamily(
        "gradioapp_redis_ok",
        "1 while replicas hear of one another over Redis, 0 while they do not.",
    )
    if load.redis != "off":
        family.add_metric((), int(load.redis == "ok"))
    return family


def _connections(connections: Connections | None) -> Iterator[Metric]:
    in_use = GaugeMetricFamily(
        "gradioapp_database_connections_in_use", "Connections to the database that are in use."
    )
    size = GaugeMetricFamily(
        "gradioapp_database_connections_size", "The largest number of connections to the database."
    )
    if connections is not None:
        in_use.add_metric((), connections.in_use)
        size.add_metric((), connections.size)
    yield from (in_use, size)
