"""`uv run python -m benchmarks.abuse [KIND…]`: measure what one abuser costs an ordinary user.

Each kind of abuse gets its own service, which may open 1,024 files as is usual, and lasts some seconds. The output
shows an ordinary user's event before and during the abuse, `/healthz`, the memory of the process before, at worst and a
minute later, and the responses to the abuser. It runs on 127.0.0.1 only; all counts and times are limited.
"""

import io
import json
import multiprocessing
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import httpx
from PIL import Image

from application.settings import Settings
from benchmarks.servers import Running, abused, add_accounts, client, emails, sign_in

PAGE: Final = "/gradio/abused"
API: Final = f"{PAGE}/gradio_api"
EVENTS: Final = ("echo", "work", "hold", "take", "count")
"""In the order of the app's event numbers."""

QUIET: Final = 2.0
LASTS: Final = 8.0
"""Seconds per kind."""
LATER: Final = 60.0
PATIENCE: Final = 10.0
"""Seconds until a client gives up waiting for a response, which counts as a response after this time."""
GIVES_UP: Final = 260
"""Seconds after the start at which no further kind begins, so that a run takes less than six minutes."""

MB: Final = 1024 * 1024
LARGE: Final = 99 * MB // 10
"""Bytes: just below the default BODY_LIMIT_MB."""
HALF_REQUESTS: Final = 1040
UNFINISHED: Final = 40
TABS: Final = 40
VALUES: Final = 200_000
"""In one input. It takes about fifty times as much memory as bytes on the network."""
SESSIONS: Final = 10
PICTURES: Final = 10
SIDE: Final = 7000
"""Pixels: the picture takes 147 MB as an array, but some kilobytes as a file."""
NAMES: Final = 150_000
SENDERS: Final = 5
UPLOADS: Final = 15
UPLOAD: Final = 30 * MB
QUOTA: Final = 300
"""Megabytes, if the setting exists."""


