"""Serve with several worker processes: start those anew that have ended, and replace all one by one at SIGHUP."""

import asyncio
import json
import multiprocessing
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any, Final

import structlog
import typer

from application.container import Composition
from application.settings import Settings, pass_on
from domain.errors import StoreUnavailable
from entrypoints.cli.announcement import Announcement
from entrypoints.cli.operating import release
from entrypoints.cli.program import REFUSED, Fault
from entrypoints.cli.worker import LEAVE, LONGEST_END, SERVING, work
from entrypoints.web.logs import configure_logging

HERE: Final = "http://127.0.0.1:0"
"""Where workers listen for each other, if no other machine takes part."""
TRIES: Final = 3
"""Starts that may fail one after the other while no worker serves."""
SETTLED: Final = 5.0
"""Seconds that a worker must have served, so that its end does not count as a failed start."""
PAUSE: Final = 0.5
"""Seconds before the next start after a failed one. Each further failure doubles them."""
LONGEST_PAUSE: Final = 30.0
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks for a worker that has not ended in time, or that may be started."""

log = structlog.get_logger()


def serve_with_workers(
    settings: Settings,
    overrides: Mapping[str, Any],
    listener: socket.socket,
    container: Composition,
) -> None:
    """Serve until a signal ends this process. `overrides` are the options that were typed. Raises Fault."""
    configure_logging(settings)
    typed = {
        **overrides,
        "port": settings.port,
        "apps": json.dumps(settings.apps),
        "replica_url": settings.replica_url or HERE,
    }
    pass_on({name: str(value) for name, value in typed.items() if value != ""})

    async def announce() -> None:
        try:
            await Announcement(settings=settings).make(container.use_cases())
        except StoreUnavailable:
            typer.echo("The database is unavailable.", err=True)
        finally:
            await release(container)

    Supervisor(
        number=settings.workers,
        listener=listener,
        drain=settings.drain_seconds,
        announce=lambda: asyncio.run(announce()),
    ).run()


@dataclass(slots=True, eq=False, kw_only=True)
class Worker:
    process: SpawnProcess
    line: connection.Connection
    replaces: "Worker | None" = None
    """The worker that is asked to end as soon as this one serves."""
    serves_since: float | None = None
    must_end_by: float | None = None
    """None until it is asked to end."""
    fault: Fault | None = None
    """Why it cannot serve."""

    @property
    def is_serving(self) -> bool:
        return self.serves_since is not None and self.must_end_by is None

    @property
    def end(self) -> str:
        """How the process has ended."""
        if self.fault is not None:
            return str(self.fault)
        code = self.process.exitcode
        return f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name


@dataclass(slots=True, kw_only=True)
class Supervisor:
    number: int
    """Workers that serve at a time."""
    listener: socket.socket
    drain: float
    """Seconds that a worker gets for its running events at its end."""
    announce: Callable[[], None]
    """Called once, when all workers serve."""
    _workers: list[Worker] = field(default_factory=list)
    _to_replace: deque[Worker] = field(default_factory=deque)
    """The workers from before a SIGHUP."""
    _is_replacing: bool = False
    _has_served: bool = False
    _is_announced: bool = False
    _failures: int = 0
    """Starts that have failed one after the other."""
    _not_before: float = 0.0
    """When the next worker may be started."""
    _stopped_by: signal.Signals | None = None
    _has_terminal: bool = field(default_factory=lambda: _is_at_a_terminal())

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, and end by this signal like a single process. Raises Fault if no worker can
        serve."""
        # It unblocks signals that it has blocked, so it must not do that between our own lines.
        resource_tracker.ensure_running()
        with _signals() as arriving:
            try:
                while self._stopped_by is None or self._workers:
                    if self._stopped_by is None:
                        self._start_missing()
                        self._replace_next()
                    self._kill_overdue()
                    self._wait(arriving)
            finally:
                for worker in self._workers:
                    worker.process.kill()
                    worker.process.join()
        signal.raise_signal(self._stopped_by)

    def _start_missing(self) -> None:
        staying = [w for w in self._workers if w.must_end_by is None and w.replaces is None]
        # The first one prepares what all need, such as the outputs of examples, and its fault is told once.
        wanted = self.number if self._has_served else 1
        if time.monotonic() >= self._not_before:
            for _ in range(wanted - len(staying)):
                self._start()
        if not self._is_announced and sum(w.is_serving for w in staying) == self.number:
            self._is_announced = True
            self.announce()

    def _start(self, replaces: Worker | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=work, args=(self.listener, theirs))
        # A worker leaves our process group as its first act. Until then, Ctrl+C would end it with a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()
        self._workers.append(Worker(process=process, line=ours, replaces=replaces))

    def _replace_next(self) -> None:
        """Start the worker that replaces the next one, when the last one has been replaced."""
        is_busy = any(w.must_end_by is not None or not w.is_serving for w in self._workers)
        if self._to_replace and not is_busy:
            old = self._to_replace.popleft()
            if old in self._workers:
                self._start(replaces=old)
        elif self._is_replacing and not is_busy:
            self._is_replacing = False
            log.info("all workers are replaced")

    def _wait(self, arriving: socket.socket) -> None:
        sentinels = {worker.process.sentinel: worker for worker in self._workers}
        lines = {worker.line: worker for worker in self._workers if not worker.line.closed}
        ready = connection.wait([arriving, *lines, *sentinels], _LOOK_EVERY)
        for line, worker in lines.items():
            if line in ready:
                self._hear(worker)
        for sentinel, worker in sentinels.items():
            if sentinel in ready:
                self._bury(worker)
        if arriving in ready:
            for number in arriving.recv(100):
                self._obey(signal.Signals(number))

    def _hear(self, worker: Worker) -> None:
        try:
            said = worker.line.recv()
        except (EOFError, OSError):
            worker.line.close()
            return
        if isinstance(said, Fault):
            worker.fault = said
        elif said == SERVING:
            worker.serves_since = time.monotonic()
            self._has_served = True
            log.info("a worker serves", process=worker.process.pid)
            if worker.replaces is not None:
                self._ask_to_leave(worker.replaces)
                worker.replaces = None

    def _ask_to_leave(self, worker: Worker) -> None:
        worker.must_end_by = time.monotonic() + self.drain + LONGEST_END
        with suppress(OSError):  # It has just ended.
            worker.line.send(LEAVE)

    def _bury(self, worker: Worker) -> None:
        """Take a worker that has ended off the list, and decide when another one starts. Raises Fault."""
        worker.process.join()
        worker.line.close()
        self._workers.remove(worker)
        for other in self._workers:
            if other.replaces is worker:
                other.replaces = None
        if self._stopped_by is not None or worker.must_end_by is not None:
            return
        if worker.replaces is not None:
            self._to_replace.clear()
            self._is_replacing = False
            log.error("a new worker has ended at its start: the others stay", why=worker.end)
            return
        log.error("a worker has ended", process=worker.process.pid, why=worker.end)
        now = time.monotonic()
        if worker.serves_since is not None and now - worker.serves_since >= SETTLED:
            self._failures = 0
            return
        self._failures += 1
        self._not_before = now + min(LONGEST_PAUSE, PAUSE * 2 ** (self._failures - 1))
        self._must_have_hope(worker)

    def _must_have_hope(self, last: Worker) -> None:
        """Raises Fault if a further start is of no use."""
        if last.fault is not None and not self._has_served:
            raise last.fault
        if self._failures >= TRIES and not any(worker.is_serving for worker in self._workers):
            raise Fault(
                f"No worker stays: {self._failures} have ended at their start, the last one with {last.end}. "
                "Type: gradioapp check",
                code=REFUSED,
            )

    def _obey(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP and not (self._has_terminal and not _is_at_a_terminal()):
            self._to_replace = deque(w for w in self._workers if w.must_end_by is None)
            self._is_replacing = True
            log.info("the workers are replaced one by one", workers=len(self._to_replace))
            return
        if number is signal.SIGHUP:  # The terminal has been closed.
            number = signal.SIGTERM
        self._stopped_by = self._stopped_by or number
        patience = LONGEST_END + (self.drain if number is signal.SIGTERM else 0)
        for worker in self._workers:
            worker.must_end_by = time.monotonic() + patience
            if worker.process.pid is not None and worker.process.is_alive():
                os.kill(worker.process.pid, number)

    def _kill_overdue(self) -> None:
        for worker in self._workers:
            if worker.must_end_by is not None and worker.must_end_by < time.monotonic():
                log.warning("a worker has not ended, and is killed", process=worker.process.pid)
                worker.process.kill()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket on which the number of each signal arrives as one byte."""
    arriving, written = socket.socketpair()
    with arriving, written:
        written.setblocking(False)  # noqa: FBT003 -- Its only argument.
        former = signal.set_wakeup_fd(written.fileno())
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        try:
            yield arriving
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(former)


def _is_at_a_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return False
    return True
