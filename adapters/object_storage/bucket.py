"""Requests to an S3-compatible store, with short timeouts.

Files are received as one stream, whose pieces have the timeout: not every store understands requests for a part.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from domain.errors import FilesUnavailable

MB: Final = 1024 * 1024
PART: Final = 5 * MB
"""Smallest part of an upload in bytes, by the rules of S3."""
_PARTS: Final = 10_000
"""Highest number of parts of an upload, by the rules of S3."""
_AT_ONCE: Final = 1
"""Parts of one upload that are sent at the same time. Each takes memory, and `rclone serve s3` waits for their order."""
_CONNECT: Final = timedelta(seconds=2)
QUICK: Final = timedelta(seconds=5)
"""Timeout for a request without content, and the time after which nothing is tried again."""
_CONTENT: Final = timedelta(seconds=20)
"""Timeout for a request that sends a part of a file."""
_COMPLETION: Final = timedelta(seconds=120)
"""Timeout for the request that makes an object of its parts, which takes stores longer."""
_PIECE: Final = 10.0
"""Seconds within which a piece of a file must arrive."""
_STREAM: Final = timedelta(days=1)
"""Timeout for receiving a whole file."""
_LISTED: Final = 1000
"""Objects that a store lists in one response."""

Listed = tuple[str, int, datetime]
"""The key, the size in bytes, and the time of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    bucket: str
    prefix: str
    endpoint: str | None
    """None: the store of AWS."""
    region: str
    key_id: str | None = field(repr=False)
    """None: the usual credentials of the machine, of its AWS variables or its role."""
    key: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class Missing(Exception):
    """The object does not exist."""


class Bucket:
    """The objects below one prefix. Methods raise FilesUnavailable."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._quick = _client(location, QUICK)
        self._content = _client(location, _CONTENT)
        self._parts = _client(location, _COMPLETION)
        self._streams = _client(location, _STREAM)

    async def has(self, key: str) -> bool:
        with _store_errors():
            try:
                await obstore.head_async(self._quick, key)
            except FileNotFoundError:
                return False
            return True

    async def below(self, folder: str) -> Sequence[Listed]:
        """List the objects directly in a folder."""
        with _store_errors():
            found = await obstore.list_with_delimiter_async(self._quick, folder)
            return [_listed(one) for one in found["objects"]]

    async def all(self) -> AsyncIterator[Sequence[Listed]]:
        """List all objects in batches."""
        with _store_errors():
            async for batch in obstore.list(self._quick, chunk_size=_LISTED):
                yield [_listed(one) for one in batch]

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Read an object in pieces. Raises Missing."""
        with _store_errors():
            try:
                async with asyncio.timeout(_PIECE):
                    found = await obstore.get_async(self._streams, key)
            except FileNotFoundError as error:
                raise Missing from error
            pieces = aiter(found.stream(min_chunk_size=MB))
            while True:
                async with asyncio.timeout(_PIECE):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece

    async def write(self, key: str, content: bytes) -> None:
        """Write a small object."""
        with _store_errors():
            await obstore.put_async(self._content, key, content, use_multipart=False)

    async def write_parts(self, key: str, size: int, content: AsyncIterator[bytes]) -> None:
        """Write an object of `size` bytes in parts. If `content` raises an error, no object is there."""
        with _store_errors():
            object_ = obstore.open_writer_async(
                self._parts,
                key,
                buffer_size=max(PART, -(-size // _PARTS)),
                max_concurrency=_AT_ONCE,
            )
            async for piece in content:
                async with asyncio.timeout(_CONTENT.total_seconds()):
                    await object_.write(piece)
            # Without this call, there is no object.
            await object_.close()

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove objects; those that do not exist are skipped."""
        if keys:
            with _store_errors():
                await obstore.delete_async(self._quick, keys)


def _client(location: Location, timeout: timedelta) -> S3Store:
    config: Any = {"region": location.region}
    if location.endpoint is not None:
        config["endpoint"] = location.endpoint
    if location.key_id is not None and location.key is not None:
        config |= {"access_key_id": location.key_id, "secret_access_key": location.key}
    is_http = location.endpoint is not None and location.endpoint.startswith("http://")
    return S3Store(
        location.bucket,
        prefix=location.prefix or None,
        config=config,
        client_options={
            "allow_http": is_http,
            "connect_timeout": _CONNECT,
            "timeout": timeout,
        },
        retry_config={"max_retries": 2, "retry_timeout": QUICK},
    )


def _listed(one: Any) -> Listed:
    return one["path"], one["size"], one["last_modified"]


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raise FilesUnavailable for all errors, also for what is missing: a bucket, or an upload that a restarted store has
    forgotten."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise FilesUnavailable from error
