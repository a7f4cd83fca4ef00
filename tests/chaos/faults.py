"""The faults of the service's surroundings: each is a block, at whose end it is over."""

import asyncio
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from tests.chaos.cluster import Whole

AN_OUTAGE: Final = 10.0
"""Seconds. `--outage 30` makes them longer."""
_MOMENT: Final = 2.0
_SLOW_CONNECTIONS: Final = 200


@dataclass(frozen=True)
class Fault:
    name: str
    begin: Callable[[Whole], AbstractContextManager[None]]
    lasts: float
    """Seconds."""

    def __str__(self) -> str:
        return self.name


# PostgreSQL


@contextmanager
def postgres_crashed(cluster: Whole) -> Iterator[None]:
    """End PostgreSQL like a loss of power does, and start it again."""
    cluster.postgres.crash()
    try:
        yield
    finally:
        cluster.postgres.start()


@contextmanager
def postgres_frozen(cluster: Whole) -> Iterator[None]:
    """Stop all processes of PostgreSQL: connections stay open, and nothing answers."""
    cluster.postgres.freeze()
    try:
        yield
    finally:
        cluster.postgres.thaw()


@contextmanager
def pool_exhausted(cluster: Whole) -> Iterator[None]:
    """Lock the tables of the writers, so that each connection of the pools waits for a lock."""
    with _beside(_locked_tables(cluster)):
        yield


@contextmanager
def postgres_without_connections(cluster: Whole) -> Iterator[None]:
    """Close the connections of the replicas, and take all that PostgreSQL has."""
    with _beside(_all_connections(cluster)):
        yield


async def _locked_tables(cluster: Whole) -> Callable[[], Awaitable[None]]:
    connection = await cluster.postgres.connected(_name_of(cluster))
    await connection.execute(
        "BEGIN; LOCK TABLE account_state, session_data IN ACCESS EXCLUSIVE MODE"
    )

    async def unlock() -> None:
        await connection.close()

    return unlock


async def _all_connections(cluster: Whole) -> Callable[[], Awaitable[None]]:
    held: list[asyncpg.Connection[Any]] = []
    first = await cluster.postgres.connected(_name_of(cluster))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(3):
        await first.execute(others)
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                held.append(await cluster.postgres.connected(_name_of(cluster)))
        await asyncio.sleep(0.2)

    async def give_back() -> None:
        for connection in (first, *held):
            await connection.close()

    return give_back


@contextmanager
def _beside(begin: Any) -> Iterator[None]:
    """Run the coroutine in a loop of its own, and at the end what it has returned."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        end = asyncio.run_coroutine_threadsafe(begin, loop).result(timeout=20)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _name_of(cluster: Whole) -> str:
    return urlsplit(cluster.registry.database).path[1:]


# Redis


@contextmanager
def redis_killed(cluster: Whole) -> Iterator[None]:
    cluster.redis.stop()
    try:
        yield
    finally:
        cluster.redis.start()


@contextmanager
def redis_frozen(cluster: Whole) -> Iterator[None]:
    cluster.redis.freeze()
    try:
        yield
    finally:
        cluster.redis.thaw()


@contextmanager
def redis_emptied(cluster: Whole) -> Iterator[None]:
    """Empty Redis again and again."""
    over = threading.Event()

    def empty() -> None:
        while not over.wait(0.3):
            cluster.redis.client.flushall()

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# Replicas


@contextmanager
def replica_killed(cluster: Whole) -> Iterator[None]:
    """Kill a replica with -9 while events run in it."""
    cluster.replicas[0].end()
    try:
        yield
    finally:
        cluster.replicas[0].start()


@contextmanager
def replica_stopped(cluster: Whole) -> Iterator[None]:
    """Stop a replica with SIGTERM while events run in it. It must end by itself, without a traceback."""
    replica = cluster.replicas[0]
    replica.process.stops(within=20)
    said = replica.process.says()
    try:
        yield
    finally:
        replica.end()
        replica.start()
    assert "Traceback" not in said, said


@contextmanager
def replica_frozen(cluster: Whole) -> Iterator[None]:
    cluster.replicas[0].sends(signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.replicas[0].sends(signal.SIGCONT)


@contextmanager
def replicas_restarted_in_turn(cluster: Whole) -> Iterator[None]:
    """Restart one replica after the other, as for a new release."""
    for replica in cluster.replicas:
        replica.restart()
    yield


# Clients


@contextmanager
def slowloris(cluster: Whole) -> Iterator[None]:
    """Send the heads and bodies of many requests one byte at a time, and never finish."""
    head = b"POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000\r\n" % _host(cluster).encode()
    with _slow_connections(cluster, [head, head + b"\r\n"], lambda one: one.send(b"a")):
        yield


@contextmanager
def slow_readers(cluster: Whole) -> Iterator[None]:
    """Ask for large responses on many connections, and read them one byte at a time."""
    lines = f"GET /static/style.css HTTP/1.1\r\nHost: {_host(cluster)}\r\n\r\n" * 3
    with _slow_connections(cluster, [lines.encode()], lambda one: one.recv(1)):
        yield


@contextmanager
def _slow_connections(
    cluster: Whole, beginnings: list[bytes], act: Callable[[socket.socket], Any]
) -> Iterator[None]:
    """Open connections to nginx, say the beginnings in turn, and act on each connection four times a second."""
    over = threading.Event()
    parts = urlsplit(cluster.url)
    with ExitStack() as open_ones:
        connections = []
        for number in range(_SLOW_CONNECTIONS):
            one = open_ones.enter_context(closing(socket.socket()))
            # A small buffer, so that an unread response stays with nginx.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.settimeout(5)
            one.connect((str(parts.hostname), parts.port))
            one.sendall(beginnings[number % len(beginnings)])
            connections.append(one)

        def go_on() -> None:
            while not over.wait(0.25):
                for one in connections:
                    with suppress(OSError):  # The service may close it.
                        act(one)

        for one in connections:
            one.settimeout(0.01)
        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _host(cluster: Whole) -> str:
    return urlsplit(cluster.url).netloc


FAULTS: Final = (
    Fault("PostgreSQL restarted", postgres_crashed, _MOMENT),
    Fault("PostgreSQL gone", postgres_crashed, AN_OUTAGE),
    Fault("PostgreSQL frozen", postgres_frozen, AN_OUTAGE),
    Fault("PostgreSQL without connections", postgres_without_connections, 5),
    Fault("pool exhausted", pool_exhausted, 8),
    Fault("Redis killed", redis_killed, 5),
    Fault("Redis frozen", redis_frozen, 5),
    Fault("Redis emptied", redis_emptied, 5),
    Fault("replica killed with -9", replica_killed, 4),
    Fault("replica stopped gently", replica_stopped, _MOMENT),
    Fault("replica frozen", replica_frozen, AN_OUTAGE),
    Fault("replicas restarted in turn", replicas_restarted_in_turn, 0),
    Fault("slowloris through nginx", slowloris, 6),
    Fault("slow readers through nginx", slow_readers, 6),
)
