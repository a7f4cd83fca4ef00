"""`uv run python -m benchmarks`: print the cost of the service over a bare Gradio mount, as ratios in one run."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.servers import (
    add_accounts,
    client,
    copy_of_gradio,
    emails,
    install,
    served,
    sign_in,
)

ECHO = "/gradio/echo"
WARM_UP, TURNS = 50, 800
PAGES = 20
MONTH = 30 * 24 * 60 * 60
REST = 500
"""Milliseconds."""
SIGNING_IN, SECONDS = 16, 10
Act = Callable[[httpx.Client, str], None]


def event(number: int, browser: httpx.Client, session: str) -> None:
    """Run the app's event of this number: join the queue, and listen until the event is done."""
    body = {"data": ["hi"], "fn_index": number, "session_hash": session}
    browser.post(f"{ECHO}/gradio_api/queue/join", json=body).raise_for_status()
    path = f"{ECHO}/gradio_api/queue/data?session_hash={session}"
    with browser.stream("GET", path) as stream:
        said = "".join(stream.iter_text())
    assert '"success":true' in said, said


def config(browser: httpx.Client, _: str) -> None:
    browser.get(f"{ECHO}/config").raise_for_status()


def timed(act: Callable[[], object]) -> float:
    """Return the duration in milliseconds."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


ACTS: tuple[tuple[str, Act, float | None], ...] = (
    ("queued event", partial(event, 0), 1.10),
    ("… that takes the user", partial(event, 1), 1.10),
    ("… that reads and writes State", partial(event, 2), 1.50),
    ("GET config", config, None),
)
"""Name, action and largest ratio wanted; the app numbers its events in this order."""


def alternating(bare: httpx.Client, ours: httpx.Client) -> list[tuple[list[float], list[float]]]:
    """Time ACTS in turn on both sides, so that other load on the machine and the servers' uptime affect both sides
    equally."""
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in ACTS]
    for number in range(WARM_UP + TURNS):
        for which, (_, act, _) in enumerate(ACTS):
            sides = list(zip((bare, ours), times[which], strict=True))
            for browser, kept in sides if number % 2 else reversed(sides):
                taken = timed(partial(act, browser, f"s{which}-{number}"))
                if number >= WARM_UP:
                    kept.append(taken)
    return times


@dataclass(frozen=True)
class Loads:
    """How long a user waits for the page, in milliseconds."""

    cold: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    """Reloaded in its tab."""
    back: list[float] = field(default_factory=list)
    """Opened from another site in a new tab."""
    released: list[float] = field(default_factory=list)
    """Like `again`, with assets so new that a browser revalidates them unless it was told not to."""


def page_loads(
    browser: Browser, addresses: tuple[str, str], cookies: httpx.Cookies, gradio: Path
) -> tuple[Loads, Loads]:
    """Return the loads of the bare page and of ours."""
    sides = Loads(), Loads()
    for number in range(PAGES + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            address, kept = addresses[side], sides[side] if number else Loads()
            install(gradio, seconds_ago=MONTH)
            with visitor(browser, cookies if side else {}, address) as context:
                page = _elsewhere(context, address)
                kept.cold.append(opened(page, address))
                kept.again.append(loaded_again(page))
                kept.back.append(opened(_elsewhere(context, address), address))
            install(gradio, seconds_ago=0)
            with visitor(browser, cookies if side else {}, address) as context:
                page = _elsewhere(context, address)
                kept.cold.append(opened(page, address))
                kept.released.append(loaded_again(page))
    return sides


@contextmanager
def visitor(browser: Browser, cookies: Mapping[str, str], address: str) -> Iterator[BrowserContext]:
    context = browser.new_context()
    for name, value in cookies.items():
        context.add_cookies([{"name": name, "value": value, "url": address}])
    yield context
    context.close()


def _elsewhere(context: BrowserContext, address: str) -> Page:
    """Return a tab that shows another site."""
    page = context.new_page()
    page.goto(f"{address.replace('127.0.0.1', 'localhost')}/healthz")
    return page


def opened(page: Page, address: str) -> float:
    return _seen(page, lambda: page.goto(f"{address}{ECHO}/", wait_until="commit"))


def loaded_again(page: Page) -> float:
    return _seen(page, lambda: page.reload(wait_until="commit"))


def _seen(page: Page, load: Callable[[], object]) -> float:
    """Return the time until the app is visible. First let the browser finish storing and compiling what it has loaded."""
    page.wait_for_timeout(REST)

    def until_seen() -> None:
        load()
        page.get_by_role("textbox", name="Text").wait_for()

    return timed(until_seen)


def health(address: str, *, seconds: float) -> float:
    """Return the p99 in milliseconds."""
    until = time.monotonic() + seconds
    times = []
    with client(address) as browser:
        while time.monotonic() < until:
            times.append(timed(lambda: browser.get("/healthz").raise_for_status()))
            time.sleep(0.005)
    return quantiles(times, n=100)[98]


def health_while_signing_in(address: str) -> tuple[float, int]:
    """Return the p99 in milliseconds, and the number of sign-ins in that time."""
    stop = threading.Event()
    done: list[str] = []

    def again_and_again(email: str) -> None:
        while not stop.is_set():
            with client(address) as browser:
                sign_in(browser, email)
            done.append(email)

    threads = [
        threading.Thread(target=again_and_again, args=[email]) for email in emails(SIGNING_IN)
    ]
    for thread in threads:
        thread.start()
    try:
        return health(address, seconds=SECONDS), len(done)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def row(what: str, bare: float, ours: float, goal: float | None) -> None:
    ratio = ours / bare
    met = "" if goal is None else ("met" if ratio <= goal else "NOT met")
    wanted = "" if goal is None else f"<= {goal:.2f}"
    print(f"{what:<28}{bare:>9.2f}{ours:>9.2f}{ratio:>8.2f}  {wanted:<9}{met}")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        add_accounts(folder / "data", SIGNING_IN)
        gradio = copy_of_gradio(folder / "packages")
        with (
            served("bare", folder, packages=gradio.parent) as bare_at,
            served("ours", folder / "data", packages=gradio.parent) as ours_at,
        ):
            measure(bare_at, ours_at, gradio)
    finally:
        shutil.rmtree(folder)


def measure(bare_at: str, ours_at: str, gradio: Path) -> None:
    print(f"{'p50 in ms':<28}{'bare':>9}{'ours':>9}{'ratio':>8}  goal")
    with client(bare_at) as bare, client(ours_at) as ours:
        sign_in(ours, emails(1)[0])
        for (what, _, goal), times in zip(ACTS, alternating(bare, ours), strict=True):
            row(what, median(times[0]), median(times[1]), goal)
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or playwright.chromium.executable_path
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            was, now = page_loads(browser, (bare_at, ours_at), ours.cookies, gradio)
            browser.close()
    row("page, cold", median(was.cold), median(now.cold), 1.05)
    row("page, loaded again", median(was.again), median(now.again), 1.0)
    row("… of a new release", median(was.released), median(now.released), 1.0)
    row("page, come back to", median(was.back), median(now.back), None)
    idle = health(ours_at, seconds=3)
    busy, count = health_while_signing_in(ours_at)
    met = "met" if busy - idle <= 50 else "NOT met"
    print(
        f"/healthz p99: {idle:.1f} ms idle, {busy:.1f} ms while {SIGNING_IN} clients sign in "
        f"({count} times in {SECONDS} s); goal: at most 50 ms more: {met}"
    )


if __name__ == "__main__":
    main()
