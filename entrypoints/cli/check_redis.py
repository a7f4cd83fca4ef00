"""Try out the Redis of the replicas, for `gradioapp check`."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entrypoints.cli.findings import Finding, fault, note, ok

if TYPE_CHECKING:
    from application.settings import Settings


def of_redis(settings: "Settings") -> Iterator[Finding]:
    if settings.redis_url is None:
        return
    from adapters.redis.trial import TrialFailed, try_out
    from adapters.system.ids import RandomIds

    url = settings.redis_url.get_secret_value()
    where = _without_secrets(url)
    if not settings.may_have_replicas:
        yield note(
            f"the Redis at {where} is of no use: it passes news between replicas, and this database allows one process"
        )
    try:
        asyncio.run(try_out(url, RandomIds().new_id().hex))
    except TrialFailed as failed:
        yield fault(
            f"the Redis at {where} cannot be used: {failed}. Check GRADIOAPP_REDIS_URL, and the rights of its user: "
            "EVAL, INCR, GET, DEL, PUBLISH and SUBSCRIBE on gradioapp:*. Without it the service works, "
            "but a replica notices up to SESSION_CACHE_SECONDS later that a session has ended at another one"
        )
        return
    yield ok(f"the Redis at {where} passes messages on")


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
