"""Two processes that migrate the database at the same time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.sql import schema
from adapters.sql.engine import make_engine
from tests.chaos.cluster import Cluster
from tests.chaos.conftest import Survives
from tests.chaos.postgres import PostgresServer
from tests.processes import Process


@contextmanager
def migrated_by_two(cluster: Cluster) -> Iterator[None]:
    """Stop all replicas, go back by one migration, and start all at once: each of them migrates."""
    for replica in cluster.replicas:
        replica.end()
    asyncio.run(_downgrade(cluster.registry.database))
    cluster.start()
    yield


async def _downgrade(database: str) -> None:
    engine = make_engine(database)
    await schema.downgrade(engine, "-1")
    await engine.dispose()


def test_replicas_that_migrate_at_the_same_time_lose_nothing(
    whole_cluster: Cluster, survives: Survives
) -> None:
    survives("two migrators at once", whole_cluster, lambda _: migrated_by_two(whole_cluster))


def test_two_commands_that_migrate_an_empty_database_at_once_both_succeed(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    database = postgres.new_database()
    command = ("entrypoints", "db", "upgrade")
    settings: dict[str, Any] = {"DATABASE_URL": database, "DATA_DIR": str(tmp_path / "data")}

    both = [Process(*command, folder=tmp_path, **settings) for _ in range(2)]
    said = [process.ends() for process in both]
    codes = [process.popen.returncode for process in both]
    for process in both:
        process.end()

    assert codes == [0, 0], said
    assert asyncio.run(_differences(database)) == ()


async def _differences(database: str) -> tuple[str, ...]:
    engine = make_engine(database)
    found = await schema.check(engine)
    await engine.dispose()
    return found
