"""`uv run python -m benchmarks.large_files [MEGABYTES]`: print how much the service grows while a large file is uploaded and
downloaded, through its folder, and through an object store by two replicas."""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from tests.nginx import free_port
from tests.object_store import object_store
from tests.processes import Process
from tests.servers import session_of

MB: Final = 1024 * 1024
GOAL: Final = 50
"""Megabytes by which a process may grow."""
APP: Final = """
import gradio as gr

with gr.Blocks(title="Files") as demo:
    gr.File()
"""
API: Final = "/gradio/files/gradio_api"
KEY: Final = "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE"
BOUNDARY: Final = "a-boundary-that-is-nowhere-else"


@dataclass(frozen=True)
class Replica:
    origin: str
    process: Process
    folder: Path


@contextmanager
def replicas(count: int, folder: Path, **settings: Any) -> Iterator[Sequence[Replica]]:
    (folder / "app.py").write_text(APP)
    with ExitStack() as ending:
        found = []
        for number in range(count):
            port = str(free_port())
            process = Process(
                "entrypoints", "serve", "--port", port, "--sample-users", "--app", "app.py",
                folder=folder, DATABASE_URL=f"sqlite:///{folder}/service.sqlite3", SECRET_KEY=KEY,
                DATA_DIR=f"data{number}", UPLOAD_LIMIT_MB="4000", FILES_QUOTA_MB="40000", **settings,
            )  # fmt: skip
            ending.callback(process.end)
            process.hears("Serving at")
            kept = folder / f"data{number}" / "gradio"
            found.append(Replica(f"http://127.0.0.1:{port}", process, kept))
        yield found


class Growth:
    """The growth of a process's resident memory inside the block, by its highest value."""

    def __init__(self, replica: Replica) -> None:
        self._process = replica.process
        self._ends = threading.Event()

    def __enter__(self) -> "Growth":
        self._before = self._highest = self._process.memory()
        self._since = time.monotonic()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._since
        self._ends.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.01):
            self._highest = max(self._highest, self._process.memory())

    @property
    def megabytes(self) -> float:
        return (self._highest - self._before) / MB


def content(size: int) -> Iterator[bytes]:
    chance = Random(size)
    for start in range(0, size, MB):
        yield chance.randbytes(min(MB, size - start))


def form(size: int) -> Iterator[bytes]:
    head = 'content-disposition: form-data; name="files"; filename="large.bin"'
    yield f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode()
    yield from content(size)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(replica: Replica, cookie: str, size: int) -> str:
    headers = {
        "cookie": cookie,
        "origin": replica.origin,
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    answer = httpx.post(
        f"{replica.origin}{API}/upload", content=form(size), headers=headers, timeout=None
    )
    answer.raise_for_status()
    path: str = answer.json()[0]
    return path


def download(replica: Replica, cookie: str, path: str, size: int) -> None:
    """Read the whole file, which must be what was uploaded."""
    wanted, got = sha256(), sha256()
    for part in content(size):
        wanted.update(part)
    address = f"{replica.origin}{API}/file={path}"
    with httpx.stream("GET", address, headers={"cookie": cookie}, timeout=None) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            got.update(part)
    assert got.digest() == wanted.digest()


def measure(name: str, here: Replica, there: Replica, size: int) -> bool:
    """Upload here and download there. Return whether the goal is met."""
    cookie = f"gradioapp-session={session_of(here.origin, 'john@test.com')}"

    def on_there(path: str) -> str:
        return path.replace(str(here.folder), str(there.folder))

    # Buffers and modules that stay are not the file's.
    download(there, cookie, on_there(upload(here, cookie, 20 * MB + 1)), 20 * MB + 1)
    with Growth(here) as up:
        path = upload(here, cookie, size)
    with Growth(there) as down:
        download(there, cookie, on_there(path), size)
    for act, growth in (("up", up), ("down", down)):
        print(
            f"{name:<14}{act:<6}{size // MB:>6} MB  grows by {growth.megabytes:6.1f} MB  in {growth.seconds:5.1f} s"
        )
    return max(up.megabytes, down.megabytes) <= GOAL


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 1024) * MB
    are_met = []
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory() as kept,
        object_store(Path(kept)) as store,
        replicas(2, Path(made), **store.settings) as [one, other],
    ):
        are_met.append(measure("object store", one, other, size))
    with tempfile.TemporaryDirectory() as made, replicas(1, Path(made)) as [one]:
        are_met.append(measure("folder", one, one, size))
    print(f"goal: at most {GOAL} MB: {'met' if all(are_met) else 'missed'}")


if __name__ == "__main__":
    main()
