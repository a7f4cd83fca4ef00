"""What every storage promises of files: to whom they belong."""

import asyncio
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


async def claim(units: UnitsOfWork, user_id: UserId, *keys: FileKey, days: int = 0) -> None:
    async with units.writing() as work:
        await work.files.add(user_id, keys, NOON + timedelta(days=days))
        await work.commit()


async def owned(units: UnitsOfWork, user: User, *keys: FileKey) -> frozenset[FileKey]:
    async with units.reading() as work:
        return await work.files.owned(user.id, keys)


async def test_files_belong_to_who_claimed_them_and_to_nobody_else(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)

    await claim(storage.units, ada.id, A, B)
    await claim(storage.units, bob.id, B, C)

    assert await owned(storage.replica, ada, A, B, C) == {A, B}
    assert await owned(storage.replica, bob, A, B, C) == {B, C}
    assert await owned(storage.replica, bob) == frozenset()


async def test_a_file_may_be_claimed_again_also_by_two_at_once(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    both = (storage.units, storage.replica)
    await asyncio.gather(*(claim(units, ada.id, A, B, A) for units in both for _ in range(10)))

    assert await owned(storage.units, ada, A, B) == {A, B}


async def test_many_files_are_claimed_and_asked_for_at_once(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)
    keys = [file_key(str(number)) for number in range(1200)]

    await claim(storage.units, ada.id, *keys)

    assert await owned(storage.units, ada, *keys, A) == set(keys)


async def test_what_was_claimed_again_is_not_old(storage: Storage) -> None:
    ada, bob = a_user(), a_user()
    await storage.has(ada, bob)
    await claim(storage.units, ada.id, A, B)
    await claim(storage.units, bob.id, A)
    await claim(storage.units, ada.id, B, days=2)

    async with storage.units.writing() as work:
        removed = await work.files.remove_older(NOON + timedelta(days=1))
        kept = await work.files.remove_older(NOON + timedelta(days=1))
        await work.commit()

    assert (removed, kept) == (2, 0)
    assert await owned(storage.units, ada, A, B) == {B}
    assert await owned(storage.units, bob, A, B) == frozenset()


async def test_claiming_for_an_account_that_is_gone_is_refused(storage: Storage) -> None:
    with pytest.raises(UserNotFound):
        await claim(storage.units, UserId(UUID(int=2**127)), A)


async def test_claims_of_an_undone_unit_of_work_are_not_kept(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    async with storage.units.writing() as work:
        await work.files.add(ada.id, [A], NOON)

    assert await owned(storage.units, ada, A) == frozenset()


async def test_of_many_sessions_those_are_found_that_are_there(storage: Storage) -> None:
    ada = a_user()
    one, two, gone = a_session(of=ada), a_session(of=ada), a_session(of=ada)
    await storage.has(ada, one, two)

    async with storage.units.reading() as work:
        found = await work.sessions.find_many([one.id, two.id, gone.id])
        none = await work.sessions.find_many([])

    assert {session.id for session in found} == {one.id, two.id}
    assert list(none) == []
