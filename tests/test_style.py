"""The way the code is written, as far as a tool can say it."""

import subprocess
import sys
from asyncio import CancelledError
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]


def _must_be_content(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing_to_say() -> None:
    _must_be_content("ruff", "check", ".")


def test_the_formatter_would_change_nothing() -> None:
    _must_be_content("ruff", "format", "--check", ".")


async def test_what_stops_a_test_stops_it_at_the_value_it_is_at(subtests: pytest.Subtests) -> None:
    for stopping in (CancelledError(), pytest.fail.Exception("Timeout (>1s) from pytest-timeout.")):
        with pytest.raises(type(stopping)), subtests.test(stopping=stopping):
            raise stopping


@pytest.mark.typecheck
def test_the_types_hold() -> None:
    _must_be_content("mypy")
