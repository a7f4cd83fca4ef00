"""Copies of a SQLite file that are consistent while others write to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from adapters.sql.engine import WAIT
from adapters.sql.ownership import VERSION
from domain.errors import StoreUnavailable

_WHOLE: Final = [("ok",)]


class DatabaseDamaged(Exception):
    """SQLite finds faults in the file. The message is for the operator."""


def snapshot(database: Path, to: Path) -> None:
    """Copy the file as it is at one moment; writers go on meanwhile. `to` gets access for its owner only. Raises
    DatabaseDamaged, StoreUnavailable, FileExistsError."""
    to.touch(mode=0o600, exist_ok=False)
    # VACUUM leaves out what was deleted; a copy of the pages would still contain it.
    with _opened(database, "mode=rw") as connection:
        connection.execute("VACUUM INTO ?", (str(to),))
    must_be_whole(to)


def must_be_whole(database: Path) -> None:
    """Check a file that nobody uses. Raises DatabaseDamaged, StoreUnavailable."""
    try:
        with _at_rest(database) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except StoreUnavailable as error:
        raise DatabaseDamaged(str(error.__cause__)) from error
    if found != _WHOLE:
        raise DatabaseDamaged(str(found[0][0]))


def revision_in(database: Path) -> str | None:
    """Return the revision of the schema in a file that nobody uses; None for a file without our tables. Raises
    StoreUnavailable."""
    with _at_rest(database) as connection:
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if connection.execute(tables, (VERSION,)).fetchone() is None:
            return None
        found = connection.execute(f"SELECT version_num FROM {VERSION}").fetchone()  # noqa: S608 -- A constant.
    return None if found is None else str(found[0])


@contextmanager
def _at_rest(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the file without locks and without files beside it."""
    with _opened(database, "mode=ro&immutable=1") as connection:
        yield connection


@contextmanager
def _opened(database: Path, options: str) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(database))}?{options}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreUnavailable from error
