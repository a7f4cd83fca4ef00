"""Promises of every storage about files: their accounts, their sizes and their last use."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import UserNotFound
from domain.model.file import FileKey, file_key
from domain.model.user import User, UserId
from domain.ports.unit_of_work import UnitsOfWork
from tests.builders import NOON, a_session, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

A, B, C = (
    file_key(name) for name in ("aa/a.txt", "bb/b \N{SNOWMAN}\udcff'.png", "cc/" + "c" * 255)
)
GIGABYTE = 1024**3


async def claim(
    units: UnitsOfWork, user: User | UserId, *keys: FileKey, days: int = 0, size: int = 10
) -> None:
    user_id = user.id if isinstance(user, User) else user
    async with units.writing() as work:
        await work.files.add(user_id, dict.fromkeys(keys, size), NOON + timedelta(days=days))
        await work.commit()


async def owned(units: UnitsOfWork, user: User, *keys: FileKey) -> frozenset[FileKey]:
    async with units.reading() as work:
        claims = await work.files.owned(user.id, keys)
    assert all(claim.user_id == user.id for claim in claims)
    return frozenset(claim.key for claim in claims)


async def everybodys(units: UnitsOfWork, *keys: FileKey) -> set[tuple[UserId, FileKey]]:
    async with units.reading() as work:
        return {(claim.user_id, claim.key) for claim in await work.files.of(keys)}


async def used(units: UnitsOfWork, user: User, key: FileKey) -> timedelta:
    """Return the time of use after noon."""
    async with units.reading() as work:
        [claim] = await work.files.owned(user.id, [key])
    return claim.used_at - NOON


async def total(units: UnitsOfWork, user: User) -> int:
    async with units.reading() as work:
        return await work.files.total(user.id)


async def ends(units: UnitsOfWork, user: User, *keys: FileKey, days: int) -> frozenset[FileKey]:
    async with units.writing() as work:
        ended = await work.files.remove_unused(user.id, keys, NOON + timedelta(days=days))
        await work.commit()
    return ended


async def test_files_belong_only_to_the_account_that_claimed_them(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)

    await claim(storage.units, ada, A, B)
    await claim(storage.units, bob, B, C)

    assert await owned(storage.replica, ada, A, B, C) == {A, B}
    assert await owned(storage.replica, bob, A, B, C) == {B, C}
    assert await owned(storage.replica, bob) == frozenset()


async def test_a_file_can_be_claimed_again_even_concurrently(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    both = (storage.units, storage.replica)
    await asyncio.gather(*(claim(units, ada, A, B, A) for units in both for _ in range(10)))

    assert await owned(storage.units, ada, A, B) == {A, B}


async def test_many_files_are_claimed_and_looked_up_at_once(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)
    keys = [file_key(str(number)) for number in range(1200)]

    await claim(storage.units, ada, *keys)

    assert await owned(storage.units, ada, *keys, A) == set(keys)


async def test_the_claims_of_all_accounts_on_a_file_are_found(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada, A, B)
    await claim(storage.units, bob, B)

    assert await everybodys(storage.replica, A, B, C) == {
        (ada.id, A),
        (ada.id, B),
        (bob.id, B),
    }
    assert await everybodys(storage.replica) == set()


async def test_the_total_of_an_account_counts_only_the_bytes_of_its_own_files(
    storage: Storage,
) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)

    await claim(storage.units, ada, A, size=5 * GIGABYTE)
    await claim(storage.units, ada, B, size=2)
    await claim(storage.units, bob, A, size=1)

    assert await total(storage.replica, ada) == 5 * GIGABYTE + 2
    assert await total(storage.replica, bob) == 1
    await claim(storage.units, ada, B, size=3)
    assert await total(storage.replica, ada) == 5 * GIGABYTE + 3
    assert await total(storage.replica, a_user()) == 0


async def test_two_concurrent_locked_totals_never_miss_what_the_other_adds(
    storage: Storage,
) -> None:
    ada = a_user()
    await storage.has(ada)

    async def adds_if_there_is_room(units: UnitsOfWork, key: FileKey) -> None:
        async with units.writing() as work:
            if await work.files.total(ada.id, locked=True) < 10:
                for _ in range(5):
                    await asyncio.sleep(0)  # Let the others run.
                await work.files.add(ada.id, {key: 10}, NOON)
                await work.commit()

    await asyncio.gather(
        *(
            adds_if_there_is_room(units, key)
            for units in (storage.units, storage.replica)
            for key in (A, B, C)
        )
    )

    assert await total(storage.units, ada) == 10
    with pytest.raises(UserNotFound):
        async with storage.units.writing() as work:
            await work.files.total(UserId(UUID(int=2**127)), locked=True)


async def test_the_time_of_use_is_set_and_never_moves_back(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada, A, B)
    await claim(storage.units, bob, A)

    for days in (3, 1):
        async with storage.units.writing() as work:
            await work.files.mark_used(ada.id, [A, C], NOON + timedelta(days=days))
            await work.commit()

    assert await used(storage.units, ada, A) == timedelta(days=3)
    assert await used(storage.units, ada, B) == timedelta()
    assert await used(storage.units, bob, A) == timedelta()
    assert await owned(storage.units, ada, C) == frozenset()


async def test_an_unknown_size_is_filled_in_for_all_accounts(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada, A, B)
    await claim(storage.units, bob, A, size=7)
    await storage.forget_sizes(ada)

    assert await total(storage.units, ada) == 0
    async with storage.units.writing() as work:
        await work.files.measure({A: 3, C: 4})
        await work.files.measure({})
        await work.commit()

    assert await total(storage.units, ada) == 3
    assert await total(storage.units, bob) == 7


async def test_the_longest_unused_claims_are_found_first_up_to_the_limit(
    storage: Storage,
) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada, A, days=1)
    await claim(storage.units, bob, A, days=0)
    await claim(storage.units, ada, B, days=2)
    await claim(storage.units, ada, C, days=3)

    async def unused(limit: int) -> list[tuple[UserId, FileKey]]:
        async with storage.units.reading() as work:
            found = await work.files.unused(NOON + timedelta(days=3), limit=limit)
        return [(claim.user_id, claim.key) for claim in found]

    assert await unused(10) == [(bob.id, A), (ada.id, A), (ada.id, B)]
    assert await unused(2) == [(bob.id, A), (ada.id, A)]


async def test_only_unused_claims_of_the_account_end(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada, A, B)
    await claim(storage.units, bob, A)
    await claim(storage.units, ada, B, days=2)

    assert await ends(storage.units, ada, A, B, C, days=1) == {A}
    assert await ends(storage.units, ada, A, B, C, days=1) == frozenset()

    assert await owned(storage.units, ada, A, B) == {B}
    assert await owned(storage.units, bob, A) == {A}


async def test_a_claim_that_is_used_while_it_ends_is_either_kept_or_gone(storage: Storage) -> None:
    """A use after the end adds no claim, and a use before the end keeps the claim."""
    ada = a_user()
    await storage.has(ada)
    keys = [file_key(str(number)) for number in range(40)]
    await claim(storage.units, ada, *keys)

    async def uses(units: UnitsOfWork, some: Sequence[FileKey]) -> frozenset[FileKey]:
        async with units.writing() as work:
            await work.files.mark_used(ada.id, some, NOON + timedelta(days=9))
            mine = await work.files.owned(ada.id, some)
            await work.commit()
        return frozenset(claim.key for claim in mine)

    kept, ended, *_ = await asyncio.gather(
        uses(storage.units, keys[:30]),
        ends(storage.replica, ada, *keys[::-1], days=1),
        uses(storage.replica, keys[5:25][::-1]),
        ends(storage.units, ada, *keys, days=1),
    )

    left = await owned(storage.units, ada, *keys)
    assert kept <= left
    assert not kept & ended
    assert not left & frozenset(keys[30:])


async def test_a_file_can_be_claimed_again_after_its_claim_has_ended(
    storage: Storage,
) -> None:
    ada = a_user()
    await storage.has(ada)
    await claim(storage.units, ada, A)

    await asyncio.gather(
        ends(storage.units, ada, A, days=1), claim(storage.replica, ada, A, days=5)
    )

    assert await owned(storage.units, ada, A) == {A}
    assert await used(storage.units, ada, A) == timedelta(days=5)


async def test_claiming_for_a_missing_account_is_refused(storage: Storage) -> None:
    with pytest.raises(UserNotFound):
        await claim(storage.units, UserId(UUID(int=2**127)), A)


async def test_claims_of_an_uncommitted_unit_of_work_are_not_stored(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    async with storage.units.writing() as work:
        await work.files.add(ada.id, {A: 1}, NOON)

    assert await owned(storage.units, ada, A) == frozenset()


async def test_finding_many_sessions_returns_those_that_exist(storage: Storage) -> None:
    ada = a_user()
    one, two, gone = a_session(of=ada), a_session(of=ada), a_session(of=ada)
    await storage.has(ada, one, two)

    async with storage.units.reading() as work:
        found = await work.sessions.find_many([one.id, two.id, gone.id])
        none = await work.sessions.find_many([])

    assert {session.id for session in found} == {one.id, two.id}
    assert list(none) == []
