"""Requests with credentials that must always be refused."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Final

import httpx

from domain.model.access_token import value_of
from tests.chaos.cluster import CACHED
from tests.chaos.people import Headers, Registry, signs_out, tampered
from tests.chaos.writers import EVENTS

EVERY: Final = 0.02
"""Seconds between two probes."""
THREADS: Final = 6
"""A probe that waits for a frozen server does not stop the others."""
PATIENCE: Final = 4.0

IDLE: Final = timedelta(minutes=35)
"""Longer than SESSION_IDLE_MINUTES, and not so long ago that the row of the session is purged."""

REFUSED_AFTER: Final = CACHED + 1.0
"""Seconds after which an ended session is refused by every replica, with Redis or without."""

_PLACES: Final = (
    ("GET", "/api/v1/me"),
    ("GET", "/gradio/chaos/config"),
    ("POST", f"{EVENTS}/reads"),
    ("POST", f"{EVENTS}/writes"),
    ("GET", "/api/v1/me/sessions"),
)


@dataclass(frozen=True)
class Probe:
    kind: str
    status: int
    """The HTTP status; 0 without a response."""
    path: str

    @property
    def is_let_in(self) -> bool:
        return 200 <= self.status < 300


class Probes:
    """Sends the credentials one after the other, each to one place after the other."""

    def __init__(self, url: str, credentials: Mapping[str, Headers]) -> None:
        self._url = url
        self._credentials = dict(credentials)
        self._sent: list[Probe] = []
        self._numbers = count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
            time.sleep(EVERY)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def add(self, kind: str, credential: Headers) -> None:
        """Send this credential too, from now on."""
        self._credentials = {**self._credentials, kind: credential}

    def let_in(self) -> Sequence[Probe]:
        return [probe for probe in self._sent if probe.is_let_in]

    def statuses(self) -> Counter[int]:
        return Counter(probe.status for probe in self._sent)

    def kinds(self) -> Counter[str]:
        """Return how often each credential was refused by an answer."""
        return Counter(probe.kind for probe in self._sent if probe.status)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE) as http:
            while not self._over.wait(EVERY * THREADS):
                self._sent.append(self._probe(http, next(self._numbers)))

    def _probe(self, http: httpx.Client, number: int) -> Probe:
        credentials = list(self._credentials.items())
        kind, headers = credentials[number % len(credentials)]
        method, path = _PLACES[number // len(credentials) % len(_PLACES)]
        body = {"data": [number, 0]} if method == "POST" else None
        try:
            answer = http.request(method, path, headers={**headers, "origin": self._url}, json=body)
        except httpx.HTTPError:
            return Probe(kind, 0, path)
        return Probe(kind, answer.status_code, path)


@cache
def refused_credentials(registry: Registry, origin: str) -> Mapping[str, Headers]:
    """Return credentials that were valid once, or never. The service has confirmed the end of those that have ended."""
    [ended, idle, forger, program] = registry.accounts(4)
    [ended_session] = registry.sessions([ended])
    assert signs_out(origin, ended_session)
    time.sleep(REFUSED_AFTER)
    [genuine] = registry.sessions([forger])
    [expired] = registry.sessions([idle], ago=IDLE)
    return {
        "absent": {},
        "ended session": ended_session,
        "expired session": expired,
        "expired token": registry.access_token(program, ago=timedelta(days=2)),
        "forged session": registry.forged_session(genuine),
        "tampered session": tampered(genuine),
        "forged token": {"authorization": f"Bearer {value_of('A' * 43)}"},
    }
