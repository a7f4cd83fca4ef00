"""Fill databases, and read all their rows, for tests of copies and backups."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, insert, inspect, select

from adapters.sql import schema
from adapters.sql.engine import WRITING, make_engine
from adapters.sql.rows import Base

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""The rows of each table, by the table's name."""

EARLY: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATE: Final = datetime(2026, 3, 29, 1, 30, 59, 999_999, tzinfo=UTC)
"""In an hour that a clock change skips in Europe, with all microseconds."""


def an_id(number: int) -> UUID:
    return UUID(bytes=sha256(str(number).encode()).digest()[:16])


def a_hash(number: int) -> bytes:
    return sha256(f"secret {number}".encode()).digest()


def a_user_row(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": an_id(number),
        "email": f"user{number}@example.org",
        "name": "Ada",
        "search": f"user{number}@example.org ada",
        "password_hash": None,
        "is_active": True,
        "is_break_glass": False,
        "created_at": EARLY,
        "updated_at": LATE,
        **values,
    }


def a_session_row(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": an_id(number),
        "user_id": an_id(1),
        "secret_hash": a_hash(number),
        "created_at": EARLY + timedelta(microseconds=number),
        "seen_at": LATE,
        "ends_at": LATE,
        "address": "2001:db8::1",
        "agent": "Браузер 🦊 'quoted' \\ \t",
        "is_remembered": bool(number % 2),
        "confirmed_at": None if number % 3 else LATE,
        "issuer": None,
        "subject": None,
        "sid": None,
        **values,
    }


def rows_of_every_kind() -> Rows:
    """Return at least one row for each table, with values that databases represent differently."""
    entries = [
        {"key": key, "value": value, "version": version}
        for key, value, version in (
            ("ключ", '{"a": [1, 2.50, null, "\\u0000 ß 🦊"]}', 2**31 - 1),
            ("Z", '" "', 1),
            ("a", "x" * 100_000, 1),
        )
    ]
    return {
        "users": [
            a_user_row(1, name="Ada Lövelace 🦊", password_hash="$argon2id$v=19$x"),
            a_user_row(2, is_active=False, is_break_glass=True, name=" "),
        ],
        "user_roles": [
            {"user_id": an_id(1), "role": "admin"},
            {"user_id": an_id(1), "role": "analyst"},
            {"user_id": an_id(2), "role": "analyst"},
        ],
        "sessions": [
            a_session_row(3),
            a_session_row(4, issuer="https://id.example.org", subject="Ä", sid="s"),
        ],
        "identities": [
            {"issuer": issuer, "subject": subject, "user_id": user, "created_at": LATE}
            for issuer, subject, user in (
                ("https://a.example.org", "B", an_id(1)),
                ("https://b.example.org", "a", an_id(1)),
                ("https://B.example.org", "é", an_id(2)),
            )
        ],
        "provider_tokens": [
            {"session_id": an_id(4), "sealed": bytes(range(256)), "refreshing_until": LATE}
        ],
        "replicas": [
            {"id": an_id(8), "url": "http://10.0.0.7:8090", "beats": 2**40, "is_stopping": True}
        ],
        "homes": [{"user_id": an_id(1), "replica_id": an_id(8)}],
        "spent_logout_tokens": [{"key": a_hash(5), "expires_at": LATE}],
        "known_devices": [
            {
                "id": an_id(6),
                "user_id": an_id(1),
                "secret_hash": b"\x00" * 32,
                "session_id": an_id(99),
                "seen_at": LATE,
                "address": "",
                "agent": "",
            }
        ],
        "access_tokens": [
            {
                "id": an_id(7),
                "user_id": an_id(1),
                "name": "CI",
                "secret_hash": a_hash(7),
                "hint": "abcd",
                "roles": "",
                "created_at": EARLY,
                "expires_at": LATE,
                "last_used_at": None,
            }
        ],
        "attempts": [
            {"key": a_hash(8), "free_at": 2**62, "pending": 0},
            {"key": a_hash(9), "free_at": -1, "pending": 2},
        ],
        "event_times": [
            {"user_id": an_id(1), "minute": EARLY, "microseconds": 2**40},
            {"user_id": an_id(99), "minute": LATE, "microseconds": 0},
        ],
        "session_data": [{"owner_id": an_id(3), **entry} for entry in entries],
        "token_data": [{"owner_id": an_id(7), **entry} for entry in entries],
        "account_state": [{"owner_id": an_id(2), **entry} for entry in entries],
        "files": [
            {"user_id": an_id(1), "key": a_hash(10), "size": 2**40, "used_at": LATE},
            {"user_id": an_id(1), "key": a_hash(11), "size": None, "used_at": LATE},
        ],
    }


def migrate(url: str, revision: str = "head") -> None:
    async def run() -> None:
        engine = make_engine(url)
        await schema.upgrade(engine, revision)
        await engine.dispose()

    asyncio.run(run())


def fill(url: str, rows: Rows) -> None:
    """Migrate the database, and insert the rows."""
    migrate(url)
    insert_into(url, rows)


def insert_into(url: str, rows: Rows) -> None:
    async def run() -> None:
        engine = make_engine(url).execution_options(**{WRITING: True})
        async with engine.begin() as connection:
            for table in Base.metadata.sorted_tables:
                if rows.get(table.name):
                    await connection.execute(insert(table), [dict(row) for row in rows[table.name]])
        await engine.dispose()

    asyncio.run(run())


def content(url: str) -> Rows:
    """Return all rows of our tables, in the order of their keys in Python."""

    async def run() -> Rows:
        engine = make_engine(url)
        async with engine.connect() as connection:
            found = {
                table.name: [
                    dict(row) for row in (await connection.execute(select(table))).mappings()
                ]
                for table in Base.metadata.sorted_tables
            }
        await engine.dispose()
        return {name: sorted(rows, key=_key(name)) for name, rows in found.items()}

    return asyncio.run(run())


def ordered(rows: Rows) -> Rows:
    """Return the rows as `content` does."""
    return {name: sorted(some, key=_key(name)) for name, some in rows.items()}


def _key(name: str) -> Any:
    table: Table = Base.metadata.tables[name]
    return lambda row: tuple(row[column.name] for column in table.primary_key.columns)


def table_names(url: str) -> set[str]:
    async def run() -> set[str]:
        engine = make_engine(url)
        async with engine.connect() as connection:
            found = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await engine.dispose()
        return set(found)

    return asyncio.run(run())
