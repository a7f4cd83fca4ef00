"""Promises of every storage about units of work and readiness."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from tests.builders import NOON, a_known_device, a_session, a_user
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA = a_user(roles={"admin"})
SESSION = a_session(of=ADA)

WRITES: dict[str, Callable[[UnitOfWork], Awaitable[object]]] = {
    "add a user": lambda work: work.users.add(a_user()),
    "save a user": lambda work: work.users.save(ADA),
    "lock a user": lambda work: work.users.get_locked(ADA.id),
    "lock the admins": lambda work: work.users.count_active_admins(locked=True),
    "add a session": lambda work: work.sessions.add(a_session(of=ADA)),
    "save a session": lambda work: work.sessions.save(SESSION),
    "remove a session": lambda work: work.sessions.remove([SESSION.id]),
    "remove the dead": lambda work: work.sessions.remove_dead(
        ended_by=NOON, idle_since=NOON, spares_remembered=True
    ),
    "add a known device": lambda work: work.known_devices.add(a_known_device(of=ADA)),
    "save a known device": lambda work: work.known_devices.save(a_known_device(of=ADA)),
    "remove a known device": lambda work: work.known_devices.remove_of_user(ADA.id),
    "write data": lambda work: work.session_data.write(SESSION.id, {"a": 1}),
    "lock data": lambda work: work.session_data.read(SESSION.id, locked=True),
    "write state": lambda work: work.account_state.write(ADA.id, {"a": 1}),
    "lock state": lambda work: work.account_state.read(ADA.id, locked=True),
    "commit": lambda work: work.commit(),
}


async def test_committing_keeps_what_was_written(storage: Storage) -> None:
    ada = a_user()

    async with storage.units.writing() as work:
        await work.users.add(ada)
        await work.commit()

    async with storage.units.reading() as work:
        assert await work.users.get(ada.id) == ada


async def test_uncommitted_writes_are_undone_when_the_block_ends(storage: Storage) -> None:
    await storage.has(ADA, SESSION)
    grace = a_user()

    async with storage.units.writing() as work:
        await work.users.add(grace)
        await work.users.save(ADA.disabled(NOON))
        await work.account_state.write(ADA.id, {"a": 1})
        await work.session_data.write(SESSION.id, {"a": 1})
        await work.sessions.remove([SESSION.id])

    async with storage.units.reading() as work:
        assert await work.users.find_by_email(grace.email) is None
        assert await work.users.get(ADA.id) == ADA
        assert await work.account_state.read(ADA.id) == {}
        assert await work.sessions.find(SESSION.id) == SESSION


async def test_an_error_in_the_block_undoes_its_writes_and_is_raised(storage: Storage) -> None:
    ada = a_user()

    async def fail() -> None:
        async with storage.units.writing() as work:
            await work.users.add(ada)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    async with storage.units.reading() as work:
        assert await work.users.find_by_email(ada.email) is None


async def test_an_os_error_in_the_block_is_not_reported_as_store_unavailable(
    storage: Storage,
) -> None:
    with pytest.raises(FileNotFoundError):
        async with storage.units.writing():
            raise FileNotFoundError


async def test_a_cancelled_block_is_undone_and_does_not_block_the_next_one(
    storage: Storage,
) -> None:
    ada, grace = a_user(), a_user()
    written = asyncio.Event()

    async def hang() -> None:
        async with storage.units.writing() as work:
            await work.users.add(ada)
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(5):
        await storage.has(grace)
    async with storage.units.reading() as work:
        assert await work.users.page(limit=10) == [grace]


async def test_a_unit_of_work_reads_its_own_writes(storage: Storage) -> None:
    async with storage.units.writing() as work:
        await work.users.add(ADA)
        await work.sessions.add(SESSION)

        assert await work.users.get(ADA.id) == ADA
        assert await work.sessions.find_with_user(SESSION.secret_hash) == (SESSION, ADA, {})


async def test_reading_never_waits_for_a_writer_and_sees_no_uncommitted_writes(
    storage: Storage,
) -> None:
    await storage.has(ADA, SESSION)

    async with storage.units.writing() as writer:
        await writer.users.get_locked(ADA.id)
        await writer.users.save(ADA.renamed("Augusta", NOON))
        await writer.sessions.remove([SESSION.id])
        async with asyncio.timeout(2), storage.units.reading() as reader:
            seen = await reader.users.get(ADA.id)
            found = await reader.sessions.find_with_user(SESSION.secret_hash)
        await writer.commit()

    assert seen == ADA
    assert found == (SESSION, ADA, {})


LOCKS: dict[str, Callable[[UnitOfWork], Awaitable[object]]] = {
    name: WRITES[name] for name in WRITES if name.startswith("lock")
}


async def test_a_locked_read_excludes_other_locked_reads_until_the_unit_of_work_ends(
    storage: Storage, subtests: pytest.Subtests
) -> None:
    await storage.has(ADA, SESSION)

    async def is_locked(
        lock: Callable[[UnitOfWork], Awaitable[object]], told: asyncio.Event
    ) -> None:
        async with storage.replica.writing() as other:
            await lock(other)
            told.set()

    for name, lock in LOCKS.items():
        with subtests.test(name):
            locked = asyncio.Event()
            async with storage.units.writing() as work:
                await lock(work)
                waiting = asyncio.create_task(is_locked(lock, locked))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await locked.wait()
            await waiting

            assert locked.is_set()


async def test_two_locked_reads_of_an_owner_without_values_exclude_each_other(
    storage: Storage,
) -> None:
    await storage.has(ADA)

    async def claim(units: UnitsOfWork) -> bool:
        async with units.writing() as work:
            is_first = not await work.account_state.read(ADA.id, locked=True)
            for _ in range(5):
                await asyncio.sleep(0)  # Let the other run.
            await work.account_state.write(ADA.id, {"claimed": True})
            await work.commit()
        return is_first

    claims = await asyncio.gather(claim(storage.units), claim(storage.replica))

    assert sorted(claims) == [False, True]


async def test_reading_does_not_wait_for_queued_writers(storage: Storage) -> None:
    await storage.has(ADA)
    release = asyncio.Event()
    first_writes = asyncio.Event()

    async def write() -> None:
        async with storage.units.writing() as work:
            await work.users.get_locked(ADA.id)
            first_writes.set()
            await release.wait()
            await work.commit()

    writers = [asyncio.create_task(write()) for _ in range(30)]
    await first_writes.wait()
    try:
        async with asyncio.timeout(2), storage.units.reading() as reader:
            assert await reader.users.get(ADA.id) == ADA
    finally:
        release.set()
        await asyncio.gather(*writers)


async def test_an_open_reader_does_not_delay_a_writer(storage: Storage) -> None:
    await storage.has(ADA)

    async with storage.units.reading() as reader:
        await reader.users.get(ADA.id)
        async with asyncio.timeout(2), storage.units.writing() as writer:
            await writer.users.save(ADA.renamed("Augusta", NOON))
            await writer.commit()

    async with storage.units.reading() as reader:
        assert (await reader.users.get(ADA.id)).name == "Augusta"


async def test_reading_must_not_write(storage: Storage, subtests: pytest.Subtests) -> None:
    await storage.has(ADA, SESSION)

    for name, write in WRITES.items():
        with subtests.test(name):
            async with storage.units.reading() as work:
                with pytest.raises(RuntimeError, match=r"reading\(\)"):
                    await write(work)


async def test_a_unit_of_work_cannot_be_used_after_its_end_or_commit(
    storage: Storage,
) -> None:
    async with storage.units.writing() as work:
        await work.commit()
        with pytest.raises(RuntimeError, match="ended"):
            await work.users.add(ADA)

    async with storage.units.reading() as work:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await work.users.get(ADA.id)


async def test_a_writing_unit_of_work_does_not_make_the_next_reading_one_writable(
    storage: Storage,
) -> None:
    for _ in range(20):
        await storage.has(a_user())
        async with storage.units.reading() as reader:
            assert await reader.users.page(limit=1)


async def test_an_available_store_responds_to_a_ping_and_has_no_pending_migrations(
    storage: Storage,
) -> None:
    await storage.store.ping()

    assert await storage.store.pending_migrations() == ()
