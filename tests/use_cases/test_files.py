"""Files of accounts: their quota, the end of claims, and the removal of files with their last claim."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.system.clock import StoppedClock, SystemClock
from adapters.system.files import FolderOnDisk
from application.settings import load
from application.use_cases.files import DiscardFiles, PurgeFiles, ReleaseFiles, UseFiles
from domain.errors import FilesQuotaExceeded, NotAllowed, StoreUnavailable
from domain.model.caller import Caller, SignedIn
from domain.model.file import UPLOADS, file_key
from domain.ports.unit_of_work import UnitsOfWork
from tests.compositions import composition
from tests.use_cases.conftest import House

MB: Final = 1024 * 1024
DIGEST: Final = "0123456789abcdef" * 4
LASTING: Final = {"session_absolute_hours": 24 * 30, "session_idle_minutes": 60 * 24 * 30}
PLACE: Final = f"{DIGEST}/a.txt"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def house_with(**values: Any) -> Iterator[House]:
    # The age of files comes from the disk, so the clock starts at the real time.
    clock = StoppedClock(SystemClock().now())
    with composition(load(env_file=None, environment="test", **values), clock) as container:
        yield House(container, clock)


@pytest.fixture
def house(folder: Path) -> Iterator[House]:
    yield from house_with(files_quota_mb=1, files_keep_days=30)


@pytest.fixture
def house_that_keeps(folder: Path) -> Iterator[House]:
    yield from house_with(files_keep_days=0)


async def signed_in(house: House, email: str = "ada@example.org") -> SignedIn:
    await house.has(email)
    return await house.sign_in(email)


def written(folder: Path, place: str = PLACE, content: str = "content") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names_in(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


async def claims(house: House, who: SignedIn, *places: str, size: int = 7) -> None:
    await house.use_cases.claim_files(who.caller, {file_key(place): size for place in places})


async def owns(house: House, who: SignedIn, place: str = PLACE) -> bool:
    return bool(await house.use_cases.use_files(who.caller, [file_key(place)]))


async def purges(house: House, *, spared: Collection[str] = ()) -> int:
    return await house.use_cases.purge_files(is_spared=lambda place: place in spared)


# The quota


@pytest.mark.asvs("5.2.4")
async def test_claims_above_the_quota_are_refused_with_the_usage_and_what_to_do(
    house: House,
) -> None:
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    phone = await house.sign_in()
    await claims(house, ada, "a/a", size=MB - 10)
    await claims(house, phone, "a/b", size=10)

    with pytest.raises(FilesQuotaExceeded) as refused:
        await claims(house, phone, "a/c", "a/d", size=1)

    said = refused.value.sentence
    assert "1.0 MB of your quota of 1.0 MB" in said
    assert "GRADIOAPP_FILES_QUOTA_MB" in said
    assert "30 days" in said
    assert not await owns(house, ada, "a/c")
    await claims(house, bob, "a/a", "a/c", size=MB // 2)


async def test_a_file_that_the_account_has_already_claimed_takes_no_quota(house: House) -> None:
    ada = await signed_in(house)
    await claims(house, ada, "a/a", size=MB)

    await claims(house, ada, "a/a", size=MB)
    await claims(house, ada, "a/empty", size=0)

    space = await house.use_cases.find_file_space(ada.caller)
    assert space.used == MB
    space.must_fit(0)
    with pytest.raises(FilesQuotaExceeded):
        space.must_fit(1)


@pytest.mark.asvs("5.2.4")
async def test_concurrent_claims_cannot_exceed_the_quota(house: House) -> None:
    ada = await signed_in(house)

    outcomes = await asyncio.gather(
        *(claims(house, ada, f"a/{number}", size=MB // 3) for number in range(8)),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        *["FilesQuotaExceeded"] * 5,
        *["NoneType"] * 3,
    ]


async def test_the_operator_has_no_files(house: House) -> None:
    for asks in (
        lambda: house.use_cases.claim_files(Caller.operator(), {}),
        lambda: house.use_cases.use_files(Caller.operator(), []),
        lambda: house.use_cases.find_file_space(Caller.operator()),
    ):
        with pytest.raises(NotAllowed):
            await asks()


async def test_the_time_of_use_is_written_once_a_day(house: House) -> None:
    ada = await signed_in(house)
    await claims(house, ada, PLACE)
    began = house.clock.now()

    async def written_use() -> float:
        async with house.container.units_of_work().reading() as work:
            [claim] = await work.files.owned(ada.user.id, [file_key(PLACE)])
        return float((claim.used_at - began).total_seconds() / 3600)

    seen = []
    for _ in range(5):
        house.passes(hours=10)
        assert await owns(house, ada)
        seen.append(await written_use())

    assert seen == [0, 0, 30, 30, 30]


# The end of a claim


@pytest.mark.asvs("14.2.7")
async def test_a_file_is_removed_with_its_last_claim(house: House, folder: Path) -> None:
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    path = written(folder)
    await claims(house, ada, PLACE)
    await claims(house, bob, PLACE)
    for _ in range(4):
        house.passes(days=10)
        assert await owns(house, bob)

    assert await purges(house) == 0
    assert path.read_text() == "content"
    assert (await owns(house, ada), await owns(house, bob)) == (False, True)

    house.passes(days=32)
    assert await purges(house) == 1
    assert not await owns(house, bob)
    assert names_in(folder) == []


async def test_a_claim_ends_the_set_number_of_days_after_its_last_use(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)

    house.passes(days=30)
    assert (await purges(house), path.exists()) == (0, True)
    house.passes(days=1, seconds=-1)
    assert (await purges(house), path.exists()) == (0, True)
    house.passes(seconds=2)
    assert (await purges(house), path.exists()) == (1, False)


async def test_claims_never_end_with_a_setting_of_zero_days(
    house_that_keeps: House, folder: Path
) -> None:
    house = house_that_keeps
    ada = await signed_in(house)
    claimed, orphan = written(folder), written(folder, f"{DIGEST}/b.txt")
    await claims(house, ada, PLACE)

    house.passes(days=4000)

    assert await purges(house) == 0
    assert claimed.exists()
    assert orphan.exists()
    assert await owns(house, ada)


async def test_an_open_tab_keeps_the_files_that_it_has_used(folder: Path) -> None:
    """The session of an open tab is live and began before the file was used."""
    for house in house_with(files_keep_days=1, **LASTING):
        ada = await signed_in(house)
        earlier, used = f"{DIGEST}/earlier.txt", f"{DIGEST}/used.txt"
        for place in (earlier, used):
            written(folder, place)
        await claims(house, ada, earlier)
        house.passes(hours=1)
        tab = await house.sign_in()
        await claims(house, tab, used)
        await house.use_cases.revoke_session(Caller.operator(), ada.session.id)

        house.passes(days=3)
        assert await purges(house) == 1
        assert [await owns(house, tab, place) for place in (earlier, used)] == [False, True]

        await house.use_cases.revoke_session(Caller.operator(), tab.session.id)
        house.passes(days=3)
        assert await purges(house) == 1


Keeps = Callable[[House, SignedIn, Any], Any]


async def in_the_state(house: House, who: SignedIn, value: Any) -> None:
    await house.use_cases.change_account_state(who.caller, {"remember:/gradio:Last": value})


async def in_the_session(house: House, who: SignedIn, value: Any) -> None:
    await house.use_cases.change_session_data(who.caller, {"last": value})


async def in_a_tokens_data(house: House, who: SignedIn, value: Any) -> None:
    made = await house.use_cases.create_token(who.caller, name="Nightly")
    program = await house.use_cases.recognise_token(made.value, activity=False)
    await house.use_cases.change_session_data(program.caller, {"last": value})


NAMES: dict[str, tuple[str, Any]] = {
    "path": (PLACE, f"/data/gradio/{PLACE}"),
    "deep": (PLACE, {"chat": [{"content": [{"path": f"/data/gradio/{PLACE}"}]}]}),
    "address": (PLACE, f"https://a.example/gradio/gradio_api/file=/data/gradio/{PLACE}"),
    "within words": (PLACE, f'<img src="/file=/data/{PLACE}">'),
    "folder alone": (PLACE, f"/data/gradio/{DIGEST}"),
    "no folder": ('tmp "1" é.mp4', {"video": '/data/gradio/tmp "1" é.mp4'}),
}


@pytest.mark.asvs("14.2.7")
@pytest.mark.parametrize("keeps", [in_the_state, in_the_session, in_a_tokens_data])
@pytest.mark.parametrize("name", NAMES)
async def test_a_stored_value_that_names_a_file_keeps_the_file(
    house: House, folder: Path, keeps: Keeps, name: str
) -> None:
    place, value = NAMES[name]
    other = f"{'f' * 64}/a.txt"
    ada = await signed_in(house)
    for there in (place, other):
        written(folder, there)
    await claims(house, ada, place, other)
    house.passes(days=31)
    later = await house.sign_in()
    await keeps(house, later, value)

    house.passes(minutes=10)
    assert await purges(house) == 1
    assert [await owns(house, ada, there) for there in (place, other)] == [True, False]


async def test_a_file_that_no_value_names_any_more_is_removed_by_a_later_purge(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)
    await in_the_state(house, ada, PLACE)
    house.passes(days=32)
    assert await purges(house) == 0
    await in_the_state(house, ada, None)

    house.passes(days=30)
    assert await purges(house) == 0
    house.passes(days=2)

    assert await purges(house) == 1
    assert not path.exists()


async def test_a_stored_value_does_not_keep_the_claims_of_another_account(
    house: House, folder: Path
) -> None:
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    written(folder)
    await claims(house, ada, PLACE)
    await in_the_state(house, bob, PLACE)

    house.passes(days=32)

    assert await purges(house) == 1


# Files that are removed, and files that never are


async def test_files_of_the_apps_themselves_stay_with_and_without_claims(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    places = [PLACE, "b" * 64 + "/default.txt"]
    paths = [written(folder, place) for place in places]
    await claims(house, ada, PLACE)

    house.passes(days=32)

    assert await purges(house, spared=places) == 0
    assert all(path.exists() for path in paths)
    assert not await owns(house, ada)
    assert await purges(house) == 2


async def test_files_without_claims_are_removed_at_the_age_of_unused_claims(
    house: House, folder: Path
) -> None:
    orphans = [written(folder, place) for place in ("tmpabc", f"{DIGEST}/b", "a/b/c/d.txt")]

    house.passes(days=30)
    assert await purges(house) == 0
    house.passes(days=1, minutes=1)

    assert await purges(house) == 3
    assert not any(orphan.exists() for orphan in orphans)
    assert names_in(folder) == []


async def test_links_their_targets_and_other_folders_are_not_touched(
    house: House, folder: Path
) -> None:
    outside = folder.parent / "outside"
    kept = [written(outside, f"{DIGEST}/a.txt"), written(outside, "b.txt")]
    (folder / "link").symlink_to(outside)
    (folder / "b.txt").symlink_to(outside / "b.txt")
    (folder / DIGEST).symlink_to(outside / DIGEST)
    os.mkfifo(folder / "pipe")
    before = names_in(folder)

    house.passes(days=400)

    assert await purges(house) == 0
    assert all(path.exists() for path in kept)
    assert names_in(folder) == before
    disk = FolderOnDisk(folder)
    there = [
        "../outside/b.txt",
        "link/b.txt",
        "b.txt",
        f"{DIGEST}/a.txt",
        "pipe",
        "",
        ".",
        "/etc/hosts",
    ]
    assert await disk.set_aside(there) == []
    assert [batch async for batch in disk.files()] == []


async def test_partial_uploads_and_empty_files_are_removed_after_a_day(
    house_that_keeps: House, folder: Path
) -> None:
    house = house_that_keeps
    part, empty = written(folder, f"{UPLOADS}/x/tmpabc"), written(folder, "tmpabc", "")
    whole, claimed = written(folder, "tmpdef"), written(folder, content="")
    await claims(house, await signed_in(house), PLACE, size=0)

    house.passes(hours=23)
    assert await purges(house) == 0
    house.passes(hours=2)

    assert await purges(house) == 2
    assert [path.exists() for path in (part, empty, whole, claimed)] == [False, False, True, True]


async def test_the_purge_fills_in_sizes_that_an_earlier_release_did_not_store(
    house_that_keeps: House, folder: Path
) -> None:
    house = house_that_keeps
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    written(folder, content="12345")
    for who in (ada, bob):
        await claims(house, who, PLACE, "gone/gone.txt", size=1000)
    store = house.container.store()
    for owned, claim in store.tables.files.items():
        store.tables.files[owned] = type(claim)(
            user_id=claim.user_id, key=claim.key, size=None, used_at=claim.used_at
        )

    await purges(house)

    for who in (ada, bob):
        assert (await house.use_cases.find_file_space(who.caller)).used == 5


async def test_a_claim_whose_file_is_missing_ends_a_week_later(house: House) -> None:
    """The file may be on another replica, whose own purge comes first."""
    ada = await signed_in(house)
    many = [f"gone/{number}" for number in range(1100)]
    await claims(house, ada, *many, size=0)

    house.passes(days=37)
    await purges(house)
    assert (await house.use_cases.find_file_space(ada.caller)).used == 0
    assert await counted(house) == 1100
    house.passes(days=1, minutes=1)
    await purges(house)

    assert await counted(house) == 0


async def counted(house: House) -> int:
    async with house.container.units_of_work().reading() as work:
        return len(await work.files.unused(house.clock.now(), limit=10_000))


# Races, and processes that die


class Between(FolderOnDisk):
    """Runs an action after the files are set aside."""

    def __init__(self, path: Path, happens: Callable[[], Any]) -> None:
        super().__init__(path)
        self._happens = happens

    async def set_aside(self, places: Collection[str]) -> Sequence[str]:
        aside = await super().set_aside(places)
        if aside:
            await self._happens()
        return aside


def purge_with(house: House, folder: FolderOnDisk) -> PurgeFiles:
    units: UnitsOfWork = house.container.units_of_work()
    return PurgeFiles(
        units_of_work=units,
        files=house.container.files(),
        sessions=house.container.sessions(),
        folder=folder,
        discard=DiscardFiles(units_of_work=units, folder=folder),
        storage=folder,
    )


def nothing_is_spared(place: str) -> bool:
    return False


@pytest.mark.asvs("14.2.7")
@pytest.mark.parametrize("is_written_anew", [False, True])
async def test_a_file_claimed_during_its_removal_stays(
    house: House, folder: Path, *, is_written_anew: bool
) -> None:
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    path = written(folder)
    await claims(house, ada, PLACE)
    house.passes(days=32)

    async def bob_uploads_the_same() -> None:
        await claims(house, bob, PLACE)  # An upload is claimed first, and then moved to its place.
        if is_written_anew:
            written(folder)

    purge = purge_with(house, Between(folder, bob_uploads_the_same))

    assert await purge(is_spared=nothing_is_spared) == 0
    assert path.read_text() == "content"
    assert (await owns(house, ada), await owns(house, bob)) == (False, True)
    assert names_in(path.parent) == ["a.txt"]


async def test_a_file_used_during_the_purge_stays(house: House, folder: Path) -> None:
    """The claim was read as unused, and is used before the account is locked."""
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)
    house.passes(days=32)
    units = house.container.units_of_work()
    async with units.reading() as work:
        seen = await work.files.of([file_key(PLACE)])

    assert await owns(house, ada)
    purge = purge_with(house, FolderOnDisk(folder))
    ended = await purge._end_unused(seen, {file_key(PLACE): PLACE})

    assert ended == frozenset()
    assert await purges(house) == 0
    assert path.exists()


async def test_a_use_does_not_restore_a_claim_that_has_just_ended(house: House) -> None:
    """The claim existed when the store was asked, and has ended when its use is written."""
    ada = await signed_in(house)
    await claims(house, ada, PLACE)
    house.passes(days=32)
    units: UnitsOfWork = house.container.units_of_work()

    class EndsBetween:
        def reading(self) -> Any:
            return units.reading()

        @asynccontextmanager
        async def writing(self) -> AsyncIterator[Any]:
            async with units.writing() as work:
                await work.files.remove_unused(ada.user.id, [file_key(PLACE)], house.clock.now())
                await work.commit()
            async with units.writing() as work:
                yield work

    use = UseFiles(units_of_work=EndsBetween(), files=house.container.files())

    assert await use(ada.caller, [file_key(PLACE)]) == frozenset()


async def test_the_file_is_put_back_when_the_store_does_not_respond(
    house: House, folder: Path
) -> None:
    path = written(folder)

    class Silent:
        def reading(self) -> Any:
            raise StoreUnavailable

    discard = DiscardFiles(units_of_work=Silent(), folder=FolderOnDisk(folder))  # type: ignore[arg-type]

    with pytest.raises(StoreUnavailable):
        await discard([PLACE])

    assert path.read_text() == "content"


@pytest.mark.parametrize("is_claimed", [False, True])
async def test_the_next_purge_finishes_a_purge_that_died_half_way(
    house: House, folder: Path, *, is_claimed: bool
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    if is_claimed:
        await claims(house, ada, PLACE)
    assert await FolderOnDisk(folder).set_aside([PLACE]) == [PLACE]
    assert not path.exists()

    assert await purges(house) == 0  # The process that set it aside may still be running.
    house.passes(days=1, minutes=1)
    await purges(house)

    assert path.exists() == is_claimed
    assert names_in(folder) == [DIGEST] * is_claimed


async def test_the_next_purge_removes_a_file_whose_claim_ended_when_the_purge_died(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)
    house.passes(days=32)
    async with house.container.units_of_work().writing() as work:
        await work.files.remove_unused(ada.user.id, [file_key(PLACE)], house.clock.now())
        await work.commit()

    assert await purges(house) == 1
    assert not path.exists()


async def test_discarded_files_are_removed_only_if_nobody_claims_them(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    mine, other = written(folder), written(folder, "other/b.txt")
    await claims(house, ada, PLACE)

    assert await house.use_cases.discard_files([PLACE, "other/b.txt", "never/was"]) == 1

    assert mine.exists()
    assert not other.parent.exists()


async def test_the_folder_is_listed_in_batches(folder: Path) -> None:
    for number in range(1003):
        written(folder, f"{number % 7}/{number}")

    batches = [batch async for batch in FolderOnDisk(folder).files()]

    assert [len(batch) for batch in batches] == [500, 500, 3]
    assert len({file.key for batch in batches for file in batch}) == 1003
    assert [batch async for batch in FolderOnDisk(folder / "nowhere").files()] == []


# Pieces of streams


async def test_released_files_are_removed_unless_they_have_another_owner(
    house: House, folder: Path
) -> None:
    ada, bob = await signed_in(house), await signed_in(house, "bob@example.org")
    other = f"{'f' * 64}/a.txt"
    gone, stays = written(folder), written(folder, other)
    await claims(house, ada, PLACE, other)
    await claims(house, bob, other)

    await house.use_cases.release_files(ada.caller, [PLACE, other])

    assert (gone.exists(), stays.exists()) == (False, True)
    assert [await owns(house, ada, place) for place in (PLACE, other)] == [False, False]
    assert await owns(house, bob, other)


@pytest.mark.parametrize("keeps", [in_the_state, in_the_session, in_a_tokens_data])
async def test_a_released_file_stays_if_a_stored_value_names_it(
    house: House, folder: Path, keeps: Keeps
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)
    await keeps(house, ada, {"piece": PLACE})

    await house.use_cases.release_files(ada.caller, [PLACE])

    assert path.exists()
    assert await owns(house, ada)


async def test_a_file_that_is_uploaded_again_during_its_release_stays(
    house: House, folder: Path
) -> None:
    ada = await signed_in(house)
    path = written(folder)
    await claims(house, ada, PLACE)

    async def ada_uploads_the_same() -> None:
        await claims(house, ada, PLACE)
        written(folder)

    units: UnitsOfWork = house.container.units_of_work()
    between = Between(folder, ada_uploads_the_same)
    release = ReleaseFiles(
        units_of_work=units,
        files=house.container.files(),
        sessions=house.container.sessions(),
        discard=DiscardFiles(units_of_work=units, folder=between),
        storage=between,
    )
    await release(ada.caller, [PLACE])

    assert path.read_text() == "content"
    assert await owns(house, ada)
