"""Fixtures that run commands in a folder, in this process or in real ones."""

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
    """Change to an empty folder, and remove our settings from the environment."""
    for name in filter(is_setting, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gradioapp(folder: Path) -> Gradioapp:
    """Run a command as it is typed; `stdin` is piped into it."""
    runner = CliRunner()

    def run(typed: str = "", *, stdin: str | None = None, **settings: str) -> Result:
        env = {f"GRADIOAPP_{name}": value for name, value in settings.items()}
        return runner.invoke(app, typed.split(), input=stdin, env=env)

    return run


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Process]]:
    """Start processes in the folder, and end them after the test."""
    started: list[Process] = []

    def run(*command: str, **more: Any) -> Process:
        started.append(Process(*command, folder=folder, **more))
        return started[-1]

    yield run
    for process in started:
        process.end()
