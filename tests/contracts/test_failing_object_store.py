"""An object store that is killed, frozen, full, slow or damaged: nothing half-written is listed, and nothing acknowledged
is lost."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from adapters.object_storage.bucket import Bucket
from adapters.object_storage.storage import ObjectStorage
from adapters.object_storage.transfers import send
from domain.errors import FileGone, FilesUnavailable
from domain.model.file import UPLOADS
from tests.object_store import ObjectStore, object_store

pytestmark = pytest.mark.server

MB: Final = 1024 * 1024
PATIENCE: Final = 8.0
"""Seconds within which a request must fail, with the time of a busy machine."""


class Replica:
    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self.folder = folder
        self.storage = ObjectStorage(Bucket(store.location()), folder, new_mark=lambda: uuid4().hex)

    def writes(self, place: str, content: bytes) -> None:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def shares(self, place: str, content: bytes) -> bool:
        """Return whether the file was acknowledged."""
        self.writes(place, content)
        try:
            await self.storage.share([place])
        except FilesUnavailable:
            return False
        return True

    async def reads(self, place: str) -> bytes | None:
        await self.storage.bring([place])
        path = self.folder / place
        return path.read_bytes() if path.exists() else None

    async def lists(self) -> dict[str, int]:
        return {f.place: f.size async for batch in self.storage.files() for f in batch}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with object_store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def one(store: ObjectStore, tmp_path: Path) -> Replica:
    return Replica(store, tmp_path / "one")


@pytest.fixture
def other(store: ObjectStore, tmp_path: Path) -> Replica:
    return Replica(store, tmp_path / "other")


async def writes_for(
    one: Replica, seconds: float, *, largest: int = 14 * MB
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Share files of many sizes, four at a time. Return the acknowledged ones, and all."""
    acknowledged: dict[str, bytes] = {}
    sent: dict[str, bytes] = {}
    until = time.monotonic() + seconds

    async def write() -> None:
        while time.monotonic() < until:
            content = os.urandom(random.choice([10, 1000, MB, largest]))
            place = f"{sha256(content).hexdigest()}/a.bin"
            sent[place] = content
            if await one.shares(place, content):
                acknowledged[place] = content
            await asyncio.sleep(0.01)

    await asyncio.gather(*[write() for _ in range(4)])
    return acknowledged, sent


async def must_have_all(
    other: Replica, acknowledged: dict[str, bytes], sent: dict[str, bytes]
) -> None:
    """What was acknowledged is there, and what is listed is whole."""
    assert acknowledged
    listed = await other.lists()
    assert acknowledged.keys() <= listed.keys()
    for place, size in listed.items():
        assert size == len(sent[place])
        assert await other.reads(place) == sent[place]


async def test_a_store_that_is_killed_loses_nothing_acknowledged_and_lists_nothing_half_written(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    async def kill() -> None:
        for _ in range(4):
            await asyncio.sleep(random.uniform(0.5, 1.0))
            await asyncio.to_thread(store.stop)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(store.start)

    (acknowledged, sent), _ = await asyncio.gather(writes_for(one, 6), kill())

    assert acknowledged.keys() < sent.keys()
    await must_have_all(other, acknowledged, sent)


async def test_a_full_store_refuses_and_loses_nothing_acknowledged(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    store.stop()
    store.start(largest=MB + MB // 2)

    acknowledged, sent = await writes_for(one, 2)

    refused = sent.keys() - acknowledged.keys()
    assert {len(sent[place]) for place in refused} == {14 * MB}
    assert refused.isdisjoint(await other.lists())
    await must_have_all(other, acknowledged, sent)


async def test_a_slow_store_loses_nothing_acknowledged(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    stuttering = asyncio.to_thread(store.stutter, time.monotonic() + 6)

    (acknowledged, sent), _ = await asyncio.gather(writes_for(one, 5, largest=6 * MB), stuttering)

    await must_have_all(other, acknowledged, sent)


async def test_a_frozen_store_is_refused_within_seconds_and_used_again_afterwards(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    assert await one.shares("a/before", b"before")
    store.freeze()
    since = time.monotonic()

    writes = asyncio.gather(*[one.shares(f"a/{n}", b"x" * n * MB) for n in range(1, 8)])
    with pytest.raises(FilesUnavailable):
        await other.reads("a/before")
    acknowledged = await writes
    state = await one.storage.state()
    took = time.monotonic() - since
    store.thaw()

    assert (set(acknowledged), state) == ({False}, "degraded")
    # Two rounds of four transfers at a time, and the probe.
    assert took < 2 * PATIENCE
    assert await other.reads("a/before") == b"before"
    assert await one.shares("a/after", b"after")
    assert await other.reads("a/after") == b"after"


async def test_a_store_that_is_gone_is_degraded_until_it_is_back(
    store: ObjectStore, one: Replica
) -> None:
    states = [await one.storage.state()]
    store.stop()
    assert not await one.shares("a/b", b"content")
    states.append(await one.storage.state())
    store.start()
    await asyncio.sleep(2.1)
    states.append(await one.storage.state())

    assert states == ["ok", "degraded", "ok"]


@pytest.mark.parametrize("content", [b"another content!", b"half"])
async def test_a_damaged_object_is_never_brought(
    store: ObjectStore, one: Replica, other: Replica, content: bytes
) -> None:
    assert await one.shares("a/b", b"right content 16")
    store.stop()
    [path] = store.objects()
    path.write_bytes(content)
    store.start()

    assert await other.reads("a/b") is None
    assert list((other.folder / UPLOADS).glob("*")) == []


async def test_a_half_written_object_is_not_listed(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    assert await one.shares("a/b", b"right content 16")
    store.stop()
    [path] = store.objects()
    path.write_bytes(b"half")
    store.start()

    assert await other.lists() == {}


@pytest.mark.parametrize("size", [1000, 12 * MB])
async def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    store: ObjectStore, one: Replica, other: Replica, size: int
) -> None:
    one.writes("a/b", b"x" * size)
    before = sha256(b"y" * size).hexdigest()
    name = f"a/b/{before}-{size}-{uuid4().hex}"

    with pytest.raises(FileGone):
        await send(Bucket(store.location()), name, one.folder / "a/b", before, size)

    assert await other.lists() == {}


async def test_a_cancelled_transfer_leaves_nothing(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    for delay in (0.01, 0.05, 0.1, 0.2):
        sharing = asyncio.create_task(one.shares("a/b", b"x" * 40 * MB))
        await asyncio.sleep(delay)
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)

    listed = await other.lists()

    assert listed in ({}, {"a/b": 40 * MB})
    assert await one.shares("a/b", b"x" * 40 * MB)
    assert await other.reads("a/b") == b"x" * 40 * MB


async def test_a_request_that_is_cancelled_does_not_stop_another_ones_download(
    store: ObjectStore, one: Replica, other: Replica
) -> None:
    assert await one.shares("a/b", b"x" * 30 * MB)
    first, second = (asyncio.create_task(other.reads("a/b")) for _ in range(2))
    await asyncio.sleep(0.01)

    first.cancel()

    assert await second == b"x" * 30 * MB
    assert first.cancelled()
