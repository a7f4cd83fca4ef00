"""Ten writers that write through the service and keep what was acknowledged, so that all of it can be checked."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from tests.chaos.people import Headers, Registry

API: Final = "/gradio/chaos/gradio_api"
EVENTS: Final = f"{API}/run"
QUEUED: Final = 2
"""The number of the event `queued` in the app."""
PAUSE: Final = 0.15
"""Seconds between two writes of one writer: ten of them leave the two cores time for the service."""
PATIENCE: Final = 12.0
"""Seconds until a writer gives up. A request that waits for connection and statement has its response before."""
SLOW: Final = 0.7
"""Seconds that the events of some writers run, so that a replica always ends with events running."""
IN_A_ROW: Final = 10
KINDS: Final = ("writes", "notes", "queued")


@dataclass(frozen=True)
class Attempt:
    number: int
    status: int
    """The HTTP status; 0 without a response."""
    began: float
    ended: float

    @property
    def is_acknowledged(self) -> bool:
        return self.status == 200


class Writer:
    """One account with one session. `event` is the event that it calls: `writes` for the account's state, `notes` for
    the session's data, and `queued` for the account's state through the queue."""

    def __init__(self, url: str, session: Headers, event: str, seconds: float) -> None:
        self.session = session
        self.event = event
        self.attempts: list[Attempt] = []
        self._seconds = seconds
        self._http = httpx.Client(base_url=url, headers={"origin": url}, timeout=PATIENCE)

    def runs(self, over: threading.Event) -> None:
        with self._http:
            for number in count(1):
                self.attempts.append(self._attempt(number))
                if over.wait(PAUSE):
                    return

    def _attempt(self, number: int) -> Attempt:
        began = time.monotonic()
        try:
            status = self._queue(number) if self.event == "queued" else self._run(number)
        except httpx.HTTPError:
            status = 0
        return Attempt(number, status, began, time.monotonic())

    def _run(self, number: int) -> int:
        """Return the status; 200 means that the event has succeeded."""
        data = {"data": [number, self._seconds]}
        response = self._http.post(f"{EVENTS}/{self.event}", json=data, headers=self.session)
        if response.status_code == 200:
            assert response.json()["data"] == [number], response.text
        return response.status_code

    def _queue(self, number: int) -> int:
        """Join the queue in a new tab, and return 200 if its stream says that the event has succeeded."""
        tab = f"tab{number}"
        data = {"data": [number, self._seconds], "fn_index": QUEUED, "session_hash": tab}
        joined = self._http.post(f"{API}/queue/join", json=data, headers=self.session)
        if joined.status_code != 200:
            return joined.status_code
        stream = f"{API}/queue/data?session_hash={tab}"
        with self._http.stream("GET", stream, headers=self.session) as heard:
            for line in heard.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    return 200 if message["success"] else 0
            return heard.status_code if heard.status_code >= 400 else 0

    def lost_and_half_made(self, stored: Mapping[str, Any]) -> tuple[set[int], set[int]]:
        """Return the numbers that were acknowledged and are not stored, and those that are stored by one half."""
        left, right = _numbers(stored, "left"), _numbers(stored, "right")
        acknowledged = {each.number for each in self.attempts if each.is_acknowledged}
        return acknowledged - (left & right), left ^ right


class Writers:
    def __init__(
        self, url: str, emails: Sequence[str], sessions: Sequence[Headers], events: Sequence[str]
    ) -> None:
        self._emails = emails
        self.all = [
            Writer(url, session, events[each % len(events)], SLOW if each % 3 == 0 else 0)
            for each, session in enumerate(sessions)
        ]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=one.runs, args=[self._over]) for one in self.all]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def sign_in_again(self, registry: Registry) -> Headers:
        """Let all writers go on with new sessions. Return the old one of the first, which has not ended."""
        old = self.all[0].session
        for writer, session in zip(self.all, registry.sessions(self._emails), strict=True):
            writer.session = session
        return old

    def attempts(self) -> list[Attempt]:
        """Return all attempts until now, in the order in which they ended."""
        found = [attempt for writer in self.all for attempt in list(writer.attempts)]
        return sorted(found, key=lambda one: one.ended)

    def recovered_at(self, since: float) -> float | None:
        """Return when the first ten writes in a row had succeeded that ended after `since`; None for not yet."""
        row = 0
        for attempt in self.attempts():
            if attempt.ended < since:
                continue
            row = row + 1 if attempt.is_acknowledged else 0
            if row == IN_A_ROW:
                return attempt.ended
        return None

    def statuses(self) -> Counter[int]:
        return Counter(attempt.status for attempt in self.attempts())

    def check(self, origins: Sequence[str]) -> Iterator[tuple[str, set[int], set[int]]]:
        """Read what each writer has stored, through each replica. Yield a name of the writer, the numbers that are lost
        and those that are half-made."""
        for number, writer in enumerate(self.all):
            lost, half_made = set[int](), set[int]()
            for origin in origins:
                missing, halves = writer.lost_and_half_made(_read(origin, writer))
                lost, half_made = lost | missing, half_made | halves
            yield f"writer {number} ({writer.event})", lost, half_made


def _read(origin: str, writer: Writer) -> Mapping[str, Any]:
    headers = {**writer.session, "origin": origin}
    response = httpx.post(f"{origin}{EVENTS}/reads", json={"data": []}, headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    kind = "notes" if writer.event == "notes" else "writes"
    stored: Mapping[str, Any] = response.json()["data"][0][kind]
    return stored


def _numbers(stored: Mapping[str, Any], side: str) -> set[int]:
    return {int(key.split()[1]) for key in stored if key.split()[0] == side}
