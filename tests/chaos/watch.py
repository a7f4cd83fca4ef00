"""Watch a service through a fault: writers and probes go on all the time, and everything is checked at the end."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
import pytest

from tests.chaos.people import Headers, Registry, signs_out
from tests.chaos.probes import REFUSED_AFTER, Probes, refused_credentials
from tests.chaos.table import Row
from tests.chaos.writers import Writers

WRITERS: Final = 10
BEFORE: Final = 1.5
"""Seconds of writing before the fault."""
PATIENCE: Final = 30.0
"""Seconds within which the service must have recovered."""


@dataclass
class Watch:
    writers: Writers
    probes: Probes
    leaver: Headers
    """A session that is ended in the middle of the fault."""
    url: str
    origins: Sequence[str]
    """The addresses of the replicas, through which everything is read at the end."""
    recovered: float = -1
    faults: list[str] = field(default_factory=list)
    """What the numbers of the row stand for, for the message of a test that fails."""

    def signs_out_during_the_fault(self) -> None:
        """End a session. If the service confirms it, the session is one more that must be refused."""
        try:
            has_ended = signs_out(self.url, self.leaver)
        except (httpx.HTTPError, KeyError, ValueError):  # The service is not available.
            return
        if has_ended:
            time.sleep(REFUSED_AFTER)
            self.probes.add("session ended in the fault", self.leaver)

    def recovers(self) -> None:
        """Wait from now, the end of the fault, until ten writes in a row have succeeded."""
        since = time.monotonic()
        while (at := self.writers.recovered_at(since)) is None:
            if time.monotonic() - since > PATIENCE:
                recent = [
                    (one.status, round(one.ended - one.began, 1))
                    for one in self.writers.attempts()[-20:]
                ]
                pytest.fail(
                    f"No recovery within {PATIENCE} s. Status and seconds of the last writes: {recent}"
                )
            time.sleep(0.1)
        self.recovered = at - since

    def row(self, fault: str, *, may_answer: frozenset[int]) -> Row:
        """Check every write and every probe. `may_answer` are the statuses of the 500s that are right."""
        lost = half_made = 0
        for where, missing, halves in self.writers.check(self.origins):
            lost, half_made = lost + len(missing), half_made + len(halves)
            if missing or halves:
                self.faults.append(f"{where}: lost {sorted(missing)}, half-made {sorted(halves)}")
        let_in = self.probes.let_in()
        self.faults += [f"let in: {probe}" for probe in let_in]
        told = self.writers.statuses() + self.probes.statuses()
        other = {
            status: told[status] for status in told if status >= 500 and status not in may_answer
        }
        if other:
            self.faults.append(f"statuses and how often: {other}")
        attempts = self.writers.attempts()
        done = [one for one in attempts if one.is_acknowledged]
        return Row(
            fault=fault,
            acknowledged=len(done),
            refused=len(attempts) - len(done),
            lost=lost,
            half_made=half_made,
            probes=sum(self.probes.kinds().values()),
            let_in=len(let_in),
            other_5xx=sum(other.values()),
            slowest=max(one.ended - one.began for one in done),
            recovered=self.recovered,
        )


@contextmanager
def watching(
    url: str, origins: Sequence[str], registry: Registry, events: Sequence[str]
) -> Iterator[Watch]:
    """Write by the events and probe, for as long as the block lasts. Replicas and storage must be ready."""
    probes = Probes(url, refused_credentials(registry, origins[0]))
    people = registry.accounts(WRITERS + 1)
    *sessions, leaver = registry.sessions(people)
    writers = Writers(url, people[:WRITERS], sessions, events)
    with _running(writers), _running(probes):
        time.sleep(BEFORE)
        yield Watch(writers, probes, leaver, url, origins)


@contextmanager
def _running(threads: Writers | Probes) -> Iterator[None]:
    threads.start()
    try:
        yield
    finally:
        threads.stop()


@contextmanager
def somebody_signs_out(watch: Watch) -> Iterator[None]:
    """End a session beside the block, and wait for it."""
    thread = threading.Thread(target=watch.signs_out_during_the_fault)
    thread.start()
    yield
    thread.join()
