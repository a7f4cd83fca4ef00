"""A replica whose clock is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import pytest

from tests.chaos.cluster import CHANGED, SERVICE, Cluster
from tests.chaos.conftest import Survives
from tests.chaos.people import PASSWORD, cookie, must_count_together
from tests.servers import session_of

TOLERATED: Final = 5
"""Seconds: a replica accepts a session that began so far in its future."""


@contextmanager
def wrong_clock(cluster: Cluster, seconds: float) -> Iterator[None]:
    """Restart the first replica with a wrong clock, and at the end with the right one."""
    replica = cluster.replicas[0]
    replica.restart(*CHANGED, "--ahead", str(seconds))
    try:
        if abs(seconds) <= TOLERATED:
            must_accept_each_others_sessions(cluster)
        yield
    finally:
        replica.restart(*SERVICE)


def must_accept_each_others_sessions(cluster: Cluster) -> None:
    [email] = cluster.registry.accounts(1)
    origins = [replica.origin for replica in cluster.replicas]
    sessions = [cookie(session_of(origin, email, PASSWORD)) for origin in origins]

    told = [
        httpx.get(f"{origin}/api/v1/me", headers=session, timeout=20).status_code
        for session in sessions
        for origin in origins
    ]

    assert told == [200] * 4


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("clock 5 s ahead", 5),
        ("clock 5 s behind", -5),
        ("clock 5 min ahead", 300),
        ("clock 5 min behind", -300),
    ],
)
def test_a_wrong_clock_loses_no_write_and_lets_nobody_in(
    name: str, seconds: float, whole_cluster: Cluster, survives: Survives
) -> None:
    survives(name, whole_cluster, lambda _: wrong_clock(whole_cluster, seconds), lasts=5)


def test_a_wrong_clock_locks_nobody_out_at_the_other_replicas(whole_cluster: Cluster) -> None:
    with wrong_clock(whole_cluster, 300):
        must_count_together([replica.origin for replica in whole_cluster.replicas])
