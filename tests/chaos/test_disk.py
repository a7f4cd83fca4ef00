"""A full disk, under the SQLite database and under the files."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.chaos.cluster import CHANGED, sqlite_service
from tests.chaos.conftest import Survives
from tests.chaos.people import Headers

DISK_FULL: Final = frozenset({503, 507})
"""What the service may respond: 507 says that the disk is full."""
UPLOAD: Final = 300_000
"""Bytes."""
UPLOADS: Final = "/gradio/chaos/gradio_api/upload"
FILES: Final = "/gradio/chaos/gradio_api/file="


# The database


@contextmanager
def full_database(file: Path) -> Iterator[None]:
    file.touch()
    try:
        yield
    finally:
        file.unlink()


def test_a_full_disk_under_the_database_loses_no_write(tmp_path: Path, survives: Survives) -> None:
    file = tmp_path / "full"
    with sqlite_service(tmp_path) as made:
        made.start(*CHANGED, "--full", str(file))
        row = survives("disk full under SQLite", made, lambda _: full_database(file), lasts=6)

    assert row.refused > 0


# The files


class Uploader(threading.Thread):
    """Uploads a file after the other, and keeps what was acknowledged."""

    def __init__(self, url: str, session: Headers) -> None:
        super().__init__()
        self.over = threading.Event()
        self.acknowledged: dict[str, bytes] = {}
        """The content by the path that the service has returned."""
        self.statuses: list[int] = []
        self._http = httpx.Client(base_url=url, headers={**session, "origin": url}, timeout=12)

    def run(self) -> None:
        number = 0
        while not self.over.wait(0.2):
            number += 1
            content = f"{number:06}".encode() * (UPLOAD // 6)
            with suppress(httpx.HTTPError):
                answer = self._http.post(UPLOADS, files={"files": (f"{number}.txt", content)})
                self.statuses.append(answer.status_code)
                if answer.status_code == 200:
                    self.acknowledged[answer.json()[0]] = content

    def close(self) -> None:
        self._http.close()

    def lost(self) -> list[str]:
        """Return the paths that cannot be read back whole."""
        return [
            path
            for path, content in self.acknowledged.items()
            if self._http.get(f"{FILES}{path}").content != content
        ]


@contextmanager
def full_disk(disk: Path) -> Iterator[None]:
    """Fill the disk to the last byte, again and again, so that nothing that is freed helps."""
    ballast = disk / "ballast"
    over = threading.Event()

    def fill() -> None:
        while not over.is_set():
            with suppress(OSError), ballast.open("ab", buffering=0) as file:
                while not over.is_set():
                    file.write(bytes(4096))
            time.sleep(0.05)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("Only root may mount a small disk.")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_under_files_and_database_loses_no_write_and_keeps_no_half_of_a_file(
    tmp_path: Path, small_disk: Path, survives: Survives
) -> None:
    with sqlite_service(tmp_path, data=small_disk / "data") as made:
        made.start()
        [session] = made.registry.sessions(made.registry.accounts(1))
        uploader = Uploader(made.url, session)
        uploader.start()
        try:
            row = survives(
                "disk full under the files",
                made,
                lambda _: full_disk(small_disk),
                lasts=6,
                may_answer=DISK_FULL,
            )
        finally:
            uploader.over.set()
            uploader.join()
        lost, kept = uploader.lost(), _files_in(small_disk / "data" / "gradio")
        uploader.close()

    whole = {sha256(content).digest() for content in uploader.acknowledged.values()}
    assert row.refused > 0
    assert uploader.acknowledged
    assert set(uploader.statuses) <= {200, *DISK_FULL}
    assert 507 in uploader.statuses
    assert lost == []
    assert [path for path, content in kept if sha256(content).digest() not in whole] == []


def _files_in(folder: Path) -> list[tuple[Path, bytes]]:
    return [(path, path.read_bytes()) for path in folder.rglob("*.txt") if path.is_file()]
