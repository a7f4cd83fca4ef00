"""Schema migrations by Alembic, run from code: a wheel has no alembic.ini, and start-up already has an event loop."""

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
from adapters.sql import ownership
from adapters.sql.engine import make_migrating_engine
from adapters.sql.releases import may_use
from adapters.sql.rows import Base
from adapters.sql.statements import answering, connecting

_MIGRATIONS_LOCK: Final = 4_711_002


async def upgrade(
    engine: AsyncEngine, revision: str = "head", *, may_be_newer: bool = False
) -> None:
    """Upgrade completely or not at all. A second process waits, and then has nothing to do. If it `may_be_newer`, leave a
    schema of a later release as it is, if this release may use it."""
    async with migrating(engine.url, may_be_newer=may_be_newer) as connection:
        if set(await connection.run_sync(_heads)) <= set(revisions()):
            await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Downgrade to a revision, `-1` or `base`. The data of removed columns is lost."""
    async with migrating(engine.url) as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def current(engine: AsyncEngine) -> str | None:
    """Return the store's revision; None before the first migration."""
    async with _connection(engine) as connection:
        heads = await connection.run_sync(_heads)
    return heads[0] if heads else None


async def pending(engine: AsyncEngine) -> tuple[str, ...]:
    """Return the revisions that the code has and the store lacks, in the order in which `upgrade` runs them. Return an
    empty tuple if the store has a revision that the code lacks: the code is older then."""
    async with _connection(engine) as connection:
        heads = await connection.run_sync(_heads)
    known = revisions()
    if not set(heads) <= set(known):
        return ()
    return known[known.index(heads[0]) + 1 :] if heads else known


async def is_too_new(engine: AsyncEngine) -> bool:
    """Return whether a later release has changed the schema so that this release may not use it."""
    async with _connection(engine) as connection:
        heads = await connection.run_sync(_heads)
    return not all(may_use(head, revisions()) for head in heads)


async def check(engine: AsyncEngine) -> tuple[str, ...]:
    """Return the differences between the store and the rows in the code, one line each."""
    async with _connection(engine) as connection:
        return await connection.run_sync(_differences)


async def must_be_ours(
    engine: AsyncEngine, *, may_be_begun: bool = False, may_be_newer: bool = False
) -> None:
    """Accept an empty database, and one of this or an older release; with `may_be_begun`, also the target of a copy that
    is not finished; with `may_be_newer`, also one of a later release that this release may use. Changes nothing. Raises
    NotOurDatabase, StoreUnavailable."""
    await ownership.must_be_ours(
        engine.url, revisions(), may_be_begun=may_be_begun, may_be_newer=may_be_newer
    )


@asynccontextmanager
async def migrating(
    url: str | URL, *, may_be_newer: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Open a transaction in which nobody else can migrate; commit it if the block succeeds. Raises NotOurDatabase,
    StoreUnavailable."""
    await ownership.must_be_ours(url, revisions(), may_be_newer=may_be_newer)
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
def revisions() -> tuple[str, ...]:
    """Return the code's revisions, the oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def _heads(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _differences(connection: Connection) -> tuple[str, ...]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return tuple(str(difference) for difference in compare_metadata(context, Base.metadata))
