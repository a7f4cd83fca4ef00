"""The target of a copy: it is empty at the beginning, or has a begun copy of the same source."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import Connection, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.sql import schema
from adapters.sql.copying.progress import TABLE
from adapters.sql.copying.refusals import CopyRefused
from adapters.sql.engine import make_copying_engine, name_of, path_of
from adapters.sql.ownership import VERSION, tables_of
from adapters.sql.rows import Base
from adapters.sql.statements import answering, connecting

_COPY_LOCK: Final = 4_711_003
_PATIENCE: Final = 20
"""Half seconds to wait for the lock: PostgreSQL takes some time to notice that an interrupted copy is gone."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncConnection]:
    """Open the target, migrated to head, for one copy at a time. Raises CopyRefused if it is not empty and has no begun
    copy, NotOurDatabase, StoreUnavailable."""
    engine = make_copying_engine(url)
    try:
        await schema.must_be_ours(engine, may_be_begun=True)
        path = path_of(engine.url)
        if path is not None and not path.is_file():
            await schema.upgrade(engine)
        else:
            await _must_be_empty_or_begun(engine)
        connection = engine.connect()
        with connecting():
            await connection.start()
        try:
            await _lock(connection)
            yield connection
        finally:
            await connection.close()
    finally:
        await engine.dispose()


async def _must_be_empty_or_begun(engine: AsyncEngine) -> None:
    """Migrate a target without tables."""
    connection = engine.connect()
    with connecting():
        await connection.start()
    try:
        with answering():
            tables = await connection.run_sync(_tables)
            says = await _content(connection, tables) if tables else ""
    finally:
        await connection.close()
    if tables and not says and TABLE.name not in tables and await schema.pending(engine):
        says = "has the schema of an older release"
    if says:
        raise _not_empty(engine, says)
    if not tables:
        await schema.upgrade(engine)


def _not_empty(engine: AsyncEngine, says: str) -> CopyRefused:
    return CopyRefused(
        f"The target {name_of(engine.url)} is not empty: it {says}. Nothing was changed in it. "
        "Name an empty database in --to."
    )


def _tables(connection: Connection) -> set[str]:
    return tables_of(connection)[1]


async def _content(connection: AsyncConnection, tables: set[str]) -> str:
    """Return what the target has beside our empty tables or a begun copy, or an empty text."""
    ours = Base.metadata.tables
    if foreign := sorted(tables - {*ours, VERSION, TABLE.name}):
        return f"has the table {foreign[0]}"
    if TABLE.name in tables:
        return ""
    for name in sorted(tables & set(ours)):
        if await connection.scalar(select(literal(1)).select_from(ours[name]).limit(1)):
            return f"has rows in {name}"
    return ""


async def _lock(connection: AsyncConnection) -> None:
    """Keep other copies from the target until the connection is closed. On SQLite, the caller does that."""
    if connection.dialect.name != "postgresql":
        return
    for _ in range(_PATIENCE):
        with answering():
            async with connection.begin():
                if await connection.scalar(select(func.pg_try_advisory_lock(_COPY_LOCK))):
                    return
        await asyncio.sleep(0.5)
    raise CopyRefused("Another copy into the same target is running. Wait until it has ended.")


async def begin(target: AsyncConnection, source: str, revision: str) -> bool:
    """Note the source; return whether a copy of it had begun before. Raises CopyRefused if another copy had begun."""
    with answering():
        async with target.begin():
            tables = await target.run_sync(_tables)
            if TABLE.name not in tables:
                # Before the lock, somebody may have stored something.
                if says := await _content(target, tables):
                    raise _not_empty(target.engine, says)
                await target.run_sync(TABLE.metadata.create_all)
                await target.execute(
                    insert(TABLE),
                    [
                        {"name": name, "source": source, "revision": revision, "is_done": False}
                        for name in Base.metadata.tables
                    ],
                )
                return False
            found = (await target.execute(select(TABLE.c.source, TABLE.c.revision))).all()
    if {(row.source, row.revision) for row in found} == {(source, revision)}:
        return True
    begun = found[0].source if found else "another database"
    raise CopyRefused(
        f"The target has a begun copy of {begun}, made by this or another release. Nothing was changed in it. "
        "Finish that copy first, or name an empty database in --to."
    )


async def clear(target: AsyncConnection) -> None:
    """Remove all rows that were copied."""
    with answering():
        async with target.begin():
            for table in reversed(Base.metadata.sorted_tables):
                await target.execute(table.delete())
            await target.execute(update(TABLE).values(last_key=None, is_done=False))


async def finish(target: AsyncConnection) -> None:
    with answering():
        async with target.begin():
            await target.run_sync(TABLE.metadata.drop_all)
