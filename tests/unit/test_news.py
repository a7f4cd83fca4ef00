"""News between replicas over a real Redis: what is told, and what happens when Redis is down, frozen or emptied."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.memory.session_cache import MemorySessionCache
from adapters.redis.news import PAUSE, RedisNews
from adapters.system.clock import StoppedClock
from domain.model.caller import SignedIn
from domain.model.session import SessionId
from domain.model.user import UserId
from domain.ports.replicas import Changes
from tests.builders import a_session, a_user
from tests.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.server

SOON = 1.0
"""Seconds within which every replica must have heard."""
LATER = 10.0
"""Seconds for what must happen, however slow the machine is."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@dataclass
class Replica:
    news: RedisNews
    heard: list[Changes] = field(default_factory=list)
    missed: int = 0

    def misses(self) -> None:
        self.missed += 1

    @property
    def sessions(self) -> set[SessionId]:
        return set().union(*(changes.sessions for changes in self.heard))


@asynccontextmanager
async def replica(redis: RedisServer) -> AsyncIterator[Replica]:
    one = Replica(RedisNews(redis.url, name=str(uuid4())))
    one.news.listen(one.heard.append, one.misses)
    async with one.news.running():
        yield one


@asynccontextmanager
async def two(redis: RedisServer) -> AsyncIterator[tuple[Replica, Replica]]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(replica(redis))
        there = await stack.enter_async_context(replica(redis))
        await until(lambda: here.news.state() == there.news.state() == "ok")
        yield here, there


async def until(is_so: Callable[[], bool], within: float = LATER) -> float:
    """Return how many seconds it took."""
    since = time.monotonic()
    while not is_so():
        assert time.monotonic() - since < within
        await asyncio.sleep(0.01)
    return time.monotonic() - since


def an_id() -> SessionId:
    return SessionId(uuid4())


async def test_the_other_replica_hears_what_has_changed_and_the_teller_does_not(
    redis: RedisServer,
) -> None:
    session, user = an_id(), UserId(uuid4())
    async with two(redis) as (here, there):
        here.news.tell(sessions=[session])
        here.news.tell(users=[user])

        await until(lambda: len(there.heard) >= 1 and user in there.heard[-1].users, SOON)

    assert there.sessions == {session}
    assert here.heard == []
    assert there.missed == 0


async def test_news_told_in_a_thread_arrives(redis: RedisServer) -> None:
    session = an_id()
    async with two(redis) as (here, there):
        await asyncio.to_thread(here.news.tell, sessions=[session])

        await until(lambda: session in there.sessions, SOON)


async def test_news_told_just_before_the_end_arrives(redis: RedisServer) -> None:
    session = an_id()
    async with replica(redis) as there:
        await until(lambda: there.news.state() == "ok")
        async with replica(redis) as here:
            here.news.tell(sessions=[session])

        await until(lambda: session in there.sessions, SOON)


async def test_a_session_that_ends_at_one_replica_is_dropped_at_the_other(
    redis: RedisServer,
) -> None:
    clock, user = StoppedClock(), a_user()
    signed_in = SignedIn(user=user, session=a_session(of=user), data={})
    async with two(redis) as (here, there):
        caches = [
            MemorySessionCache(clock=clock, keep=timedelta(seconds=5), news=one.news)
            for one in (here, there)
        ]
        for cache in caches:
            cache.put(signed_in, after=cache.look_up("token"))

        caches[0].drop_sessions([signed_in.session.id])

        await until(lambda: caches[1].look_up("token").found is None, SOON)


async def test_a_replica_that_was_cut_off_knows_that_it_has_missed_something(
    redis: RedisServer,
) -> None:
    async with two(redis) as (here, there):
        await asyncio.to_thread(redis.client.client_kill_filter, _type="pubsub")
        here.news.tell(sessions=[an_id()])

        await until(lambda: there.missed > 0 or bool(there.heard))


async def test_a_message_that_redis_has_not_delivered_is_noticed(redis: RedisServer) -> None:
    async with two(redis) as (_, there):
        await asyncio.to_thread(redis.client.incr, "gradioapp:3:news")

        await until(lambda: there.missed == 1)


async def test_an_emptied_redis_counts_as_missed_news(redis: RedisServer) -> None:
    session = an_id()
    async with two(redis) as (here, there):
        here.news.tell(sessions=[an_id()])
        await until(lambda: bool(there.heard))
        await asyncio.to_thread(redis.client.flushall)

        here.news.tell(sessions=[session])
        await until(lambda: session in there.sessions)

    assert there.missed >= 1


async def test_a_service_starts_without_redis_and_finds_it_later(redis: RedisServer) -> None:
    redis.stop()
    session = an_id()
    async with replica(redis) as here, replica(redis) as there:
        await asyncio.sleep(0.5)
        assert here.news.state() == "degraded"
        await asyncio.to_thread(redis.start)
        await until(lambda: here.news.state() == there.news.state() == "ok")
        here.news.tell(sessions=[session])

        await until(lambda: session in there.sessions, SOON)


async def test_news_told_while_redis_is_gone_is_sent_when_it_is_back(redis: RedisServer) -> None:
    session = an_id()
    async with two(redis) as (here, there):
        await asyncio.to_thread(redis.stop)
        here.news.tell(sessions=[session])
        await until(lambda: here.news.state() == "degraded")
        await asyncio.to_thread(redis.start)

        await until(lambda: session in there.sessions or there.missed > 0)


async def test_a_frozen_redis_delays_nobody_and_is_told_as_degraded(redis: RedisServer) -> None:
    session = an_id()
    async with two(redis) as (here, there):
        redis.freeze()
        try:
            since = time.monotonic()
            for _ in range(1000):
                here.news.tell(sessions=[an_id()])
            took = time.monotonic() - since
            await until(lambda: here.news.state() == there.news.state() == "degraded")
        finally:
            redis.thaw()
        await until(lambda: here.news.state() == there.news.state() == "ok")
        assert there.missed > 0
        here.news.tell(sessions=[session])
        await until(lambda: session in there.sessions)

    assert took < 0.25


async def test_redis_is_well_again_after_news_that_has_become_too_old_to_send(
    redis: RedisServer,
) -> None:
    seconds = [0.0]
    news = RedisNews(redis.url, name="here", now=lambda: seconds[0])
    async with news.running():
        await until(lambda: news.state() == "ok")
        redis.freeze()
        news.tell(sessions=[an_id()])
        await until(lambda: news.state() == "degraded")
        seconds[0] += 60
        await asyncio.sleep(2 * PAUSE)
        assert news.state() == "degraded"
        redis.thaw()

        await until(lambda: news.state() == "ok")


@pytest.mark.parametrize("message", [b"nonsense", b"1 {}", b"\xff", b"1 []", b'9 {"from": 1}'])
async def test_a_message_that_is_none_of_ours_counts_as_missed_and_stops_nothing(
    redis: RedisServer, message: bytes
) -> None:
    session = an_id()
    async with two(redis) as (here, there):
        await asyncio.to_thread(redis.client.publish, "gradioapp:3:news", message)
        await until(lambda: there.missed > 0)
        await until(lambda: here.news.state() == there.news.state() == "ok")
        here.news.tell(sessions=[session])

        await until(lambda: session in there.sessions)


async def test_too_much_news_is_told_as_lost(redis: RedisServer) -> None:
    async with two(redis) as (here, there):
        redis.freeze()
        here.news.tell(sessions=[an_id() for _ in range(10_001)])
        redis.thaw()

        await until(lambda: there.missed > 0)

    assert not there.sessions
