"""The style of the code, as far as tools can check it."""

import subprocess
import sys
from asyncio import CancelledError
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]


def _must_pass(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_no_problem() -> None:
    _must_pass("ruff", "check", ".")


def test_the_formatter_would_change_nothing() -> None:
    _must_pass("ruff", "format", "--check", ".")


async def test_a_stopped_test_does_not_go_on_with_its_next_value(subtests: pytest.Subtests) -> None:
    for stopping in (CancelledError(), pytest.fail.Exception("Timeout (>1s) from pytest-timeout.")):
        with pytest.raises(type(stopping)), subtests.test(stopping=stopping):
            raise stopping


@pytest.mark.typecheck
def test_mypy_finds_no_problem() -> None:
    _must_pass("mypy")
