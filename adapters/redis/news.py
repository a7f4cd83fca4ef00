"""News between replicas over Redis: a channel, and a counter by which a replica notices that it has missed some.

Each message has the number to which sending it has raised the counter. A replica has missed messages if a number does not
follow the last one, if the counter is ahead of it while no message comes, or if Redis has lost the counter.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, Final, Literal
from uuid import UUID

import structlog
from redis.asyncio import Redis

from adapters.redis.connection import UNAVAILABLE, connect, prefix_of
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.replicas import Changes, ReplicaNews

PAUSE: Final = 0.5
"""Seconds between two looks at the counter, and before a lost connection is tried again."""
_KEPT: Final = 5.0
"""Seconds for which news is sent again. No cache holds an entry for longer."""
_MOST: Final = 10_000
"""Sessions and accounts that wait to be sent. Above it, everybody is told that news was lost."""
_SEND: Final = """
local number = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', KEYS[2], number .. ' ' .. ARGV[1])
return number
"""

log = structlog.get_logger()


class RedisNews(ReplicaNews):
    def __init__(self, url: str, *, name: str, now: Callable[[], float] = time.monotonic) -> None:
        """`name` is this process's own, by which it knows its own messages."""
        self._url = url
        self._name = name
        self._now = now
        self._changed: Callable[[Changes], None] = lambda _: None
        self._missed: Callable[[], None] = lambda: None
        self._unsent = _Unsent()
        self._has_news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last: int | None = None
        """The number of the last message, None before the first connection."""
        self._is_heard = False
        self._is_sent = True

    def listen(self, changed: Callable[[Changes], None], missed: Callable[[], None]) -> None:
        self._changed, self._missed = changed, missed

    def tell(self, *, sessions: Collection[SessionId] = (), users: Collection[UserId] = ()) -> None:
        if self._loop is None or not (sessions or users):
            return
        said = Changes(sessions=frozenset(sessions), users=frozenset(users))
        self._loop.call_soon_threadsafe(self._add, said)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        client = connect(self._url)
        tasks = [
            asyncio.create_task(self._listen_for_ever(client)),
            asyncio.create_task(self._send_for_ever(client)),
        ]
        try:
            yield
        finally:
            self._loop = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._send(client)
            self._is_heard = False
            await client.aclose()

    def state(self) -> Literal["off", "ok", "degraded"]:
        return "ok" if self._is_heard and self._is_sent else "degraded"

    # Sending

    def _add(self, said: Changes) -> None:
        self._unsent.add(said, self._now())
        self._has_news.set()

    async def _send_for_ever(self, client: Redis) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            if not await self._send(client):
                await asyncio.sleep(PAUSE)
                self._has_news.set()

    async def _send(self, client: Redis) -> bool:
        """Send all news in one message. Return whether nothing is left to send."""
        self._unsent.drop_older_than(self._now() - _KEPT)
        if self._unsent.is_empty:
            # What was too old to be sent is of no use: no cache has it any more.
            self._note(None, is_sent=True)
            return True
        prefix, message = prefix_of(client), self._unsent.message(self._name)
        sent = self._unsent
        self._unsent = _Unsent()
        try:
            await client.eval(_SEND, 2, f"{prefix}:news", f"{prefix}:news", message)
        except UNAVAILABLE as error:
            self._unsent.add_again(sent)
            self._note(error, is_sent=False)
            return False
        self._note(None, is_sent=True)
        return True

    # Receiving

    async def _listen_for_ever(self, client: Redis) -> None:
        while True:
            try:
                await self._listen_once(client)
            except UNAVAILABLE as error:
                self._note(error, is_heard=False)
            except (ValueError, KeyError, TypeError) as error:  # A message that is none of ours.
                self._missed()
                self._note(error, is_heard=False)
            await asyncio.sleep(PAUSE)

    async def _listen_once(self, client: Redis) -> None:
        channel = f"{prefix_of(client)}:news"
        async with client.pubsub() as subscription:
            await subscription.subscribe(channel)
            while True:
                message = await subscription.get_message(timeout=PAUSE)
                if message is None or message["type"] == "subscribe":
                    # A message may be on its way: then nothing was missed, and a cache is emptied for nothing.
                    self._must_be_last(int(await client.get(channel) or 0))
                    self._note(None, is_heard=True)
                elif message["type"] == "message":
                    self._receive(message["data"])

    def _must_be_last(self, number: int) -> None:
        if self._last is not None and number != self._last:
            self._missed()
        self._last = number

    def _receive(self, data: str) -> None:
        number, _, text = data.partition(" ")
        self._must_be_last(int(number) - 1)
        self._last = int(number)
        said = json.loads(text)
        if said["from"] == self._name:
            return
        if said["lost"]:
            self._missed()
        self._changed(_changes_in(said))

    def _note(
        self,
        error: BaseException | None,
        *,
        is_heard: bool | None = None,
        is_sent: bool | None = None,
    ) -> None:
        """Log only what is new: a Redis that is down would fill the log."""
        before = self.state()
        self._is_heard = self._is_heard if is_heard is None else is_heard
        self._is_sent = self._is_sent if is_sent is None else is_sent
        if before == self.state():
            return
        if error is not None:
            log.warning(
                "redis is unavailable: replicas notice ended sessions when their caches expire",
                cause=type(error).__name__,
            )
        else:
            log.info("redis is available")


class _Unsent:
    """What is to be sent, with the time since which it waits."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, UUID], float] = {}
        self._is_lost_since: float | None = None

    @property
    def is_empty(self) -> bool:
        return not self._since and self._is_lost_since is None

    def add(self, said: Changes, now: float) -> None:
        for kind, ids in (("sessions", said.sessions), ("users", said.users)):
            for each in ids:
                self._since.setdefault((kind, each), now)
        if len(self._since) > _MOST:
            self._since.clear()
            self._is_lost_since = now

    def add_again(self, earlier: "_Unsent") -> None:
        self._since = {**self._since, **earlier._since}  # noqa: SLF001 -- Of the same class.
        self._is_lost_since = self._is_lost_since or earlier._is_lost_since  # noqa: SLF001

    def drop_older_than(self, before: float) -> None:
        self._since = {one: since for one, since in self._since.items() if since >= before}
        if self._is_lost_since is not None and self._is_lost_since < before:
            self._is_lost_since = None

    def message(self, sender: str) -> str:
        said: dict[str, Any] = {"from": sender, "lost": self._is_lost_since is not None}
        for kind in ("sessions", "users"):
            said[kind] = [str(each) for one, each in self._since if one == kind]
        return json.dumps(said)


def _changes_in(said: dict[str, Any]) -> Changes:
    return Changes(
        sessions=frozenset(SessionId(UUID(each)) for each in said["sessions"]),
        users=frozenset(UserId(UUID(each)) for each in said["users"]),
    )
