"""Real processes of the service. Tests can wait for their output."""

import os
import queue
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]


def is_setting(name: str) -> bool:
    return name.startswith("GRADIOAPP_") or name in {"DATABASE_URL", "REDIS_URL", "PORT"}


def _limit_files(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


class Process:
    """A real `gradioapp` or another module. Its output is read as it arrives."""

    def __init__(
        self,
        *command: str,
        folder: Path,
        code: Path = ROOT,
        files: int | None = None,
        **settings: str,
    ) -> None:
        """Start the process. `files` limits its open files; None keeps our own limit."""
        env = {name: value for name, value in os.environ.items() if not is_setting(name)}
        env |= {f"GRADIOAPP_{name}": value for name, value in settings.items()}
        env |= {"PYTHONPATH": str(code), "PYTHONUNBUFFERED": "1"}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=None if files is None else partial(_limit_files, files),
        )
        self.said = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def hears(self, pattern: str, *, within: float = 90) -> re.Match[str]:
        """Return the next line of output that matches. Fails after `within` seconds, or when the process ends."""
        found = self.may_hear(pattern, within=within)
        if found is None:
            pytest.fail(f"{pattern!r} was not said within {within} s, but:\n{self.said}")
        return found

    def may_hear(self, pattern: str, *, within: float) -> re.Match[str] | None:
        until = time.monotonic() + within
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                return None
            self.said += line
            if found := re.search(pattern, line):
                return found

    def says(self) -> str:
        """Return all output until now."""
        with suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                self.said += line
        return self.said

    def ends(self, *, within: float = 90) -> str:
        """Return all output once the process has ended by itself. Raises TimeoutExpired."""
        self.popen.wait(timeout=within)
        self._reader.join(timeout=10)
        return self.says()

    def memory(self) -> int:
        """Return the bytes of its resident memory."""
        pages = Path(f"/proc/{self.popen.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def stops(self, *, within: float) -> float:
        """Ask the process to stop, and return the seconds until it has. Raises TimeoutExpired after
        `within` seconds."""
        asked = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(timeout=within)
        return time.monotonic() - asked

    def end(self) -> None:
        """Kill the process and its children, which share its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(timeout=10)
        self._reader.join(timeout=10)
        assert self.popen.stdout is not None
        self.popen.stdout.close()


def waits_until(is_so: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait until a condition is met, and fail if it is not in time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.02)