@dataclass(frozen=True)
class Abuser:
    """One account with as many sessions as are allowed."""

    address: str
    sessions: Sequence[httpx.Client]
    stop: Event
    told: Counter[str] = field(default_factory=Counter)
    """How often each status was received; `closed` is a connection that was closed without a response."""

    def posts(
        self, session: int, path: str, content: bytes, **headers: str
    ) -> httpx.Response | None:
        headers = {"content-type": "application/json", **headers}
        try:
            response = self.sessions[session].post(path, content=content, headers=headers)
        except httpx.TimeoutException:
            self.told["no response"] += 1
        except httpx.HTTPError:
            self.told["closed"] += 1
        else:
            self.told[str(response.status_code)] += 1
            return response
        return None

    def joins(self, session: int, event: str, tab: str, value: bytes) -> None:
        number = EVENTS.index(event)
        body = b'{"fn_index":%d,"session_hash":"%s","data":[%s]}' % (number, tab.encode(), value)
        self.posts(session, f"{API}/queue/join", body)

    def connects(self, said: bytes) -> socket.socket:
        host, _, port = self.address.removeprefix("http://").partition(":")
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        connection.sendall(said)
        return connection

    def head(self, path: str, size: int) -> bytes:
        """Return the head of a POST with a body of `size` bytes, from the account's first session."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.sessions[0].cookies.items())
        host = self.address.removeprefix("http://")
        return (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {self.address}\r\nCookie: {cookies}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        ).encode()

    def hears(self, connection: socket.socket) -> None:
        """Record what the server sends without a further request."""
        connection.settimeout(0.05)
        try:
            said = connection.recv(65536)
        except TimeoutError:
            self.told["left open"] += 1
        except OSError:
            self.told["closed"] += 1
        else:
            self.told[said[9:12].decode() if said.startswith(b"HTTP/1.1 ") else "closed"] += 1


# The kinds


def nested(abuser: Abuser) -> None:
    unit = b"[" * 90 + b"]" * 90
    value = b"[" + b",".join([unit] * (LARGE // (len(unit) + 1))) + b"]"
    while not abuser.stop.is_set():
        abuser.joins(0, "take", "nested", value)


def many_keys(abuser: Abuser) -> None:
    count = LARGE // 13
    value = b"{" + b",".join(b'"%08d":0' % number for number in range(count)) + b"}"
    while not abuser.stop.is_set():
        abuser.joins(0, "take", "keys", value)


def names(abuser: Abuser) -> None:
    """Send names that no input has, in bodies that are small enough to be parsed and then refused."""
    body = b"{" + b",".join(b'"%08d":0' % number for number in range(NAMES)) + b"}"

    def send(session: int) -> None:
        while not abuser.stop.is_set():
            abuser.posts(session, f"{API}/call/v2/{EVENTS[0]}", body)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(SENDERS)))


def tabs(abuser: Abuser) -> None:
    value = b"[" + b",".join([b"{}"] * VALUES) + b"]"
    for number in range(TABS):
        if not abuser.stop.is_set():
            abuser.joins(number % SESSIONS, "take", f"tab{number}", value)
    abuser.stop.wait()


def pictures(abuser: Abuser) -> None:
    response = _uploads(abuser, "bomb.png", _bomb())
    if response is None or response.status_code != 200:
        return
    [path] = response.json()
    item = {"image": {"path": path, "meta": {"_type": "gradio.FileData"}}, "caption": None}
    body = json.dumps({"data": [[item] * PICTURES]}).encode()
    while not abuser.stop.is_set():
        abuser.posts(0, f"{API}/run/count", body)


@cache
def _bomb() -> bytes:
    kept = io.BytesIO()
    Image.new("L", (SIDE, SIDE)).save(kept, "PNG")
    return kept.getvalue()


def _uploads(abuser: Abuser, name: str, content: bytes) -> httpx.Response | None:
    begin = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    whole = begin.encode() + content + b"\r\n--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    return abuser.posts(0, f"{API}/upload", whole, **kind)


def unfinished(abuser: Abuser) -> None:
    head = abuser.head(f"{API}/queue/join", LARGE)
    with ExitStack() as held:
        connections = []
        for _ in range(UNFINISHED):
            with suppress(OSError):  # The server may refuse it while we send.
                connection = held.enter_context(abuser.connects(head))
                connections.append(connection)
                connection.sendall(b'{"data":["' + b"a" * (LARGE - 100))
        abuser.stop.wait()
        for connection in connections:
            abuser.hears(connection)


def half_requests(abuser: Abuser) -> None:
    with ExitStack() as held:
        connections = []
        for _ in range(HALF_REQUESTS):
            with suppress(OSError):
                said = b"GET / HTTP/1.1\r\nHost: a"
                connections.append(held.enter_context(abuser.connects(said)))
        abuser.stop.wait()
        for connection in connections:
            abuser.hears(connection)


def flood(abuser: Abuser) -> None:
    def one(session: int) -> None:
        number = 0
        while not abuser.stop.is_set():
            abuser.joins(session, "work", f"flood{session}", b'"%d"' % number)
            number += 1

    _side_by_side([partial(one, session) for session in range(SESSIONS)])


def threads(abuser: Abuser) -> None:
    def one(number: int) -> None:
        while not abuser.stop.is_set():
            abuser.posts(number % SESSIONS, f"{API}/run/hold", b'{"data":[5]}')

    _side_by_side([partial(one, number) for number in range(45)])


def uploads(abuser: Abuser) -> None:
    for number in range(UPLOADS):
        if not abuser.stop.is_set():
            _uploads(abuser, f"{number}.bin", number.to_bytes(4) * (UPLOAD // 4))
    abuser.stop.wait()


def _side_by_side(acts: Sequence[Callable[[], None]]) -> None:
    running = [threading.Thread(target=act) for act in acts]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@dataclass(frozen=True, kw_only=True)
class Kind:
    what: str
    act: Callable[[Abuser], None]
    event: str = "echo"
    """The event of the ordinary user."""


KINDS: Final = {
    "nested": Kind(what="nested 10 MB bodies", act=nested),
    "keys": Kind(what="10 MB bodies of many keys", act=many_keys),
    "names": Kind(what=f"{NAMES:,} names, {SENDERS} at once", act=names),
    "tabs": Kind(what=f"{TABS} tabs with large inputs", act=tabs),
    "pictures": Kind(what=f"a PNG bomb {PICTURES} times", act=pictures),
    "unfinished": Kind(what=f"{UNFINISHED} unfinished bodies", act=unfinished),
    "half": Kind(what=f"{HALF_REQUESTS} half requests", act=half_requests),
    "flood": Kind(what=f"events of {SESSIONS} sessions", act=flood, event="work"),
    "threads": Kind(what="events past the queue", act=threads),
    "uploads": Kind(what=f"{UPLOADS} uploads of 30 MB", act=uploads),
}


# The ordinary user


@dataclass
class Ordinary:
    """Times that an ordinary user and a probe wait, in milliseconds."""

    address: str
    browser: httpx.Client
    event: str
    events: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block, the user and the probe send requests again and again."""
        stop = threading.Event()
        at_work = [
            threading.Thread(target=self._again, args=(stop, self._runs, self.events, 0.05)),
            threading.Thread(target=self._again, args=(stop, self._probes, self.probes, 0.02)),
        ]
        for thread in at_work:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in at_work:
                thread.join()

    def _again(
        self,
        stop: threading.Event,
        act: Callable[[int], None],
        times: list[float],
        pause: float,
    ) -> None:
        number = 0
        while not stop.is_set():
            begun = time.monotonic()
            with suppress(httpx.HTTPError):
                act(number)
                times.append((time.monotonic() - begun) * 1000)
                begun = 0
            if begun:  # A refusal or timeout counts as the longest wait.
                times.append(PATIENCE * 1000)
            number += 1
            stop.wait(pause)

    def _runs(self, number: int) -> None:
        body = {
            "data": ["hi"],
            "fn_index": EVENTS.index(self.event),
            "session_hash": f"o{number}",
        }
        self.browser.post(f"{API}/queue/join", json=body).raise_for_status()
        path = f"{API}/queue/data?session_hash=o{number}"
        said = self.browser.get(path).raise_for_status().text
        if '"success":true' not in said:
            raise httpx.HTTPError(said)

    def _probes(self, _: int) -> None:
        with httpx.Client(base_url=self.address, timeout=PATIENCE) as probe:
            probe.get("/healthz").raise_for_status()


