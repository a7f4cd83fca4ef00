"""Real replicas of one service on one PostgreSQL, and visitors who may use any of them."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.nginx import free_port
from tests.processes import Process
from tests.servers import session_of

JOHN: Final = "john@test.com"
KEY: Final = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"


@contextmanager
def replicas(
    number: int, database: str, folder: Path, app: str, **settings: Any
) -> Iterator[Sequence[str]]:
    """Serve the app by several processes, each with its own data folder. Yield their addresses."""
    (folder / "app.py").write_text(app)
    with ExitStack() as ending:
        origins = []
        for each in range(number):
            port = str(free_port())
            process = Process(
                "entrypoints", "serve", "--port", port, "--sample-users", "--app", "app.py",
                folder=folder, DATABASE_URL=database, SECRET_KEY=KEY, DATA_DIR=f"data{each}",
                **settings,
            )  # fmt: skip
            ending.callback(process.end)
            process.hears("Serving at")
            origins.append(f"http://127.0.0.1:{port}")
        yield origins


class Visitor:
    """A browser with one session, which sends each request to the replica that a test names."""

    def __init__(self, origin: str, path: str, email: str = JOHN) -> None:
        """`path` is the address of the app."""
        self._path = path
        self._cookie = {"cookie": f"gradioapp-session={session_of(origin, email)}"}
        config = self.get(origin, f"{path}/config").json()
        self._numbers = {event["api_name"]: event["id"] for event in config["dependencies"]}

    def get(self, origin: str, path: str) -> httpx.Response:
        return httpx.get(f"{origin}{path}", headers=self._cookie, timeout=20)

    def posts(self, origin: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self._cookie, "origin": origin}
        return httpx.post(f"{origin}{path}", headers=headers, timeout=20, **more)

    def signs_out(self, origin: str) -> None:
        page = self.get(origin, "/logout")
        form = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert form
        token = {"cookie": f"{self._cookie['cookie']}; {_cookies_of(page)}", "origin": origin}
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
        with httpx.stream("GET", f"{origin}{path}", headers=self._cookie, timeout=20) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])


def _cookies_of(page: httpx.Response) -> str:
    return "; ".join(f"{name}={value}" for name, value in page.cookies.items())
