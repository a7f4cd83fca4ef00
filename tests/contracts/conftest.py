"""One suite, every storage. A new adapter adds one line to STORAGES."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitsOfWork
from adapters.sql import schema
from adapters.sql.engine import make_engine
from adapters.sql.store import SqlStore
from adapters.sql.unit_of_work import SqlUnitsOfWork
from domain.model.access_token import AccessToken
from domain.model.session import Session
from domain.model.user import User
from domain.ports.unit_of_work import Store, UnitsOfWork
from tests.servers import FreshDatabase, run_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    units: UnitsOfWork
    replica: UnitsOfWork
    """Those of another process on the same store, as near as one process comes to it."""
    store: Store

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


@asynccontextmanager
async def memory(_: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    store = MemoryStore()
    units = MemoryUnitsOfWork(store)
    yield Storage(units=units, replica=units, store=store)


@asynccontextmanager
async def sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    migrated: Path = request.getfixturevalue("migrated_sqlite")
    file = migrated.with_name("test.db")
    shutil.copy(migrated, file)
    async with sql(f"sqlite:///{file}") as storage:
        yield storage


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    async with sql(request.getfixturevalue("migrated_postgres"), emptied=True) as storage:
        yield storage


@asynccontextmanager
async def sql(url: str, *, emptied: bool = False) -> AsyncIterator[Storage]:
    engine, another = _engines(url)
    try:
        if emptied:
            async with engine.begin() as connection:
                await connection.execute(text("TRUNCATE users CASCADE"))
        yield Storage(
            units=SqlUnitsOfWork(engine), replica=SqlUnitsOfWork(another), store=SqlStore(engine)
        )
    finally:
        await engine.dispose()
        await another.dispose()


@cache
def _engines(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    """For all tests: they know by then how each statement is written. Disposed of, they connect anew."""
    return make_engine(url), make_engine(url)


STORAGES = [
    pytest.param(memory, id="memory"),
    pytest.param(sqlite, id="sqlite"),
    pytest.param(postgres, id="postgres", marks=pytest.mark.server),
]


@pytest.fixture(params=STORAGES)
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    opened: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Storage]] = request.param
    async with opened(request) as storage:
        yield storage


@pytest.fixture
def units(storage: Storage) -> UnitsOfWork:
    return storage.units


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "template.db"
    run_apart(_migrated(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_postgres(fresh_postgres: FreshDatabase) -> str:
    url = fresh_postgres()
    run_apart(_migrated(url))
    return url


async def _migrated(url: str) -> None:
    engine = make_engine(url)
    await schema.upgrade(engine)
    await engine.dispose()