class Memory:
    """Memory of a process in megabytes."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/status")

    def now(self) -> float:
        with suppress(FileNotFoundError):
            for line in self._file.read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Yield a list that contains the largest value when the block has ended."""
        stop, worst = threading.Event(), [self.now()]

        def look() -> None:
            while not stop.wait(0.05):
                worst[0] = max(worst[0], self.now())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield worst
        finally:
            stop.set()
            thread.join()


# One kind after another


@dataclass(frozen=True, kw_only=True)
class Found:
    quiet: float
    busy: float
    healthz: float
    before: float
    worst: float
    told: Counter[str]


def measured(kind: Kind, server: Running, memory: Memory) -> Found:
    ordinary_email, abuser_email = emails(2)
    with ExitStack() as open_:
        browser = open_.enter_context(_patient(server.address))
        sign_in(browser, ordinary_email)
        sessions = [open_.enter_context(_patient(server.address)) for _ in range(SESSIONS)]
        for session in sessions:
            sign_in(session, abuser_email)
        before = Ordinary(server.address, browser, kind.event)
        with before.at_work():
            time.sleep(QUIET)
        begin = memory.now()
        meanwhile = Ordinary(server.address, browser, kind.event)
        cookies = [dict(session.cookies) for session in sessions]
        with (
            memory.watched() as worst,
            _abusing(kind, server.address, cookies) as told,
            meanwhile.at_work(),
        ):
            time.sleep(LASTS)
    return Found(
        quiet=median(before.events),
        busy=median(meanwhile.events),
        healthz=_p99(meanwhile.probes),
        before=begin,
        worst=worst[0],
        told=told,
    )


