"""200 people who sign in at the same moment."""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.chaos.cluster import Cluster
from tests.chaos.conftest import Survives
from tests.chaos.people import PASSWORD
from tests.processes import Process

SIGN_INS: Final = 200
ACCOUNTS: Final = 50
SLOWEST: Final = 250
"""Milliseconds of /healthz, at the 99th percentile."""


class Crowd:
    def __init__(self, url: str, emails: Sequence[str]) -> None:
        self._url = url
        self._emails = emails
        self._barrier = threading.Barrier(SIGN_INS)
        self.statuses: Counter[int] = Counter()

    def signs_in(self) -> None:
        with ThreadPoolExecutor(SIGN_INS) as pool:
            self.statuses = Counter(pool.map(self._sign_in, range(SIGN_INS)))

    def _sign_in(self, number: int) -> int:
        with httpx.Client(base_url=self._url, headers={"origin": self._url}, timeout=60) as http:
            found = re.search(r'name="csrf_token" value="([^"]+)"', http.get("/login").text)
            assert found
            email = self._emails[number % len(self._emails)]
            form = {"username": email, "password": PASSWORD, "csrf_token": found[1]}
            self._barrier.wait(60)
            return http.post("/login", data=form).status_code


@contextmanager
def a_crowd(cluster: Cluster, crowd: Crowd, folder: Path, said: list[str]) -> Iterator[None]:
    """Let the crowd sign in, and measure the liveness of both replicas meanwhile."""
    pulses = [
        Process("tests.chaos.pulse", f"{one.origin}/healthz", "8", folder=folder)
        for one in cluster.replicas
    ]
    crowd.signs_in()
    yield
    said += [pulse.ends() for pulse in pulses]
    for pulse in pulses:
        pulse.end()


def test_two_hundred_sign_ins_at_once_stop_nobody_else(
    tmp_path: Path, whole_cluster: Cluster, survives: Survives
) -> None:
    said: list[str] = []
    emails = whole_cluster.registry.accounts(ACCOUNTS)
    crowd = Crowd(whole_cluster.url, emails)

    survives(
        "200 sign-ins at once",
        whole_cluster,
        lambda _: a_crowd(whole_cluster, crowd, tmp_path, said),
    )

    print(f"200 sign-ins: {dict(crowd.statuses)}; /healthz {said}")  # noqa: T201 -- Beside the table.
    assert crowd.statuses.keys() <= {303, 429, 503}
    assert crowd.statuses[303] > 0
    slowest = [int(re.search(r"p99 (\d+)", line)[1]) for line in said]  # type: ignore[index]
    assert max(slowest) <= SLOWEST
