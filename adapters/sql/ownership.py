"""Decide whether a database is ours, without changing anything in it: not even SQLite's journal mode."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, NullPool, create_engine, inspect, text

from adapters.sql.engine import WAIT, make_migrating_engine, name_of, parsed_url, path_of
from adapters.sql.releases import may_use
from adapters.sql.statements import connecting

_FIRST: Final = frozenset({"users", "user_roles", "account_state", "sessions", "session_data"})
"""The tables of the first revision. Another program may have a revision of the same number."""
VERSION: Final = "alembic_version"
COPY: Final = "gradioapp_copy"
"""The table that a copy keeps in its target until it is finished."""
_SHOWN: Final = 3
"""Names in an error message."""
_BEGUN: Final = "is the target of a copy"
_WAL: Final = b"\x02\x02"
"""Bytes 18 and 19 of a SQLite file in WAL mode."""

_TABLES: Final = text(
    "SELECT c.relname, n.nspname = current_schema() FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND pg_table_is_visible(c.oid) "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS "
    "(SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
)
"""Tables and views of PostgreSQL that a statement can name without a schema, except those of extensions; and whether new
tables would be beside them."""


_NEWER: Final = "a newer release of gradioapp"


class NotOurDatabase(Exception):
    """The database belongs to another program or to a newer release, or a copy into it is not finished. The message is
    for the operator."""


async def must_be_ours(
    url: str | URL,
    revisions: Collection[str],
    *,
    may_be_begun: bool = False,
    may_be_newer: bool = False,
) -> None:
    """Accept a database that is missing, empty or has one of our `revisions`. If it `may_be_newer`, also accept a later
    revision that this release may use. Accept the target of a copy that is not finished only if it `may_be_begun`. Raises
    NotOurDatabase, StoreUnavailable."""
    parsed = parsed_url(url)
    accepts = partial(may_use, known=revisions) if may_be_newer else revisions.__contains__
    with connecting():
        says = await _stranger(parsed, accepts)
    if says == _BEGUN:
        if may_be_begun:
            return
        raise NotOurDatabase(
            f"A copy into the database {name_of(parsed)} is not finished. Nothing was changed in it. "
            "Type the same gradioapp db copy again, or give the copy another database"
        )
    if says:
        advice = "Start that release, or name" if _NEWER in says else "Name"
        raise NotOurDatabase(
            f"The database {name_of(parsed)} {says}. Nothing was changed in it. "
            f"{advice} another one in GRADIOAPP_DATABASE_URL"
        )


async def _stranger(url: URL, accepts: Callable[[str], bool]) -> str:
    """Return what shows that the database is not ours, or an empty text."""
    if (path := path_of(url)) is not None:
        return await asyncio.to_thread(_stranger_in_file, path, accepts)
    engine = make_migrating_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(partial(_stranger_among_tables, accepts=accepts))
    finally:
        await engine.dispose()


def _stranger_in_file(path: Path, accepts: Callable[[str], bool]) -> str:
    if not path.is_file() or path.stat().st_size == 0:
        return ""
    with _read_only(path) as connection:
        return _stranger_among_tables(connection, accepts)


@contextmanager
def _read_only(path: Path) -> Iterator[Connection]:
    with path.open("rb") as file:
        is_wal = file.read(20)[18:] == _WAL
    # SQLite would make two files beside a database in WAL mode, even to read it. Without a -wal file, there are no changes
    # to look for in it.
    is_at_rest = is_wal and not path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if is_at_rest else ''}"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, timeout=WAIT),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        yield connection


def _stranger_among_tables(connection: Connection, accepts: Callable[[str], bool]) -> str:
    # Tables before revisions: another process may migrate an empty database between the two.
    tables, here = tables_of(connection)
    heads = MigrationContext.configure(connection).get_current_heads() if tables else ()
    if unknown := sorted(head for head in heads if not accepts(head)):
        origin = _NEWER if tables >= _FIRST else "another program"
        return f"has the Alembic revision {', '.join(unknown)}, so it belongs to {origin}"
    if heads and tables >= _FIRST:
        return _BEGUN if COPY in here else ""
    foreign = sorted(here - {VERSION})
    if not foreign:
        return ""
    names = ", ".join(foreign[:_SHOWN])
    more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
    return f"belongs to another program: it has the tables {names}{more}, and no revision of ours"


def tables_of(connection: Connection) -> tuple[set[str], set[str]]:
    """Return the names of all tables and views, and of those beside which new tables would be."""
    if connection.dialect.name == "postgresql":
        found = connection.execute(_TABLES).all()
        return {name for name, _ in found}, {name for name, is_here in found if is_here}
    looked = inspect(connection)
    names = {*looked.get_table_names(), *looked.get_view_names()}
    return names, names
