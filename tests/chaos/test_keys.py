"""The secret key is rotated while the service runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.chaos.cluster import KEY, Cluster, cluster
from tests.chaos.conftest import Survives
from tests.chaos.postgres import PostgresServer
from tests.chaos.probes import REFUSED_AFTER
from tests.chaos.watch import Watch
from tests.redis_server import RedisServer

NEW: Final = "new-Q9xT7pLw2RbN8mYc5HdF1sJg6KuEZk3v"


@contextmanager
def rotated(cluster: Cluster, watch: Watch) -> Iterator[None]:
    """Make the new key known to all replicas, then sign with it, and then forget the old one. Between the last two steps
    everybody signs in again, which in production takes as long as a session lives."""
    _restart_with(cluster, f"{KEY},{NEW}")
    _restart_with(cluster, f"{NEW},{KEY}")
    old = watch.writers.sign_in_again(replace(cluster.registry, key=NEW))
    _restart_with(cluster, NEW)
    watch.probes.add("live session of the old key", old)
    yield


def _restart_with(cluster: Cluster, keys: str) -> None:
    for replica in cluster.replicas:
        replica.restart(SECRET_KEY=keys)


def test_the_key_is_rotated_in_three_steps_and_the_old_one_opens_nothing(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer, survives: Survives
) -> None:
    with cluster(tmp_path, postgres, redis) as made:
        made.start()
        survives(
            "key rotated in three steps",
            made,
            lambda watch: rotated(made, watch),
            lasts=REFUSED_AFTER,
            events=("writes", "queued"),
        )
