"""The schema, brought up and down by Alembic from code: a wheel has no alembic.ini, and start-up has a loop already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import migrations
from adapters.sql.engine import make_migrating_engine
from adapters.sql.rows import Base
from adapters.sql.statements import answering, connecting

_MIGRATIONS_LOCK: Final = 4_711_002


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """All or nothing. Whoever comes second waits, and finds the work done."""
    async with migrating(engine.url) as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """To a revision, `-1` or `base`; what the columns that go contained is lost."""
    async with migrating(engine.url) as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def current(engine: AsyncEngine) -> str | None:
    """The store's revision; None before the first."""
    async with _connection(engine) as connection:
        heads = await connection.run_sync(_heads)
    return heads[0] if heads else None


async def pending(engine: AsyncEngine) -> tuple[str, ...]:
    """Revisions that the code has and the store has not, in the order in which `upgrade` runs them. None when the
    store knows a revision that the code does not: then the code is the older one."""
    async with _connection(engine) as connection:
        heads = await connection.run_sync(_heads)
    revisions = _revisions()
    if not set(heads) <= set(revisions):
        return ()
    return revisions[revisions.index(heads[0]) + 1 :] if heads else revisions


async def check(engine: AsyncEngine) -> tuple[str, ...]:
    """Where the store and the rows in the code differ, one line each."""
    async with _connection(engine) as connection:
        return await connection.run_sync(_differences)


@asynccontextmanager
async def migrating(url: str | URL) -> AsyncIterator[AsyncConnection]:
    """A transaction beside which nobody else migrates; committed when the block ends well."""
    engine = make_migrating_engine(url)
    try:
        with answering():
            async with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATIONS_LOCK)))
                yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = engine.connect()
    with connecting():
        await connection.start()
    try:
        with answering():
            yield connection
    finally:
        await connection.close()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


@cache
def _revisions() -> tuple[str, ...]:
    """The code's, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def _heads(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _differences(connection: Connection) -> tuple[str, ...]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return tuple(str(difference) for difference in compare_metadata(context, Base.metadata))
