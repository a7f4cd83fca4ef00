"""One cluster for all faults after which it is whole again, and the table of the suite."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.cluster import Cluster, Whole, cluster
from tests.chaos.faults import AN_OUTAGE
from tests.chaos.postgres import PostgresServer, postgres_server
from tests.chaos.table import Row, lines_of
from tests.chaos.watch import Watch, somebody_signs_out, watching
from tests.chaos.writers import KINDS
from tests.redis_server import RedisServer, redis_server

ROWS: Final = pytest.StashKey[list[Row]]()
_UNAVAILABLE: Final[frozenset[int]] = frozenset({503})

Survives = Callable[..., Row]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--outage",
        type=float,
        default=AN_OUTAGE,
        help="Seconds that PostgreSQL is gone or frozen in the chaos suite.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.chaos)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if rows := config.stash[ROWS]:
        terminalreporter.section("chaos")
        for line in lines_of(rows):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, redis: RedisServer
) -> Iterator[Whole]:
    with cluster(tmp_path_factory.mktemp("cluster"), postgres, redis) as made:
        made.start()
        yield made


@pytest.fixture
def whole_cluster(shared_cluster: Whole) -> Whole:
    shared_cluster.must_be_whole()
    return shared_cluster


@pytest.fixture
def survives(request: pytest.FixtureRequest) -> Survives:
    """Watch the cluster through the fault, add its row to the table, and fail unless each zero is a zero."""

    def survives(
        fault: str,
        on: Cluster,
        begin: Callable[[Watch], AbstractContextManager[None]],
        *,
        lasts: float = 0,
        events: Sequence[str] = KINDS,
        may_answer: frozenset[int] = _UNAVAILABLE,
    ) -> Row:
        origins = [replica.origin for replica in on.replicas]
        with watching(on.url, origins, on.registry, events) as watch:
            with begin(watch), somebody_signs_out(watch):
                time.sleep(lasts)
            watch.recovers()
        row = watch.row(fault, may_answer=may_answer)
        request.config.stash[ROWS].append(row)
        zeros = (row.lost, row.half_made, row.let_in, row.other_5xx)
        assert zeros == (0, 0, 0, 0), "\n".join(watch.faults)
        assert row.acknowledged > 0
        return row

    return survives
