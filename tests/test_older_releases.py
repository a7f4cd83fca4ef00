"""A release runs on the schema of a later one that has only added to it. The tests are plain functions, because Alembic
runs its own loop."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, ForeignKey, Integer, String, Uuid, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import schema
from adapters.sql.engine import make_engine
from adapters.sql.ownership import NotOurDatabase
from adapters.sql.releases import may_use, number_of, oldest_for
from application.container import build
from application.running import running
from application.settings import load

HEAD: Final = schema.revisions()[-1]
NEXT: Final = f"9998_since_{number_of(HEAD)}"
"""A later schema that has only added to ours."""
AFTER: Final = "9999"
"""A later schema that has changed ours."""
UNUSED: Final[Mapping[str, Collection[str]]] = {}
"""By revision: the faults of `faults_of` that are none, because no release since its oldest one uses what was removed."""

Result = TypeVar("Result")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"


def on(url: str, step: Callable[[AsyncEngine], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        engine = make_engine(url)
        try:
            return await step(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def migrated_to(revision: str, url: str) -> None:
    """Make our schema, and name it like one of a later release."""

    async def rename(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alembic_version SET version_num = :it"), {"it": revision}
            )

    on(url, schema.upgrade)
    on(url, rename)


def readiness(url: str, data: Path, **more: Any) -> Mapping[str, str]:
    """Start as a program with `environment` does, and return what /readyz is told."""
    container = build(load(env_file=None, database_url=url, data_dir=data, **more))

    async def run() -> Mapping[str, str]:
        async with running(container):
            ready: Mapping[str, str] = await container.use_cases().check_readiness()
            return ready

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("revision", "number", "oldest"),
    [
        ("0012", "0012", "0012"),
        ("0012_since_0011", "0012", "0011"),
        ("0013_since_0011", "0013", "0011"),
        ("0013_since_12", "0013", "0013_since_12"),
        ("8f3c2d9e1a4b", "8f3c2d9e1a4b", "8f3c2d9e1a4b"),
    ],
)
def test_the_name_of_a_revision_says_the_oldest_release_that_may_use_it(
    revision: str, number: str, oldest: str
) -> None:
    assert (number_of(revision), oldest_for(revision)) == (number, oldest)


def test_a_release_may_use_what_it_knows_and_what_has_only_added_to_that() -> None:
    known = ("0011", "0012_since_0011")

    may = {
        revision: may_use(revision, known)
        for revision in ("0011", "0013_since_0011", "0013_since_0012", "0014_since_0013", "0013")
    }

    assert may == {
        "0011": True,
        "0013_since_0011": True,
        "0013_since_0012": True,
        "0014_since_0013": False,
        "0013": False,
    }


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_release_starts_on_a_later_schema_that_has_only_added_and_leaves_it_as_it_is(
    environment: str, url: str, tmp_path: Path
) -> None:
    migrated_to(NEXT, url)
    prod = {
        "environment": environment,
        "public_url": "https://example.org",
        "secret_key": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
    }

    ready = readiness(url, tmp_path / "data", **(prod if environment == "prod" else {}))

    assert (ready["database"], ready["migrations"]) == ("ok", "ok")
    assert on(url, schema.current) == NEXT


def test_a_release_refuses_to_start_on_a_later_schema_that_has_changed(
    url: str, tmp_path: Path
) -> None:
    migrated_to(AFTER, url)

    with pytest.raises(NotOurDatabase, match=r"belongs to a newer release .* Start that release"):
        readiness(url, tmp_path / "data")


def test_a_release_that_runs_while_the_schema_changes_says_that_it_is_not_ready(
    url: str, tmp_path: Path
) -> None:
    container = build(load(env_file=None, database_url=url, data_dir=tmp_path / "data"))

    async def run() -> list[str]:
        async with running(container):
            check, said = container.use_cases().check_readiness, []
            for revision in (HEAD, NEXT, AFTER):
                async with container.engine().begin() as connection:
                    await connection.execute(
                        text("UPDATE alembic_version SET version_num = :it"), {"it": revision}
                    )
                said.append((await check())["migrations"])
            return said

    assert asyncio.run(run()) == ["ok", "ok", "made for a newer release"]


@pytest.mark.parametrize("revision", [NEXT, AFTER])
def test_no_command_migrates_a_later_schema(revision: str, url: str) -> None:
    """A release cannot undo a migration that it does not have, and what it writes over could be the later release's."""
    migrated_to(revision, url)

    for step in (schema.upgrade, partial(schema.downgrade, revision="-1"), schema.must_be_ours):
        with pytest.raises(NotOurDatabase, match="belongs to a newer release"):
            on(url, step)

    assert on(url, schema.current) == revision


