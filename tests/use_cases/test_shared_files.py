"""Files in an object store: they go with their last claim, and stay with it, whichever replica looks."""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from adapters.object_storage.bucket import Bucket
from adapters.object_storage.storage import ObjectStorage
from adapters.system.clock import StoppedClock, SystemClock
from application.settings import load
from domain.model.caller import SignedIn
from domain.model.file import file_key
from domain.ports.files import FileStorage
from tests.compositions import composition
from tests.object_store import ObjectStore, object_store
from tests.use_cases.conftest import House

DIGEST: Final = "0123456789abcdef" * 4
PLACE: Final = f"{DIGEST}/a.txt"
OTHER: Final = f"{DIGEST}/b.txt"
KEEP: Final = timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with object_store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def house(folder: Path, store: ObjectStore) -> Iterator[House]:
    # The ages of objects come from the store, so the clock starts at the real time.
    clock = StoppedClock(SystemClock().now())
    settings = {name.lower(): value for name, value in store.settings.items()}
    with composition(load(env_file=None, environment="test", **settings), clock) as container:
        yield House(container, clock)


async def signed_in(house: House) -> SignedIn:
    await house.has("ada@example.org")
    return await house.sign_in("ada@example.org")


async def shares(house: House, folder: Path, who: SignedIn, place: str = PLACE) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("content")
    await house.use_cases.claim_files(who.caller, {file_key(place): 7})
    await house.use_cases.share_files([place])


async def shared(house: House) -> list[str]:
    storage: FileStorage = house.container.storage_of_files()
    return sorted([file.place async for batch in storage.files() for file in batch])


async def purges(house: House) -> int:
    return await house.use_cases.purge_files(is_spared=lambda _: False)


async def test_a_purge_removes_unused_files_from_the_folder_and_from_the_store(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    house.clock.forward(KEEP + timedelta(days=2))

    await purges(house)

    assert await shared(house) == []
    assert not (folder / PLACE).exists()


async def test_a_purge_removes_files_whose_copies_are_on_other_replicas(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    (folder / PLACE).unlink()
    house.clock.forward(KEEP + timedelta(days=2))

    await purges(house)

    assert await shared(house) == []


async def test_a_purge_leaves_files_in_use(house: House, folder: Path) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    house.clock.forward(KEEP - timedelta(days=2))

    assert await purges(house) == 0
    assert await shared(house) == [PLACE]


async def test_a_released_file_goes_from_the_store(house: House, folder: Path) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    await shares(house, folder, ada, OTHER)

    await house.use_cases.release_files(ada.caller, [PLACE])

    assert await shared(house) == [OTHER]
    assert not (folder / PLACE).exists()


async def test_a_file_that_is_uploaded_while_it_is_released_stays_in_the_store(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    storage: FileStorage = house.container.storage_of_files()
    remove = storage.remove_aside

    async def remove_after_an_upload(places: Collection[str]) -> None:
        await shares(house, folder, ada)
        await remove(places)

    monkeypatch.setattr(storage, "remove_aside", remove_after_an_upload)

    await house.use_cases.release_files(ada.caller, [PLACE])

    assert await shared(house) == [PLACE]
    (folder / PLACE).unlink()
    await house.use_cases.bring_files([PLACE])
    assert (folder / PLACE).read_text() == "content"


async def test_a_file_that_is_claimed_while_it_is_set_aside_is_put_back(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    storage: FileStorage = house.container.storage_of_files()
    set_aside = storage.set_aside

    async def claimed_before(places: Collection[str]) -> Sequence[str]:
        await shares(house, folder, ada)  # Counts on the object that is there.
        return await set_aside(places)

    monkeypatch.setattr(storage, "set_aside", claimed_before)

    await house.use_cases.release_files(ada.caller, [PLACE])

    assert await shared(house) == [PLACE]


@pytest.mark.parametrize(("is_claimed", "left"), [(True, [PLACE]), (False, [])])
async def test_the_next_purge_settles_what_a_dead_replica_has_set_aside(
    house: House, folder: Path, store: ObjectStore, left: list[str], *, is_claimed: bool
) -> None:
    ada = await signed_in(house)
    await shares(house, folder, ada)
    dead = ObjectStorage(Bucket(store.location()), folder, new_mark=lambda: uuid4().hex)
    await dead.set_aside([PLACE])
    if not is_claimed:
        async with house.container.units_of_work().writing() as work:
            await work.files.remove_unused(
                ada.user.id, [file_key(PLACE)], house.clock.now() + timedelta(seconds=1)
            )
            await work.commit()
    house.clock.forward(timedelta(days=1, hours=1))

    await purges(house)

    assert await shared(house) == left


async def test_the_files_of_a_folder_are_shared_if_somebody_has_a_right_to_them(
    house: House, folder: Path, store: ObjectStore
) -> None:
    ada = await signed_in(house)
    for place in (PLACE, OTHER):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text("content")
    await house.use_cases.claim_files(ada.caller, {file_key(PLACE): 7})

    counted = [await house.use_cases.share_folder() for _ in range(2)]

    assert counted == [1, 1]
    assert await shared(house) == [PLACE]
    assert len(store.objects()) == 1
