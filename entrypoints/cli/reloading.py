"""Serve while files change: start a new worker after each change, and show what is broken until it is mended."""

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import typer
import uvicorn
from uvicorn._subprocess import get_subprocess
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors.basereload import BaseReload

from application.container import Composition, build
from application.settings import Settings, load, pass_on
from entrypoints import ui, web
from entrypoints.app import create_app
from entrypoints.cli.announcement import Announcement
from entrypoints.cli.broken import BrokenService
from entrypoints.cli.server import Server, configured
from entrypoints.cli.startup import Startup

Target = Callable[[list[socket.socket] | None], None]
"""Serves in a worker."""

_LONGEST_END: Final = 15.0
"""Seconds that a worker gets to end. It needs at most 14 of them, see `cli/server.py`."""
_OURS: Final = ("domain", "application", "adapters", "entrypoints", "migrations")
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders in which nobody changes a file of an app."""

log = structlog.get_logger()


def serve_reloading(
    settings: Settings, overrides: Mapping[str, Any], listener: socket.socket
) -> None:
    """Serve with a worker process until the command is stopped. `overrides` are the options that were typed."""
    typed = {**overrides, "port": settings.port, "apps": json.dumps(settings.apps)}
    pass_on({name: str(value) for name, value in typed.items() if value != ""})
    config = configured(f"{__name__}:service_or_fault", factory=True)
    # The workers share this event, so that one of them prints the setup link once.
    announcement = Announcement(
        settings=settings, is_made=multiprocessing.get_context("spawn").Event()
    )
    root = Path(__file__).parents[2]
    folders = [*(root / folder for folder in _OURS), *ui.folders_of(settings.apps)]
    target = Server(config, announcement).run
    showing = partial(_showing_end, announcement)
    Reloader(config, target, [listener], folders=folders, showing=showing).run()


def _showing_end(announcement: Announcement, fault: str) -> tuple[uvicorn.Config, Target]:
    """Return what a worker serves after the last one has ended. Both are sent to a child process."""
    config = configured(partial(ended_service, fault), factory=True)
    return config, Server(config, announcement).run


def service_or_fault() -> Startup | BrokenService:
    """Build the service in the worker. If that fails, or its startup, serve one that shows the reason."""
    settings = load()
    web.configure_logging(settings)
    container = build(settings)
    try:
        with _ended_by_signals():
            return Startup(create_app(container), instead=partial(_showing, container))
    except ui.PageRefused as refused:
        fault = str(refused)
    except Exception as error:
        log.exception("the service cannot be built")
        fault = f"{type(error).__name__}: {error}"
    return _showing(container, fault)


def _showing(container: Composition, fault: str) -> BrokenService:
    typer.echo(fault, err=True)
    return BrokenService(container, fault)


def ended_service(fault: str) -> BrokenService:
    """Build, in a worker of its own, the service that says how the last worker has ended."""
    settings = load()
    web.configure_logging(settings)
    return _showing(build(settings), fault)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the worker at once inside the block. uvicorn's handlers only ask it to end later, which
    a worker that runs a blocking file of an app never does."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in HANDLED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Reloader(BaseReload):
    """Starts a new worker when a Python file is changed, made or removed, also while the last one was starting."""

    def __init__(
        self,
        config: uvicorn.Config,
        *arguments: Any,
        folders: Sequence[Path],
        showing: Callable[[str], tuple[uvicorn.Config, Target]],
    ) -> None:
        """`showing` takes a fault and returns the configuration and the target of a worker that shows it."""
        super().__init__(config, *arguments)
        self.reloader_name = "gradioapp"
        self._folders = folders
        self._showing = showing
        self._shows_end = False
        self._seen: Mapping[Path, tuple[int, int]] = dict(_versions(folders))

    def restart(self) -> None:
        self._end_worker()
        self._shows_end = False
        super().restart()

    def shutdown(self) -> None:
        self._end_worker()
        super().shutdown()

    def _end_worker(self) -> None:
        """End the worker, so that uvicorn, which waits without a limit, finds it ended."""
        self.process.terminate()
        self.process.join(_LONGEST_END)
        if self.process.is_alive():
            log.warning("a worker has not ended, and is killed", seconds=_LONGEST_END)
            self.process.kill()
            self.process.join()

    def _show_end(self) -> None:
        """Start a worker that says how the last one has ended. Otherwise every request would wait for a change."""
        self._shows_end = True
        code = self.process.exitcode
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        config, target = self._showing(
            f"The process of the apps has ended with {how}, as after os._exit(). It starts again when a file changes."
        )
        self.process = get_subprocess(config=config, target=target, sockets=self.sockets)
        self.process.start()

    def should_restart(self) -> list[Path] | None:
        self.pause()
        if not self._shows_end and not self.process.is_alive():
            self._show_end()
        now = dict(_versions(self._folders))
        changed = [path for path in {**self._seen, **now} if self._seen.get(path) != now.get(path)]
        self._seen = now
        return changed or None


def _versions(folders: Sequence[Path]) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield each Python file with the time of its last change and its size."""
    for folder in folders:
        for where, below, names in os.walk(folder):
            below[:] = [name for name in below if name not in _SKIPPED and name[0] != "."]
            for path in (Path(where, name) for name in names if name.endswith(".py")):
                try:
                    status = path.stat()
                except OSError:  # It was removed meanwhile.
                    continue
                yield path, (status.st_mtime_ns, status.st_size)