# Each migration says whether it only adds


def shape_of(connection: Connection) -> dict[str, Any]:
    """Return what statements of an older release can meet, by name."""
    looked, shape = inspect(connection), dict[str, Any]()
    for table in looked.get_table_names():
        shape[table] = None
        for column in looked.get_columns(table):
            is_needed = not column["nullable"] and column["default"] is None
            shape[f"{table}.{column['name']}"] = (str(column["type"]), is_needed)
        rules = [
            looked.get_pk_constraint(table)["constrained_columns"],
            *(one["column_names"] for one in looked.get_unique_constraints(table)),
            *(one["column_names"] for one in looked.get_indexes(table) if one["unique"]),
            *(one["constrained_columns"] for one in looked.get_foreign_keys(table)),
            *(one["sqltext"] for one in looked.get_check_constraints(table)),
        ]
        shape[f"rules of {table}"] = sorted(map(str, rules))
    return shape


def faults_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what an older release misses, or may break by its writes. New tables and new columns that need no
    value are no faults."""
    gone_or_changed = [name for name, value in before.items() if after.get(name, ...) != value]
    needed = [
        name
        for name in after.keys() - before.keys()
        if name.partition(".")[0] in before and name.partition(".")[2] and after[name][1]
    ]
    return sorted(gone_or_changed + needed)


def _adds(operations: Operations) -> None:
    operations.create_table(
        "notes",
        Column("id", Integer, primary_key=True),
        Column("user_id", Uuid(), ForeignKey("users.id"), nullable=False),
    )
    operations.create_index("ix_users_name", "users", ["name"])
    operations.add_column("users", Column("phone", String(20)))
    operations.add_column(
        "users", Column("language", String(8), nullable=False, server_default="en")
    )


def _removes(operations: Operations) -> None:
    operations.drop_table("attempts")
    with operations.batch_alter_table("users") as batch:
        batch.drop_column("search")


def _narrows(operations: Operations) -> None:
    operations.create_index("uq_users_name", "users", ["name"], unique=True)
    with operations.batch_alter_table("files") as batch:
        batch.alter_column("size", nullable=False)
    with operations.batch_alter_table("sessions") as batch:
        batch.add_column(Column("place", String(10), nullable=False))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (_adds, []),
        (_removes, ["attempts", "attempts.free_at", "attempts.key", "attempts.pending"]),
        (_narrows, ["files.size", "rules of users", "sessions.place"]),
    ],
)
def test_a_change_that_an_older_release_can_notice_is_named(
    change: Callable[[Operations], None], faults: list[str], url: str
) -> None:
    def changed(connection: Connection) -> list[str]:
        before = shape_of(connection)
        change(Operations(MigrationContext.configure(connection)))
        return faults_of(before, shape_of(connection))

    async def run(engine: AsyncEngine) -> list[str]:
        async with schema.migrating(engine.url) as connection:
            return await connection.run_sync(changed)

    on(url, schema.upgrade)
    found = on(url, run)

    assert set(faults) <= set(found)
    assert bool(faults) == bool(found)


def test_each_migration_that_names_an_older_release_only_adds_to_the_schema(url: str) -> None:
    async def shape(engine: AsyncEngine) -> dict[str, Any]:
        async with engine.connect() as connection:
            return await connection.run_sync(shape_of)

    shapes: dict[str, dict[str, Any]] = {}
    for revision in schema.revisions():
        on(url, partial(schema.upgrade, revision=revision))
        shapes[number_of(revision)] = on(url, shape)

    faults = {
        revision: found
        for revision in schema.revisions()
        if (
            found := sorted(
                set(faults_of(shapes[oldest_for(revision)], shapes[number_of(revision)]))
                - set(UNUSED.get(revision, ()))
            )
        )
    }

    assert faults == {}


def test_the_oldest_release_that_may_use_the_schema_never_goes_back() -> None:
    """A release that may not use one schema may not use a later one."""
    oldest = [oldest_for(revision) for revision in schema.revisions()]

    assert oldest == sorted(oldest)
    assert all(each <= number_of(of) for each, of in zip(oldest, schema.revisions(), strict=True))
