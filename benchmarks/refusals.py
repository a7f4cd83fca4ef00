"""`uv run python -m benchmarks.refusals`: print how long a refused sign-in takes for each kind of account.

The medians must not differ: otherwise a stranger could find out which accounts exist (ASVS 6.3.8). Each try comes from
an address of its own, so that no limit of attempts shortens it. Other work on the machine moves the medians of the wall
time by chance, and hardly the fastest tenth and the CPU time of the service.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final

import httpx

from application.container import build
from application.running import running
from application.settings import load
from benchmarks.servers import abused, client, form_token
from domain.model.caller import Caller

KINDS: Final = ("unknown", "inactive", "passwordless", "real")
TURNS: Final = 200
"""Tries of each kind."""
ACCOUNTS: Final = 20
"""Accounts of each kind: each is tried less often than its limit allows."""
WARM_UP: Final = ACCOUNTS
MOST: Final = 1.05
"""The largest ratio of two medians."""


def email(kind: str, number: int) -> str:
    return f"{kind}{number}@example.org"


def add_accounts(folder: Path) -> None:
    async def add() -> None:
        container = build(load(env_file=None, data_dir=folder))
        async with running(container):
            use_cases = container.use_cases()
            for kind in KINDS[1:]:
                password = None if kind == "passwordless" else "correct horse"
                for number in range(ACCOUNTS):
                    user = await use_cases.create_user(
                        Caller.operator(), email=email(kind, number), password=password
                    )
                    if kind == "inactive":
                        await use_cases.disable_user(Caller.operator(), user.id)

    asyncio.run(add())


def addresses() -> Iterator[str]:
    for number in range(2**16):
        yield f"10.9.{number // 256}.{number % 256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    wall: float
    """Milliseconds until the response."""
    cpu: float
    """Milliseconds of CPU of all threads of the service. Other work on the machine hardly changes them."""


def tried(browser: httpx.Client, pid: int, form: Mapping[str, str], address: str) -> Cost:
    """Return what a sign-in with a wrong password costs."""
    cpu, start = used_by(pid), time.perf_counter()
    answer = browser.post("/login", data=form, headers={"X-Forwarded-For": address})
    wall = time.perf_counter() - start
    assert answer.status_code == 401, answer.text
    return Cost(wall=wall * 1000, cpu=used_by(pid) - cpu)


def used_by(pid: int) -> float:
    """Return the milliseconds of CPU that a process has used."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def measured(browser: httpx.Client, pid: int) -> Mapping[str, Sequence[Cost]]:
    token, address, chance = form_token(browser), addresses(), Random(1)
    costs: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    for turn in range(WARM_UP + TURNS):
        for kind in chance.sample(KINDS, k=len(KINDS)):
            account = email(kind, turn % ACCOUNTS)
            form = {"csrf_token": token, "username": account, "password": "wrong horse"}
            cost = tried(browser, pid, form, next(address))
            if turn >= WARM_UP:
                costs[kind].append(cost)
    return costs


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        add_accounts(folder)
        settings = {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "warning"}
        with abused(folder, files=1024, **settings) as process, client(process.address) as browser:
            costs = measured(browser, process.pid)
    columns = {
        "wall": {kind: median(cost.wall for cost in found) for kind, found in costs.items()},
        "fastest tenth": {
            kind: quantiles([cost.wall for cost in found], n=10)[0] for kind, found in costs.items()
        },
        "CPU": {kind: median(cost.cpu for cost in found) for kind, found in costs.items()},
    }
    print(" " * 13 + "".join(f"{name:>15} {'ratio':>6}" for name in columns))
    for kind in KINDS:
        cells = (
            f"{column[kind]:15.2f} {column[kind] / min(column.values()):6.3f}"
            for column in columns.values()
        )
        print(f"{kind:13}{''.join(cells)}")
    differ = [name for name, one in columns.items() if max(one.values()) > MOST * min(one.values())]
    if differ:
        raise SystemExit(f"More than {MOST - 1:.0%} apart: {', '.join(differ)}.")


if __name__ == "__main__":
    main()
