"""Statements in the transaction of a unit of work, and the translation of database errors into domain errors."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Delete, Executable, Insert, Select, Update, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from domain.errors import DomainError, StoreUnavailable

Value = TypeVar("Value")

_SQLITE_ERROR: Final = 1
"""SQLite's code for an incorrect statement, such as one that names a missing table."""

_AT_ONCE: Final = 500

_STORE_AT_FAULT: Final = ("08", "40", "53", "55P03", "57", "58", "25006")
"""PostgreSQL's codes for: connection, deadlock, resources, lock timeout, shutdown, system, and a server that became a
standby."""

_ASYNCPG: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Statements:
    """What a repository may do with the transaction of its unit of work."""

    def __init__(self, connection: AsyncConnection, *, may_write: bool) -> None:
        self._connection = connection
        self._may_write = may_write
        self._is_open = True

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    async def read(
        self, statement: Select[*tuple[Any, ...]], parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        return await self._execute(statement, parameters)

    async def write(
        self,
        statement: Insert | Update | Delete,
        parameters: Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        self.must_be_writable()
        return await self._execute(statement, parameters)

    async def lock(
        self, rows: Select[*tuple[Any, ...]], parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Lock rows: nobody else can lock, change or remove them until the transaction ends. Foreign keys may still
        reference them, so a new session does not wait for a write of its account's state. SQLite has only one writer
        anyway."""
        self.must_be_writable()
        return await self._execute(rows.with_for_update(key_share=True), parameters)

    async def lock_row(self, key: InstrumentedAttribute[UUID], value: UUID) -> bool:
        """Lock the row with this primary key like `lock`; return whether it exists."""
        found = await self.lock(_row_with(key), {"value": value})
        return found.one_or_none() is not None

    async def lock_name(self, number: int) -> None:
        """Lock this number until the transaction ends, for locks without a row."""
        self.must_be_writable()
        if self.dialect == "postgresql":
            await self._execute(select(func.pg_advisory_xact_lock(number)))

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Run one statement: if it violates a constraint, only the statement is undone, and the unit of work can go on.
        SQLite does that by itself."""
        self.must_be_writable()
        if self.dialect == "sqlite":
            yield
            return
        with answering():
            savepoint = await self._connection.begin_nested()
        try:
            yield
        except IntegrityError:
            with answering():
                await savepoint.rollback()
            raise
        with answering():
            await savepoint.commit()

    async def commit(self) -> None:
        self.must_be_writable()
        with answering():
            await self._connection.commit()
        self.close()

    def close(self) -> None:
        self._is_open = False

    def must_be_writable(self) -> None:
        if not self._may_write:
            raise RuntimeError("A unit of work from reading() must neither write nor lock.")
        self._must_be_open()

    def _must_be_open(self) -> None:
        if not self._is_open:
            raise RuntimeError("The unit of work has ended.")

    async def _execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        self._must_be_open()
        with answering():
            return await self._connection.execute(statement, parameters)


@cache
def _row_with(key: InstrumentedAttribute[UUID]) -> Select[*tuple[Any, ...]]:
    return select(key).where(key == bindparam("value"))


def parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Split the values into parts for one statement each: SQLite takes 32,766 parameters, asyncpg 32,767."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def upsert(row: type[Any], dialect: str) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(row) if dialect == "postgresql" else sqlite.insert(row)


@contextmanager
def answering() -> Iterator[None]:
    """Raise StoreUnavailable if the store is at fault, and pass on our own errors."""
    try:
        yield
    except DomainError:
        raise
    except (PoolTimeout, OSError) as error:
        # asyncpg does not wrap these. A statement's timeout is a TimeoutError, which is an OSError.
        raise StoreUnavailable from error
    except DBAPIError as error:
        if _is_store_at_fault(error):
            raise StoreUnavailable from error
        raise


@contextmanager
def connecting() -> Iterator[None]:
    """Raise StoreUnavailable for every error: before the first statement none is ours."""
    try:
        yield
    except (SQLAlchemyError, *_ASYNCPG, OSError) as error:
        raise StoreUnavailable from error


def is_foreign_key(error: IntegrityError) -> bool:
    return (
        getattr(error.orig, "sqlstate", None) == "23503"
        or getattr(error.orig, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_FOREIGNKEY"
    )


def is_taken(error: IntegrityError, table: str, column: str) -> bool:
    """Return whether the error comes from the unique constraint of this column. PostgreSQL names the constraint, SQLite
    the column."""
    said = str(error.orig)
    return f'"uq_{table}_{column}"' in said or f"UNIQUE constraint failed: {table}.{column}" in said


def _is_store_at_fault(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if isinstance(error, OperationalError):
        return getattr(error.orig, "sqlite_errorcode", None) != _SQLITE_ERROR
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_STORE_AT_FAULT)
    # An error without a code comes from asyncpg itself: a closed connection is the store's fault, a wrong argument is ours.
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, _ASYNCPG) and not isinstance(cause, ValueError | TypeError)
