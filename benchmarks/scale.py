"""`uv run python -m benchmarks.scale [PART…]`: print how the service bears many sessions, tabs, requests and sign-ins.

The parts are `lookups`, `tabs`, `requests` and `signins`; without any, all of them run. Ratios are to a bare Gradio mount
in the same run, or for lookups to a hundred stored sessions.
"""

import multiprocessing
import os
import socket
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import httpx

from benchmarks.__main__ import ECHO, event, health
from benchmarks.lookups import print_lookups
from benchmarks.refusals import used_by
from benchmarks.servers import (
    PASSWORD,
    Running,
    add_accounts,
    client,
    emails,
    form_token,
    process_of,
    sign_in,
)

TABS, ACCOUNTS = 1000, 10
"""An account may have 200 tabs."""
WARM_UP, ROUNDS, REQUESTS = 100, 15, 200
SIGN_INS, PEOPLE, SECONDS = 200, 50, 8.0
MOST_CPU: Final = 2.0
"""The largest ratio wanted."""
SLOWEST: Final = 250
"""Milliseconds wanted of /healthz at the 99th percentile."""
LIGHT: Final = (
    ("GET …/status", f"{ECHO}/gradio_api/queue/status", f"{ECHO}/gradio_api/queue/status"),
    ("GET …/config", f"{ECHO}/config", f"{ECHO}/config"),
    ("GET /api/v1/me", "/healthz", "/api/v1/me"),
)
"""What it is called, the open route of the bare mount, and ours, which needs a session."""


def memory(process: Running) -> float:
    """Return the megabytes of memory that the process has for itself."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    kilobytes = [int(line.split()[1]) for line in rollup if line.startswith("Private_")]
    return sum(kilobytes) / 1024


def open_tab(address: str, browser: httpx.Client, name: str) -> socket.socket:
    """Load the page, run an event as a page does, and return the connection of the heartbeat, which stays open. Gradio
    closes the stream of the messages when no event of the tab waits or runs."""
    browser.get(f"{ECHO}/").raise_for_status()
    event(0, browser, name)
    place = urlsplit(address)
    cookie = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
    connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=30)
    connection.sendall(
        f"GET {ECHO}/gradio_api/heartbeat/{name} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Origin: {address}\r\nCookie: {cookie}\r\n\r\n".encode()
    )
    said = connection.recv(65536)
    assert said.startswith(b"HTTP/1.1 200"), said
    return connection


def print_tabs(folder: Path) -> None:
    add_accounts(folder / "tabs", ACCOUNTS)
    grown = []
    with process_of("bare") as bare, process_of("ours", folder / "tabs") as ours:
        for process in (bare, ours):
            with ExitStack() as open_:
                browsers = [open_.enter_context(client(process.address)) for _ in range(ACCOUNTS)]
                for browser, email in zip(browsers, emails(ACCOUNTS), strict=True):
                    if process is ours:
                        sign_in(browser, email)
                    event(0, browser, "first")  # Modules that stay are not the tabs'.
                before = memory(process)
                for number in range(TABS):
                    browser = browsers[number % ACCOUNTS]
                    tab = open_tab(process.address, browser, f"tab{number}")
                    open_.callback(tab.close)
                grown.append(memory(process) - before)
    each = [megabytes / TABS for megabytes in grown]
    print(
        f"{TABS} idle tabs, MB a tab: {each[0]:.3f} bare, {each[1]:.3f} ours, ratio {each[1] / each[0]:.2f} "
        f"({grown[0]:.0f} and {grown[1]:.0f} MB in all)",
        flush=True,
    )


def cpu_of(process: Running, browser: httpx.Client, path: str, count: int) -> float:
    """Return the milliseconds of CPU time of a request."""
    before = used_by(process.pid)
    for _ in range(count):
        browser.get(path).raise_for_status()
    return (used_by(process.pid) - before) / count


def print_requests(folder: Path) -> None:
    add_accounts(folder / "requests", 1)
    with (
        process_of("bare") as bare,
        process_of("ours", folder / "requests") as ours,
        client(bare.address) as stranger,
        client(ours.address) as person,
    ):
        sign_in(person, emails(1)[0])
        for name, open_path, path in LIGHT:
            sides = (
                partial(cpu_of, bare, stranger, open_path),
                partial(cpu_of, ours, person, path),
            )
            found: Mapping[int, list[float]] = {0: [], 1: []}
            for side in sides:
                side(WARM_UP)
            for turn in range(ROUNDS):
                for which in (0, 1) if turn % 2 else (1, 0):
                    found[which].append(sides[which](REQUESTS))
            was, now = median(found[0]), median(found[1])
            met = "met" if now <= MOST_CPU * was else "NOT met"
            print(
                f"{name:<16}CPU, ms: {was:.2f} bare, {now:.2f} ours, ratio {now / was:.2f}  "
                f"<= {MOST_CPU:.2f} {met}",
                flush=True,
            )


def print_sign_ins(folder: Path) -> None:
    """Let 200 clients send their passwords at the same moment, from a process that does not measure."""
    add_accounts(folder / "signins", PEOPLE)
    spawn = multiprocessing.get_context("spawn")
    with (
        process_of("ours", folder / "signins") as ours,
        ProcessPoolExecutor(1, mp_context=spawn) as probes,
        ExitStack() as open_,
    ):
        idle = probes.submit(health, ours.address, seconds=3).result()
        everybody = [open_.enter_context(client(ours.address)) for _ in range(SIGN_INS)]
        tokens = [form_token(browser) for browser in everybody]
        start = threading.Barrier(SIGN_INS)

        def signs_in(number: int) -> int:
            email = emails(PEOPLE)[number % PEOPLE]
            form = {"username": email, "password": PASSWORD, "csrf_token": tokens[number]}
            start.wait(60)
            return everybody[number].post("/login", data=form).status_code

        busy = probes.submit(health, ours.address, seconds=SECONDS)
        with ThreadPoolExecutor(SIGN_INS) as pool:
            statuses = Counter(pool.map(signs_in, range(SIGN_INS)))
        slowest = busy.result()
    met = "met" if slowest <= SLOWEST else "NOT met"
    print(
        f"/healthz p99, ms: {idle:.1f} idle, {slowest:.1f} during {SIGN_INS} sign-ins at once  <= {SLOWEST} {met}; "
        + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())),
        flush=True,
    )


PARTS: Final[Mapping[str, Callable[[Path], None]]] = {
    "lookups": print_lookups,
    "tabs": print_tabs,
    "requests": print_requests,
    "signins": print_sign_ins,
}


def main(names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise SystemExit(f"No such part: {', '.join(unknown)}. Choose from: {', '.join(PARTS)}.")
    print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names or PARTS:
            PARTS[name](Path(folder))
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
