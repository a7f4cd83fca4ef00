"""Run one suite against every storage. A new adapter adds a fixture, and its name to STORAGES."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
import pytest_asyncio
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.memory.limiter import MemoryAttemptLimiter
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.sql import schema
from adapters.sql.engine import WRITING, make_engine
from adapters.sql.limiter import SqlAttemptLimiter
from adapters.sql.rows import FileRow
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.model.access_token import AccessToken
from domain.model.identity import Identity
from domain.model.known_device import KnownDevice
from domain.model.session import Session
from domain.model.user import User
from domain.ports.security import AttemptLimiter
from domain.ports.unit_of_work import Store, UnitOfWork, UnitsOfWork
from tests.servers import FreshDatabase

Id = TypeVar("Id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    units: UnitsOfWork
    replica: UnitsOfWork
    """Units of work of a second engine on the same store, like those of another replica."""
    store: Store
    limiter: AttemptLimiter
    replica_limiter: AttemptLimiter
    """The limiter of another replica."""
    forget_sizes: Callable[[User], Awaitable[None]]
    """Make the sizes of the account's files unknown, like in rows of an earlier release."""

    async def has(self, *things: User | Session | Identity | KnownDevice | AccessToken) -> None:
        async with self.units.writing() as work:
            for thing in things:
                if isinstance(thing, User):
                    await work.users.add(thing)
                elif isinstance(thing, Session):
                    await work.sessions.add(thing)
                elif isinstance(thing, Identity):
                    await work.identities.add(thing)
                elif isinstance(thing, KnownDevice):
                    await work.known_devices.add(thing)
                else:
                    await work.access_tokens.add(thing)
            await work.commit()


async def removed_by_two(
    storage: Storage,
    remove: Callable[[UnitOfWork], Callable[[Sequence[Id]], Awaitable[int]]],
    ids: Sequence[Id],
    held: Id,
) -> Sequence[int]:
    """Return how many items each of two transactions removed. Both remove the same items, one in the order of `ids` and
    the other in reverse. Both wait for a third transaction that holds a lock on `held`, until each has locked what
    comes before `held` in its order."""

    async def removes(units: UnitsOfWork, which: Sequence[Id]) -> int:
        async with units.writing() as work:
            removed = await remove(work)(which)
            await work.commit()
        return removed

    async with storage.units.writing() as work:
        await remove(work)([held])
        both = [
            asyncio.create_task(removes(storage.units, ids)),
            asyncio.create_task(removes(storage.replica, ids[::-1])),
        ]
        done, _ = await asyncio.wait(both, timeout=0.05)
        assert not done
    return await asyncio.gather(*both)


@pytest.fixture
def memory() -> Storage:
    store = MemoryStore()
    units = MemoryUnitsOfWork(store)

    async def forget_sizes(user: User) -> None:
        for owned, claim in list(store.tables.files.items()):
            if claim.user_id == user.id:
                store.tables.files[owned] = replace(claim, size=None)

    limiter = MemoryAttemptLimiter()
    return Storage(
        units=units,
        replica=units,
        store=store,
        limiter=limiter,
        replica_limiter=limiter,
        forget_sizes=forget_sizes,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def sqlite(sqlite_engines: tuple[AsyncEngine, AsyncEngine]) -> Storage:
    return await emptied(*sqlite_engines)


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(postgres_engines: tuple[AsyncEngine, AsyncEngine]) -> Storage:
    return await emptied(*postgres_engines)


async def emptied(engine: AsyncEngine, another: AsyncEngine) -> Storage:
    async with engine.execution_options(**{WRITING: True}).begin() as connection:
        # Cascades to everything that belongs to the users.
        await connection.execute(text("DELETE FROM users"))
        await connection.execute(text("DELETE FROM spent_logout_tokens"))
        await connection.execute(text("DELETE FROM attempts"))
        await connection.execute(text("DELETE FROM replicas"))
        await connection.execute(text("DELETE FROM event_times"))

    async def forget_sizes(user: User) -> None:
        async with engine.execution_options(**{WRITING: True}).begin() as connection:
            await connection.execute(
                update(FileRow).where(FileRow.user_id == user.id).values(size=None)
            )

    units, replica = SqlUnitsOfWork(engine), SqlUnitsOfWork(another)
    return Storage(
        units=units,
        replica=replica,
        limiter=SqlAttemptLimiter(units.transactions),
        replica_limiter=SqlAttemptLimiter(replica.transactions),
        store=SqlStore(engine),
        forget_sizes=forget_sizes,
    )


STORAGES = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.server)]


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    storage: Storage = request.getfixturevalue(request.param)
    return storage


@pytest.fixture
def units(storage: Storage) -> UnitsOfWork:
    return storage.units


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sqlite_engines(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    folder = tmp_path_factory.mktemp("contracts")
    async with migrated(f"sqlite:///{folder / 'test.db'}") as engines:
        yield engines


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_engines(
    fresh_postgres: FreshDatabase,
) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    async with migrated(fresh_postgres()) as engines:
        yield engines


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    """Yield two engines on one database, like those of two processes. They stay open for all tests, because making one
    takes longer than most tests."""
    engine, another = make_engine(url), make_engine(url)
    try:
        await schema.upgrade(engine)
        yield engine, another
    finally:
        await engine.dispose()
        await another.dispose()
