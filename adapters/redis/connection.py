"""Connections to Redis, with short timeouts."""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

WAIT: Final = 0.2
"""Timeout in seconds for a connection, and for one command. Nothing is tried twice while a request waits."""

UNAVAILABLE: Final = (RedisError, OSError, TimeoutError)
"""What a command raises if Redis is down, hangs, or says what makes no sense."""


def connect(url: str) -> Redis:
    """Make a client without connecting. Close it at the end."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=WAIT,
        socket_connect_timeout=WAIT,
        retry=Retry(NoBackoff(), 0),
    )


def prefix_of(client: Redis) -> str:
    """Return the prefix of all keys and channels. Channels are the same in all databases of one Redis, so it has the
    number of ours."""
    return f"gradioapp:{client.connection_pool.connection_kwargs.get('db') or 0}"
