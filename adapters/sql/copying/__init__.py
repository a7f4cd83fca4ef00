"""Copy all rows from one database to another, table by table, and check every value afterwards.

The progress is kept in the target, in the transaction of the rows themselves. So an interrupted copy can go on.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import URL, Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.sql import ownership, schema
from adapters.sql.copying import target as targets
from adapters.sql.copying.batches import batches
from adapters.sql.copying.checking import Difference, checked
from adapters.sql.copying.progress import Progress
from adapters.sql.copying.refusals import CopyRefused
from adapters.sql.copying.storing import store
from adapters.sql.engine import make_copying_engine, name_of, parsed_url, path_of
from adapters.sql.rows import Base
from adapters.sql.statements import answering, connecting

__all__ = ["CopyRefused", "Report", "copy", "refuse_strangers"]

Report = Callable[[str], None]
"""Called with each line about the progress."""


async def refuse_strangers(source: str, target: str) -> None:
    """Change nothing. Raises NotOurDatabase, StoreUnavailable."""
    await ownership.must_be_ours(source, schema.revisions())
    await ownership.must_be_ours(target, schema.revisions(), may_be_begun=True)


async def copy(source: str, target: str, report: Report) -> Sequence[tuple[str, int]]:
    """Copy all rows, and return the name and the number of checked rows of each table. A second call goes on after an
    interruption. Raises CopyRefused, NotOurDatabase, StoreUnavailable."""
    if name_of(source) == name_of(target):
        raise CopyRefused("Source and target are the same database.")
    async with _reading(parsed_url(source)) as reading, targets.opened(target) as writing:
        is_resumed = await targets.begin(writing, name_of(source), schema.revisions()[-1])
        run = _Copy(source=reading, target=writing, report=report)
        if is_resumed:
            report("An earlier copy was interrupted; going on.")
        await run.store_all()
        try:
            counts = await run.check_all()
        except Difference:
            if not is_resumed:
                raise
            report("The source was changed since the interruption; copying from the beginning.")
            await targets.clear(writing)
            await run.store_all()
            counts = await run.check_all()
        await targets.finish(writing)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    source: AsyncConnection
    target: AsyncConnection
    report: Report

    async def store_all(self) -> None:
        for table in Base.metadata.sorted_tables:
            await self._store(table)

    async def check_all(self) -> Sequence[tuple[str, int]]:
        self.report("Checking every row.")
        return [
            (table.name, await checked(self.source, self.target, table))
            for table in Base.metadata.sorted_tables
        ]

    async def _store(self, table: Table) -> None:
        progress = await Progress.of(self.target, table)
        if progress.is_done:
            return
        self.report(f"Copying {table.name}.")
        async for rows in batches(self.source, table, after=progress.last_key):
            progress = progress.after(rows)
            await store(self.target, table, rows, progress)
        await progress.done().save(self.target)


@asynccontextmanager
async def _reading(url: URL) -> AsyncIterator[AsyncConnection]:
    """Open the source, which nobody changes meanwhile: on SQLite others cannot write, on PostgreSQL others' changes
    are not visible."""
    if (path := path_of(url)) is not None and not path.is_file():
        raise CopyRefused(f"There is no database {name_of(url)} to copy from.")
    engine = make_copying_engine(url)
    try:
        await _must_be_at_head(engine)
        async with _snapshot(engine) as connection:
            yield connection
    finally:
        await engine.dispose()


async def _must_be_at_head(engine: AsyncEngine) -> None:
    await schema.must_be_ours(engine)
    if pending := await schema.pending(engine):
        raise CopyRefused(
            f"The source {name_of(engine.url)} lacks the migrations {', '.join(pending)}. "
            "Type gradioapp db upgrade, with GRADIOAPP_DATABASE_URL set to the source, and copy again."
        )


@asynccontextmanager
async def _snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = engine.connect()
    with connecting():
        await connection.start()
    try:
        with answering():
            if engine.dialect.name == "postgresql":
                await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            await connection.begin()
        yield connection
    finally:
        await connection.close()
