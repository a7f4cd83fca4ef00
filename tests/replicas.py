"""Real replicas of one service on one PostgreSQL, and visitors who may use any of them."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.nginx import free_port, nginx_of
from tests.processes import Process
from tests.servers import session_of

JOHN: Final = "john@test.com"
_BALANCER: Final = """
worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  upstream replicas {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    {location}
  }}
}}
"""
KEY: Final = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"


@contextmanager
def replicas(
    number: int, database: str, folder: Path, app: str, **settings: Any
) -> Iterator[Sequence[str]]:
    """Serve the app by several processes, each with its own data folder. Yield their addresses."""
    (folder / "app.py").write_text(app)
    with started(number, database, folder, "--app", "app.py", **settings) as running:
        yield [replica.origin for replica in running]


@dataclass(frozen=True, slots=True)
class Replica:
    origin: str
    process: Process


@contextmanager
def started(
    number: int, database: str, folder: Path, *options: str, **settings: Any
) -> Iterator[Sequence[Replica]]:
    """Start processes with these options of `gradioapp serve`."""
    with ExitStack() as ending:
        running = []
        for each in range(number):
            port = str(free_port())
            process = Process(
                "entrypoints", "serve", "--port", port, "--sample-users", *options,
                folder=folder, **{
                    "DATABASE_URL": database, "SECRET_KEY": KEY, "DATA_DIR": f"data{each}", **settings
                },
            )  # fmt: skip
            ending.callback(process.end)
            process.hears("Serving at")
            running.append(Replica(f"http://127.0.0.1:{port}", process))
        yield running


@dataclass(frozen=True, slots=True)
class Site:
    origin: str
    """The address of the balancer."""
    replicas: Sequence[Replica]


@contextmanager
def round_robin(
    number: int, database: str, folder: Path, *options: str, **more: Any
) -> Iterator[Site]:
    """Start replicas behind an nginx that sends each request to the next one, whoever it comes from."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    settings = {
        "REPLICA_URL": "http://127.0.0.1:0",
        "PUBLIC_URL": origin,
        "TRUSTED_PROXIES": "127.0.0.1",
        "DATA_DIR": "gradioapp-data",
        **more,
    }
    with started(number, database, folder, *options, **settings) as running:
        servers = " ".join(f"server {urlsplit(replica.origin).netloc};" for replica in running)
        location = "location / { proxy_pass http://replicas; proxy_request_buffering off; client_max_body_size 0; }"
        configuration = _BALANCER.format(servers=servers, port=port, location=location)
        with nginx_of(folder, port, configuration):
            yield Site(origin, running)


class Visitor:
    """A browser with one session, which sends each request to the replica that a test names."""

    def __init__(self, origin: str, path: str, email: str = JOHN) -> None:
        """`path` is the address of the app."""
        self._path = path
        self.cookie = {"cookie": f"gradioapp-session={session_of(origin, email)}"}
        config = self.get(origin, f"{path}/config").json()
        self._numbers = {event["api_name"]: event["id"] for event in config["dependencies"]}

    def get(self, origin: str, path: str) -> httpx.Response:
        return httpx.get(f"{origin}{path}", headers=self.cookie, timeout=20)

    def posts(self, origin: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.cookie, "origin": origin}
        return httpx.post(f"{origin}{path}", headers=headers, timeout=20, **more)

    def signs_out(self, origin: str) -> None:
        page = self.get(origin, "/logout")
        form = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert form
        token = {"cookie": f"{self.cookie['cookie']}; {_cookies_of(page)}", "origin": origin}
        data = {"csrf_token": form[1]}
        answer = httpx.post(f"{origin}/logout", headers=token, data=data, timeout=20)
        assert answer.status_code == 303, answer.text

    def runs(self, origin: str, name: str, *data: Any) -> Any:
        """Run the event in a new tab, and return its first output."""
        tab = f"t{time.monotonic_ns()}"
        queue = f"{self._path}/gradio_api/queue"
        body = {"data": data, "fn_index": self._numbers[name], "session_hash": tab}
        self.posts(origin, f"{queue}/join", json=body).raise_for_status()
        for message in self.hears(origin, f"{queue}/data?session_hash={tab}"):
            if message["msg"] == "process_completed":
                assert message["success"], message
                return message["output"]["data"][0]
        pytest.fail(f"{name} did not end")

    def hears(self, origin: str, path: str) -> Iterator[dict[str, Any]]:
        """Yield the messages of a stream until it ends."""
        with httpx.stream("GET", f"{origin}{path}", headers=self.cookie, timeout=20) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])


def _cookies_of(page: httpx.Response) -> str:
    return "; ".join(f"{name}={value}" for name, value in page.cookies.items())
