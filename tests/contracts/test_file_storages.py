"""Promises of every storage of files: the folder, and an object store with two replicas."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from adapters.object_storage.bucket import Bucket
from adapters.object_storage.storage import ObjectStorage
from adapters.system.files import FolderOnDisk
from domain.model.file import StoredFile
from domain.ports.files import FileStorage
from tests.object_store import ObjectStore, object_store

MB: Final = 1024 * 1024
PLACE: Final = f"{'0123456789abcdef' * 4}/report.txt"
CONTENT: Final = b"written by one replica"
ODD: Final = (
    "a b/ü 中 %41.txt",
    "a+b&c=d/1?#2.txt",
    "folder.d/deeper/..name",
    "line\nbreak/\x01\x7f.txt",
    os.fsdecode(b"raw/\xff\xe4.txt"),
    f"{'n' * 200}/{'m' * 200}.bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    storage: FileStorage
    folder: Path

    def writes(self, place: str = PLACE, content: bytes = CONTENT) -> None:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def shares(self, place: str = PLACE, content: bytes = CONTENT) -> None:
        self.writes(place, content)
        await self.storage.share([place])

    async def reads(self, place: str = PLACE) -> bytes | None:
        """Return the content as an app reads it; None if there is no such file."""
        await self.storage.bring([place])
        path = self.folder / place
        return path.read_bytes() if path.exists() else None

    async def lists(self) -> list[StoredFile]:
        return [file async for batch in self.storage.files() for file in batch]

    async def removes(self, place: str = PLACE) -> None:
        await self.storage.remove_aside(await self.storage.set_aside([place]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    one: Replica
    other: Replica


def of_bucket(store: ObjectStore, folder: Path, prefix: str) -> Replica:
    folder.mkdir()
    bucket = Bucket(store.location(prefix))
    storage = ObjectStorage(bucket, folder, new_mark=lambda: uuid4().hex)
    return Replica(storage=storage, folder=folder)


def of_folder(folder: Path) -> Replica:
    return Replica(storage=FolderOnDisk(folder), folder=folder)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(params=["folder", "object store"])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Replicas]:
    if request.param == "folder":
        (tmp_path / "shared").mkdir()
        yield Replicas(one=of_folder(tmp_path / "shared"), other=of_folder(tmp_path / "shared"))
        return
    store: ObjectStore = request.getfixturevalue("store")
    prefix = f"apps/{uuid4()}"
    yield Replicas(
        one=of_bucket(store, tmp_path / "one", prefix),
        other=of_bucket(store, tmp_path / "two", prefix),
    )


async def test_a_shared_file_is_read_by_another_replica(replicas: Replicas) -> None:
    await replicas.one.shares()

    assert await replicas.other.reads() == CONTENT


@pytest.mark.parametrize("size", [0, 1, 5 * MB, 5 * MB + 1, 12 * MB])
async def test_a_file_of_any_size_is_the_same_afterwards(replicas: Replicas, size: int) -> None:
    content = os.urandom(size)

    await replicas.one.shares(content=content)

    assert await replicas.other.reads() == content


async def test_files_have_any_names_that_a_disk_allows(replicas: Replicas) -> None:
    for place in ODD:
        await replicas.one.shares(place, place.encode(errors="surrogateescape"))

    listed = {file.place for file in await replicas.other.lists()}
    read = [await replicas.other.reads(place) for place in ODD]

    assert listed == set(ODD)
    assert read == [place.encode(errors="surrogateescape") for place in ODD]


async def test_a_file_that_nobody_has_shared_is_not_brought(replicas: Replicas) -> None:
    assert await replicas.other.reads() is None


async def test_a_place_without_a_file_is_not_shared(replicas: Replicas) -> None:
    await replicas.one.storage.share([PLACE])

    assert await replicas.other.reads() is None
    assert await replicas.one.lists() == []


async def test_a_listed_file_has_its_place_size_and_time(replicas: Replicas) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    await replicas.one.shares()

    [file] = await replicas.other.lists()

    assert (file.place, file.size, file.is_aside) == (PLACE, len(CONTENT), False)
    assert before < file.changed_at < datetime.now(UTC) + timedelta(seconds=2)


async def test_a_removed_file_is_neither_listed_nor_brought(replicas: Replicas) -> None:
    await replicas.one.shares()
    await replicas.other.removes()
    (replicas.one.folder / PLACE).unlink(missing_ok=True)

    assert await replicas.one.lists() == []
    assert await replicas.one.reads() is None


async def test_only_places_with_a_file_are_set_aside(replicas: Replicas) -> None:
    await replicas.one.shares()

    assert await replicas.other.storage.set_aside([PLACE, "nothing/here"]) == [PLACE]


async def test_a_file_that_was_put_back_is_read_again(replicas: Replicas) -> None:
    await replicas.one.shares()
    storage = replicas.other.storage
    aside = await storage.set_aside([PLACE])

    await storage.put_back(aside)

    [file] = await replicas.one.lists()
    assert not file.is_aside
    assert await replicas.other.reads() == CONTENT


async def test_a_file_is_set_aside_by_one_of_two_at_once(replicas: Replicas) -> None:
    await replicas.one.shares()
    storage = replicas.one.storage

    first = await storage.set_aside([PLACE])

    assert (first, await storage.set_aside([PLACE])) == ([PLACE], [])


async def test_a_file_that_is_shared_while_it_is_removed_stays(replicas: Replicas) -> None:
    await replicas.one.shares()
    aside = await replicas.other.storage.set_aside([PLACE])
    await replicas.one.shares()

    await replicas.other.storage.remove_aside(aside)

    assert [file.place for file in await replicas.one.lists() if not file.is_aside] == [PLACE]
    assert await replicas.other.reads() == CONTENT


async def test_a_file_left_aside_by_a_dead_process_is_listed_and_can_be_settled(
    replicas: Replicas,
) -> None:
    await replicas.one.shares("a/back")
    await replicas.one.shares("a/gone")
    await replicas.one.storage.set_aside(["a/back", "a/gone"])
    other = replicas.other.storage

    left = [file.place for file in await replicas.other.lists() if file.is_aside]
    await other.put_back(["a/back"])
    await other.remove_aside(["a/gone"])

    assert sorted(left) == ["a/back", "a/gone"]
    assert [(f.place, f.is_aside) for f in await replicas.other.lists()] == [("a/back", False)]


async def test_two_requests_for_one_file_get_it_whole(replicas: Replicas) -> None:
    content = os.urandom(11 * MB)
    await replicas.one.shares(content=content)

    both = await asyncio.gather(replicas.other.reads(), replicas.other.reads())

    assert list(both) == [content, content]


async def test_the_latest_content_of_a_place_is_brought(replicas: Replicas) -> None:
    await replicas.one.shares(content=b"first")
    await asyncio.sleep(1.1)  # The times of objects may be in whole seconds.
    await replicas.one.shares(content=b"second")

    assert await replicas.other.reads() == b"second"
