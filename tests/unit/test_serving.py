"""The count of processes that serve one SQLite file: each counts only while it serves."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from adapters.system.serving import CannotBeCounted, place_beside, places_taken_beside
from tests.processes import ROOT

_IMPORTS: Final = """
import sys
from pathlib import Path
from adapters.system.serving import *
file = Path(sys.argv[1])
"""
COUNT: Final = f"{_IMPORTS}print(places_taken_beside(file))"
COME_AND_GO: Final = f"""{_IMPORTS}
most = 0
for _ in range(300):
    with place_beside(file) as others:
        most = max(most, others)
    most = max(most, places_taken_beside(file))
print(most)
"""


def begun(code: str, file: Path) -> subprocess.Popen[str]:
    """Start another process: a lock belongs to a process, which does not see its own lock."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def says(process: subprocess.Popen[str]) -> int:
    said, _ = process.communicate(timeout=60)
    return int(said)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.sqlite3"


def test_a_process_is_counted_by_others_until_it_stops_serving(file: Path) -> None:
    with place_beside(file) as others:
        during = says(begun(COUNT, file))
    after = says(begun(COUNT, file))

    assert (others, during, after) == (0, 1, 0)


def test_counting_returns_zero_and_makes_no_file_if_no_process_has_served(file: Path) -> None:
    assert places_taken_beside(file) == 0
    assert list(file.parent.iterdir()) == []


def test_two_processes_that_count_concurrently_each_count_one_other(file: Path) -> None:
    both = [begun(COME_AND_GO, file) for _ in range(2)]

    assert max(map(says, both)) <= 1


def test_a_lock_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder-serving").mkdir()

    for name in ("nothing/app.sqlite3", "file/app.sqlite3", "folder"):
        with pytest.raises(CannotBeCounted), place_beside(tmp_path / name):
            pass
    for name in ("file/app.sqlite3", "folder"):
        with pytest.raises(CannotBeCounted):
            places_taken_beside(tmp_path / name)


def test_counting_waits_at_most_one_second_for_another_process_that_counts(file: Path) -> None:
    hold = f"{_IMPORTS}import fcntl; held = open(f'{{file}}-serving', 'w')\n"
    hold += "fcntl.lockf(held, fcntl.LOCK_EX, 1, 0); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()

        with pytest.raises(CannotBeCounted):
            places_taken_beside(file)
