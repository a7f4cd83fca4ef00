"""Folders to run commands in, in this process and as real ones."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from entrypoints.cli import app
from tests.processes import Process, is_setting

Gradioapp = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty, with nothing set in the environment."""
    for name in filter(is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gradioapp(folder: Path) -> Gradioapp:
    """Runs a command as it is typed; `stdin` is what is piped into it."""
    runner = CliRunner()

    def run(typed: str = "", *, stdin: str | None = None, **settings: str) -> Result:
        env = {f"GRADIOAPP_{name}": value for name, value in settings.items()}
        return runner.invoke(app, typed.split(), input=stdin, env=env)

    return run


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Process]]:
    """Starts processes in the folder; none outlives the test."""
    started: list[Process] = []

    def run(*command: str, **more: Any) -> Process:
        started.append(Process(*command, folder=folder, **more))
        return started[-1]

    yield run
    for process in started:
        process.end()
