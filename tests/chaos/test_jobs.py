"""An unhandled exception in each background job."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from tests.chaos.cluster import CHANGED, Cluster, Replica, cluster
from tests.chaos.conftest import Survives
from tests.chaos.postgres import PostgresServer
from tests.processes import waits_until
from tests.redis_server import RedisServer

JOBS: Final = (
    "forget-ended",
    "keep-awake",
    "purge-files",
    "purge-sessions",
    "purge-tokens",
    "renew-files",
    "replicas",
)


@contextmanager
def failing_jobs(cluster: Cluster, file: Path) -> Iterator[None]:
    """Let all jobs of all replicas raise, until they count as degraded; at the end, wait until they work again."""
    file.touch()
    for replica in cluster.replicas:
        waits_until(partial(_all_are, "degraded", replica))
    try:
        yield
    finally:
        file.unlink()
    for replica in cluster.replicas:
        waits_until(partial(_all_are, "ok", replica))


def _all_are(state: str, replica: Replica) -> bool:
    return set(_jobs(replica).values()) == {state}


def _jobs(replica: Replica) -> dict[str, Any]:
    answer = httpx.get(f"{replica.origin}/readyz", timeout=5)
    assert answer.status_code == 200
    return dict(answer.json()["jobs"])


def test_jobs_that_raise_are_logged_run_again_and_degrade_readiness_only(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer, survives: Survives
) -> None:
    file = tmp_path / "jobs-fail"
    with cluster(tmp_path, postgres, redis) as made:
        made.start(*CHANGED, "--jobs-fail", str(file))
        named = _jobs(made.replicas[0])
        survives("each background job raises", made, lambda _: failing_jobs(made, file), lasts=2)
        said = made.replicas[0].process.says()

    assert sorted(named) == list(JOBS)
    for name in JOBS:
        # Once is not enough: a job that fails is run again.
        assert said.count(f"job={name}") >= 2, name
    assert said.count("background job failed") >= 2 * len(JOBS)
