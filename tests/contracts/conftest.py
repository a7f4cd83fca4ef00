"""One suite, every storage. A new adapter adds a fixture, and its name to STORAGES."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
import pytest_asyncio
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.sql import schema
from adapters.sql.engine import WRITING, make_engine
from adapters.sql.rows import FileRow
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.model.access_token import AccessToken
from domain.model.session import Session
from domain.model.user import User
from domain.ports.unit_of_work import Store, UnitOfWork, UnitsOfWork
from tests.servers import FreshDatabase

Id = TypeVar("Id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    units: UnitsOfWork
    replica: UnitsOfWork
    """Those of another process on the same store, as near as one process comes to it."""
    store: Store
    forget_sizes: Callable[[User], Awaitable[None]]
    """Of the account's files, as rows of an earlier release have none."""

    async def has(self, *things: User | Session | AccessToken) -> None:
        async with self.units.writing() as work:
            for thing in things:
                if isinstance(thing, User):
                    await work.users.add(thing)
                elif isinstance(thing, Session):
                    await work.sessions.add(thing)
                else:
                    await work.access_tokens.add(thing)
            await work.commit()


async def removed_by_two(
    storage: Storage,
    remove: Callable[[UnitOfWork], Callable[[Sequence[Id]], Awaitable[int]]],
    ids: Sequence[Id],
    held: Id,
) -> Sequence[int]:
    """How many each removed of two who remove the same, one in the order of `ids` and the other against it. Both wait
    for a third who has `held`, until they have what comes before it in theirs."""

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

    return Storage(units=units, replica=units, store=store, forget_sizes=forget_sizes)


@pytest_asyncio.fixture(loop_scope="session")
async def sqlite(sqlite_engines: tuple[AsyncEngine, AsyncEngine]) -> Storage:
    return await emptied(*sqlite_engines)


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(postgres_engines: tuple[AsyncEngine, AsyncEngine]) -> Storage:
    return await emptied(*postgres_engines)


async def emptied(engine: AsyncEngine, another: AsyncEngine) -> Storage:
    async with engine.execution_options(**{WRITING: True}).begin() as connection:
        await connection.execute(text("DELETE FROM users"))  # And with them all that is somebody's.

    async def forget_sizes(user: User) -> None:
        async with engine.execution_options(**{WRITING: True}).begin() as connection:
            await connection.execute(
                update(FileRow).where(FileRow.user_id == user.id).values(size=None)
            )

    return Storage(
        units=SqlUnitsOfWork(engine),
        replica=SqlUnitsOfWork(another),
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
    """Two processes' connections to one database, open for all tests: to make one takes longer than most of them."""
    engine, another = make_engine(url), make_engine(url)
    try:
        await schema.upgrade(engine)
        yield engine, another
    finally:
        await engine.dispose()
        await another.dispose()
