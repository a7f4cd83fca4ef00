"""Try out whether replicas can tell each other news over Redis, before the service needs it."""

from typing import Final

from adapters.redis.connection import UNAVAILABLE, WAIT, connect, prefix_of

_SEND: Final = """
redis.call('INCR', KEYS[1])
redis.call('GET', KEYS[1])
redis.call('PUBLISH', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
"""


class TrialFailed(Exception):
    """Redis cannot be used. The message is its own, without secrets."""


async def try_out(url: str, name: str) -> None:
    """Send a message and hear it, on a channel that nobody else uses: its name ends with `name`. Raises TrialFailed."""
    client = connect(url)
    try:
        channel = f"{prefix_of(client)}:check:{name}"
        async with client.pubsub() as subscription:
            await subscription.subscribe(channel)
            await client.eval(_SEND, 2, channel, channel, name)
            while (message := await subscription.get_message(timeout=WAIT)) is not None:
                if message["type"] == "message" and message["data"] == name:
                    return
        raise TrialFailed("a message did not arrive")
    except UNAVAILABLE as error:
        raise TrialFailed(_words_of(error)) from error
    finally:
        await client.aclose()


def _words_of(error: Exception) -> str:
    """Return the first line, without Redis' place in our script."""
    return str(error).partition("\n")[0].partition(" script: ")[0].rstrip(".")[:300]