@contextmanager
def _abusing(kind: Kind, address: str, cookies: Sequence[dict[str, str]]) -> Iterator[Counter[str]]:
    """Abuse in a separate process, so that the measuring process is not slowed down. The responses are known at the
    end."""
    spawn = multiprocessing.get_context("spawn")
    begin, stop, queue = spawn.Event(), spawn.Event(), spawn.SimpleQueue()
    told: Counter[str] = Counter()
    process = spawn.Process(target=_abuse, args=(kind, address, cookies, begin, stop, queue))
    process.start()
    begin.wait(timeout=4 * PATIENCE)
    try:
        yield told
    finally:
        stop.set()
        process.join(timeout=4 * PATIENCE)
        process.kill()
        process.join()
    if not queue.empty():
        told.update(queue.get())


def _abuse(
    kind: Kind,
    address: str,
    cookies: Sequence[dict[str, str]],
    begin: Event,
    stop: Event,
    queue: "multiprocessing.SimpleQueue[Counter[str]]",
) -> None:
    with ExitStack() as open_:
        sessions = [open_.enter_context(_patient(address)) for _ in cookies]
        for session, named in zip(sessions, cookies, strict=True):
            session.cookies.update(named)
        abuser = Abuser(address, sessions, stop)
        begin.set()
        kind.act(abuser)
    queue.put(abuser.told)


def _patient(address: str) -> httpx.Client:
    browser = client(address)
    browser.timeout = httpx.Timeout(PATIENCE)
    return browser


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[98] if len(times) >= 100 else max(times)


def row(kind: Kind, found: Found, later: float) -> str:
    told = ", ".join(f"{count} x {status}" for status, count in sorted(found.told.items()))
    return (
        f"{kind.what:<27}{found.quiet:>8.0f}{found.busy:>8.0f}{found.busy / found.quiet:>7.1f}"
        f"{found.healthz:>9.0f}{found.before:>8.0f}{found.worst:>8.0f}{later:>8.0f}  {told}"
    )


HEADER: Final = (
    f"{'':<27}{'event p50, ms':>16}{'':>7}{'/healthz':>9}{'memory, MB':>24}\n"
    f"{'':<27}{'quiet':>8}{'abused':>8}{'ratio':>7}{'p99, ms':>9}{'before':>8}{'worst':>8}{'later':>8}  "
    "what the abuser was told"
)


def main(names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(KINDS))
    if unknown:
        raise SystemExit(f"No such kind: {', '.join(unknown)}. Choose from: {', '.join(KINDS)}.")
    begun = time.monotonic()
    print(HEADER, flush=True)
    with ThreadPoolExecutor(len(KINDS)) as pool:
        rows: list[Future[None]] = []
        for name in names or KINDS:
            if time.monotonic() - begun > GIVES_UP:
                print(f"{KINDS[name].what:<27} not begun: too late")
                continue
            rows.append(_begun(KINDS[name], pool))
        for future in rows:
            future.result()
    print(f"{time.monotonic() - begun:.0f} s in all")


def _begun(kind: Kind, pool: ThreadPoolExecutor) -> Future[None]:
    """Return when the abuse is over. The row is printed a minute later, while other kinds run."""
    held = ExitStack()
    try:
        folder = Path(tempfile.mkdtemp(prefix="abuse-"))
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        add_accounts(folder, 2)
        settings = (
            {"FILES_QUOTA_MB": str(QUOTA)} if "files_quota_mb" in Settings.model_fields else {}
        )
        server = held.enter_context(abused(folder, files=1024, **settings))
        memory = Memory(server.pid)
        found = measured(kind, server, memory)
    except BaseException:
        held.close()
        raise

    def later() -> None:
        with held:
            time.sleep(LATER)
            print(row(kind, found, memory.now()), flush=True)

    return pool.submit(later)


if __name__ == "__main__":
    main(sys.argv[1:])
