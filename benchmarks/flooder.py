"""Flood a service with one account's events, streams and slow bodies, and print the responses as JSON.

`benchmarks.flood` starts it as a process of its own, with the address, the seconds, and the account's cookie on the
standard input. It uses loopback only, and stops by itself.
"""

import asyncio
import json
import os
import re
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

QUEUED: Final = 400
"""Events that join the queue as the tabs of a page do."""
CALLED: Final = 100
"""Events of `/call`, as of a program: each one has a tab of its own."""
TABS: Final = 100
"""Each one has two streams: its messages and its heartbeat. With those of the calls, that is 300."""
SLOW: Final = 100
"""Bodies that never end."""
AT_ONCE: Final = 20
"""Requests for events at once."""
AGAIN: Final = 2.0
"""Seconds until a refused event, a closed stream or a refused body is sent again."""
PIECE: Final = 0.5
"""Seconds between two pieces of a slow body."""
SIZE: Final = 9_000_000
"""Bytes that the head of a slow body announces: less than the default BODY_LIMIT_MB."""
API: Final = "/gradio/abused/gradio_api"
WORK: Final = 1
"""The number of the event that takes 0.1 s."""
NICE: Final = 10
OWN_ADDRESS: Final = "127.0.0.2"
"""The flooder is no neighbour of the ordinary people."""


@dataclass
class Flooder:
    """Speaks HTTP by itself: a library would take more CPU time than the service has for the flood."""

    address: str
    cookie: str
    told: Counter[str] = field(default_factory=Counter)
    """How often each kind of request got each response."""
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def queues(self, number: int) -> None:
        body = {"data": ["x"], "fn_index": WORK, "session_hash": f"flood{number % TABS}"}
        await self._is_accepted("event", "queue/join", body)

    async def calls(self) -> None:
        """Run an event, and listen to its stream."""
        said = await self._is_accepted("call", "call/work", {"data": ["x"]})
        event = re.search(rb'"event_id":"(\w+)"', said)
        assert event is not None, said
        await self._listens("call's stream", f"call/work/{event[1].decode()}")

    async def _is_accepted(self, kind: str, path: str, body: object) -> bytes:
        while True:
            async with self.room:
                status, said = await self._exchanges("POST", path, json.dumps(body).encode())
            self.told[f"{kind}: {status}"] += 1
            if status == "200":
                return said
            await asyncio.sleep(AGAIN)

    async def listens_on(self, kind: str, path: str) -> None:
        """Keep a stream open, and open it again when it was closed."""
        while True:
            await self._listens(kind, path)
            await asyncio.sleep(AGAIN)

    async def _listens(self, kind: str, path: str) -> None:
        status, _ = await self._exchanges("GET", path)
        self.told[f"{kind}: {status}"] += 1

    async def sends_slowly(self) -> None:
        """Send a body piece by piece until the service responds or closes the connection, and begin again."""
        while True:
            status, _ = await self._exchanges("POST", "queue/join", b'{"data":["', slowly=True)
            self.told[f"slow body: {status}"] += 1
            await asyncio.sleep(AGAIN)

    async def _exchanges(
        self, method: str, path: str, body: bytes = b"", *, slowly: bool = False
    ) -> tuple[str, bytes]:
        """Return status and content of the response, as soon as the service has closed the connection."""
        place = urlsplit(self.address)
        head = (
            f"{method} {API}/{path} HTTP/1.1\r\nHost: {place.netloc}\r\nOrigin: {self.address}\r\n"
            f"Cookie: {self.cookie}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {SIZE if slowly else len(body)}\r\n\r\n"
        )
        try:
            reader, writer = await asyncio.open_connection(
                place.hostname, place.port, local_addr=(OWN_ADDRESS, 0)
            )
        except OSError:
            return "refused", b""
        dripping = asyncio.ensure_future(_drips(writer) if slowly else asyncio.sleep(0))
        try:
            writer.write(head.encode() + body)
            status, _, said = (await reader.read()).partition(b"\r\n")
        except OSError:
            return "closed", b""
        finally:
            dripping.cancel()
            writer.close()
        return status[9:12].decode() or "closed", said


async def _drips(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # The service has closed the connection.
        while True:
            await asyncio.sleep(PIECE)
            writer.write(b"a" * 1000)
            await writer.drain()


def take_little() -> None:
    """Lower our priority. Linux may divide the time of the cores between sessions first: then only a session's own
    priority counts."""
    os.setsid()
    os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


async def flood(address: str, cookie: str, seconds: float) -> Counter[str]:
    flooder = Flooder(address, cookie)
    acts = {"slow body": [flooder.sends_slowly() for _ in range(SLOW)]}
    acts["heartbeat"] = [
        flooder.listens_on("heartbeat", f"heartbeat/flood{tab}") for tab in range(TABS)
    ]
    acts["stream"] = [
        flooder.listens_on("stream", f"queue/data?session_hash=flood{tab}") for tab in range(TABS)
    ]
    acts["call"] = [flooder.calls() for _ in range(CALLED)]
    acts["event"] = [flooder.queues(number) for number in range(QUEUED)]
    tasks = {asyncio.ensure_future(act): kind for kind, several in acts.items() for act in several}
    await asyncio.sleep(seconds)
    for task, kind in tasks.items():
        if not task.done():
            flooder.told[f"{kind}: open at the end"] += 1
            task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:  # A fault of the flooder must not look like a quiet flood.
        if isinstance(end, Exception):
            flooder.told[f"fault: {end!r}"] += 1
    return flooder.told


if __name__ == "__main__":
    take_little()
    print(json.dumps(asyncio.run(flood(sys.argv[1], sys.stdin.read(), float(sys.argv[2])))))
