"""Two replicas as real processes behind a real nginx, on one PostgreSQL and one Redis."""

import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.chaos.people import Registry
from tests.chaos.postgres import PostgresServer
from tests.nginx import free_port, nginx_of
from tests.processes import ROOT, Process, waits_until
from tests.redis_server import RedisServer

APP: Final = Path(__file__).with_name("app.py")
KEY: Final = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"
CACHED: Final = 2
"""SESSION_CACHE_SECONDS, the default."""
SERVICE: Final = ("entrypoints", "serve")
CHANGED: Final = ("tests.chaos.replica",)
"""A replica with a wrong clock, jobs that fail, or a database file that is full."""

SETTINGS: Final = {
    "SECRET_KEY": KEY,
    "TRUSTED_PROXIES": "127.0.0.1",
    "APPS": "chaos_app.py:demo",
    "SESSION_CACHE_SECONDS": str(CACHED),
    # All connections of the suite come from one address.
    "CONNECTIONS_PER_ADDRESS": "400",
    "DRAIN_SECONDS": "5",
    "LOG_LEVEL": "warning",
}

_NGINX: Final = """
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  upstream replicas {{
    {servers}
    keepalive 32;
  }}
  server {{
    listen 127.0.0.1:{port};
    client_header_timeout 20s;
    client_body_timeout 30s;
    send_timeout 60s;
    # As in deploy/nginx.conf: what nginx cannot pass on is not ready.
    error_page 502 504 =503 @unavailable;
    location @unavailable {{
      add_header Retry-After 2 always;
      return 503;
    }}
    location / {{
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_request_buffering off;
      proxy_connect_timeout 3s;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""


class Replica:
    """One process of the service, which can be ended and started again on its port. `code` is the folder of its release."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], code: Path = ROOT) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._code = code
        self._settings: dict[str, Any] = {**settings, "PORT": str(self.port)}
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.popen.poll() is None

    def start(self, *command: str, **settings: str) -> None:
        """Start the process, with other settings if they are named, and wait until it serves."""
        self.begin(*command, **settings)
        self.process.hears("Serving at")
        waits_until(self.is_ready, seconds=20)

    def restart(self, *command: str, **settings: str) -> None:
        """Stop the process with SIGTERM, and start it again."""
        self.process.stops(within=20)
        self.end()
        self.start(*command, **settings)

    def begin(self, *command: str, **settings: str) -> None:
        self._settings |= settings
        arguments = command or SERVICE
        self._process = Process(*arguments, folder=self._folder, code=self._code, **self._settings)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.origin}/readyz", timeout=3).status_code == 200
        except httpx.HTTPError:
            return False

    def ready(self) -> dict[str, object]:
        return dict(httpx.get(f"{self.origin}/readyz", timeout=5).json())

    def sends(self, number: signal.Signals) -> None:
        self.process.popen.send_signal(number)

    def end(self) -> None:
        """Kill the process, frozen or not."""
        if self._process is not None:
            self._process.end()
            self._process = None


@dataclass(frozen=True)
class Cluster:
    url: str
    """The address of nginx, which sends each request to the next replica."""
    replicas: Sequence[Replica]
    registry: Registry

    def start(self, *command: str) -> None:
        """Start all replicas at the same time."""
        with ThreadPoolExecutor(len(self.replicas)) as pool:
            list(pool.map(lambda replica: replica.start(*command), self.replicas))

    def must_be_whole(self) -> None:
        """Start what an earlier fault has left ended, and wait until all replicas are ready."""
        for replica in self.replicas:
            if not replica.is_running:
                replica.start()
            waits_until(replica.is_ready, seconds=20)


@dataclass(frozen=True)
class Whole(Cluster):
    """A cluster with the servers that faults break."""

    postgres: PostgresServer
    redis: RedisServer


@contextmanager
def cluster(folder: Path, postgres: PostgresServer, redis: RedisServer) -> Iterator[Whole]:
    """Prepare two replicas on an empty database. `start()` starts them."""
    servers = {
        "DATABASE_URL": postgres.new_database(),
        "REDIS_URL": redis.url,
        "REPLICA_URL": "http://127.0.0.1:0",
    }
    registry = Registry(servers["DATABASE_URL"], folder / "operator", KEY)
    with _behind_nginx(folder, ["data1", "data2"], servers) as (url, replicas):
        yield Whole(url, replicas, registry, postgres, redis)


@contextmanager
def sqlite_service(folder: Path, data: Path | None = None) -> Iterator[Cluster]:
    """Prepare one process on SQLite. `data` is its data folder."""
    data = data or folder / "data"
    database = f"sqlite:///{data / 'chaos.sqlite3'}"
    registry = Registry(database, folder / "operator", KEY)
    with _behind_nginx(folder, [str(data)], {"DATABASE_URL": database}) as (url, replicas):
        yield Cluster(url, replicas, registry)


@contextmanager
def _behind_nginx(
    folder: Path, data: Sequence[str], more: Mapping[str, str]
) -> Iterator[tuple[str, Sequence[Replica]]]:
    """Prepare a replica for each data folder, and run nginx in front of them."""
    shutil.copy(APP, folder / "chaos_app.py")
    port = free_port()
    settings = {**SETTINGS, **more, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    replicas = [Replica(folder, {**settings, "DATA_DIR": each}) for each in data]
    servers = "\n".join(
        f"server 127.0.0.1:{one.port} max_fails=1 fail_timeout=2s;" for one in replicas
    )
    with ExitStack() as ending:
        for each in replicas:
            ending.callback(each.end)
        ending.enter_context(nginx_of(folder, port, _NGINX.format(servers=servers, port=port)))
        yield settings["PUBLIC_URL"], replicas
