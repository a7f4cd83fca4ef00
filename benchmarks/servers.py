"""Start the servers and sign in to ours."""

import asyncio
import logging
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
import structlog

from application.container import build
from application.running import running
from application.settings import load
from domain.model.caller import Caller

PASSWORD = "correct horse"
ROOT = Path(__file__).parents[1]


def emails(count: int) -> list[str]:
    return [f"user{number}@example.org" for number in range(count)]


def log_warnings_only() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def add_accounts(folder: Path, count: int, **settings: Any) -> None:
    log_warnings_only()

    async def add() -> None:
        container = build(load(env_file=None, data_dir=folder, **settings))
        async with running(container):
            for email in emails(count):
                await container.use_cases().create_user(
                    Caller.operator(), email=email, password=PASSWORD
                )

    asyncio.run(add())


def copy_of_gradio(packages: Path) -> Path:
    """Copy Gradio into a packages folder, so that the age of its files can be changed without affecting the installed
    ones."""
    import gradio  # Here, because it takes seconds.

    copied = packages / "gradio"
    shutil.copytree(Path(gradio.__file__).parent, copied)
    return copied


def install(copied: Path, *, seconds_ago: float) -> None:
    """Set the age of the assets. Without caching headers a browser reuses a file for a tenth of its age (RFC 9111,
    4.2.2), and an installation makes every file as new as its unpacking."""
    then = time.time() - seconds_ago
    for file in (copied / "templates").rglob("*"):
        os.utime(file, (then, then))


@dataclass(frozen=True)
class Running:
    address: str
    pid: int


@contextmanager
def served(which: Literal["bare", "ours"], folder: Path, *, packages: Path) -> Iterator[str]:
    """Yield the address of a server that ends with the block; `packages` go before the installed ones."""
    with process_of(which, folder, packages=packages) as process:
        yield process.address


@contextmanager
def running_at(
    which: Literal["bare", "auth", "ours", "redis"], folder: Path | None = None, **settings: str
) -> Iterator[str]:
    """Yield the address of a server that ends with the block."""
    if which != "redis":
        with process_of(which, folder, packages=None, **settings) as process:
            yield process.address
        return
    port = _free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
    process_of_redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process_of_redis.terminate()
        process_of_redis.wait(timeout=15)


@contextmanager
def process_of(
    which: Literal["bare", "auth", "ours"],
    folder: Path | None = None,
    *,
    packages: Path | None = None,
    **settings: str,
) -> Iterator[Running]:
    """Run a server that ends with the block."""
    port = _free_port()
    quiet = ("--no-access-log", "--log-level", "warning")
    factory = ("uvicorn", f"benchmarks.apps:{which}", "--factory", *quiet)
    serve = ("entrypoints", "serve", "--app", "benchmarks.apps:demo")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(place) for place in (packages, ROOT) if place),
        "GRADIOAPP_DATA_DIR": str(folder),
        "GRADIOAPP_LOG_LEVEL": "warning",
        "GRADIO_ANALYTICS_ENABLED": "False",
        **{f"GRADIOAPP_{name}": value for name, value in settings.items()},
    }
    address = f"http://127.0.0.1:{port}"
    command = serve if which == "ours" else factory
    with _running((*command, "--port", port), env) as process:
        _wait_for(address)
        yield Running(address, process.pid)


@contextmanager
def abused(folder: Path, *, files: int, **settings: str) -> Iterator[Running]:
    """Run the service with the app of `benchmarks.abused` in a process that may open `files` files."""
    port = _free_port()
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "GRADIOAPP_DATA_DIR": str(folder),
        **{f"GRADIOAPP_{name}": value for name, value in settings.items()},
    }
    command = ("entrypoints", "serve", "--app", "benchmarks.abused:demo", "--port", port)
    with _running(command, env, files=files) as process:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        yield Running(address, process.pid)


@contextmanager
def with_workers(number: int, folder: Path, database: str) -> Iterator[str]:
    """Yield the address of a service with the app of `benchmarks.busy`, as soon as all its workers serve."""
    port = _free_port()
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "GRADIOAPP_DATA_DIR": str(folder),
        "GRADIOAPP_DATABASE_URL": database,
        "GRADIOAPP_LOG_LEVEL": "warning",
    }
    command = ("entrypoints", "serve", "--app", "benchmarks.busy:demo", "--port", port)
    said = folder / "said"
    with (
        said.open("wb") as output,
        _running((*command, "--workers", str(number)), env, output=output.fileno()),
    ):
        for _ in range(1200):
            if "Serving at" in said.read_text():
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def _running(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    files: int | None = None,
    output: int = subprocess.DEVNULL,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that ends with the block. Its working directory is empty, because apps must not show a folder that
    contains the service's own files."""
    with TemporaryDirectory() as cwd, _started(command, cwd, env, files, output) as process:
        yield process


@contextmanager
def _started(
    command: Sequence[str], cwd: str, env: Mapping[str, str], files: int | None, output: int
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=env,
        cwd=cwd,
        stdout=output,
        preexec_fn=None if files is None else partial(_limit_files, files),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _limit_files(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{address} did not start")


def client(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, headers={"Origin": address}, timeout=30)


def form_token(browser: httpx.Client) -> str:
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert token is not None
    return token[1]


def sign_in(browser: httpx.Client, email: str) -> None:
    form = {"username": email, "password": PASSWORD, "csrf_token": form_token(browser), "next": ""}
    response = browser.post("/login", data=form)
    assert response.status_code == 303, response.text
