"""Run an author's file as `python FILE.py` does, in a thread of its own."""

import asyncio
import os
from collections.abc import Callable
from contextvars import copy_context
from threading import Event, Thread, current_thread, main_thread
from threading import enumerate as all_threads
from time import sleep
from types import ModuleType
from typing import Final

import structlog
from gradio.context import Context

from entrypoints.ui.apps.launches import Host, Launches, finish
from entrypoints.ui.apps.threads import loop_in, raise_in

log = structlog.get_logger()

PATIENCE: Final = 3.0
"""Seconds that a file may run on after its last launch, if that does not block. Then its apps are served while it runs."""
SILENCE: Final = 10.0
"""Seconds after which a file that has launched nothing is named in the log."""
GRACE: Final = 2.0
"""Seconds that a file gets to clean up when the service ends."""
_LOOK: Final = 0.1
"""Seconds between two looks where there is no event to wait for."""


def _end_loop(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if not tasks:
        loop.stop()


class FileRun(Launches):
    """The run of an author's file. Where a launch blocks, the file waits until the service ends: what it has opened in a
    `with` block stays open for its callbacks. No other thread could wait there, since the caller goes on to serve."""

    def __init__(
        self, name: str, host: Host, module: ModuleType, body: Callable[[], object]
    ) -> None:
        super().__init__(name, host)
        self.module = module
        self.fault: BaseException | None = None
        """What the file has raised, except an exit with code 0."""
        self.has_ended = False
        self.is_waiting = False
        self._body = body
        self._process = os.getpid()
        self._settled = Event()
        """Set when the file waits or has ended."""
        self._next = Event()
        """Set when the waiting file may go on."""
        self._over = Event()
        """Set when the service ends."""
        # The context tells that no caller is known while apps are built.
        self.thread = Thread(target=copy_context().run, args=(self._run,), name=name, daemon=True)

    def until_served(self, has_all: Callable[[], bool]) -> None:
        """Run the file until it waits in a launch and `has_all` is true, or until it ends. A file that runs on after a
        launch is left running."""
        before = {*all_threads(), self.thread}
        self.thread.start()
        self._until_settled()
        while self.is_waiting and not has_all():
            self.is_waiting = False
            self._settled.clear()
            self._next.set()
            self._until_settled()
        if self.has_ended:
            self._until_others_launch(before)
        self.is_served = True

    def let_end(self) -> None:
        """Raise SystemExit where the file waits or runs, so that it cleans up, and cancel the tasks of its event loop.
        Return when it has ended, or after GRACE."""
        self._over.set()
        self._next.set()
        if self.has_ended or self.thread.ident is None or self.thread is current_thread():
            return
        if not self.is_waiting:
            loop = loop_in(self.thread)
            if loop is None:
                raise_in(self.thread, SystemExit)
            else:
                loop.call_soon_threadsafe(_end_loop, loop)
        self.thread.join(GRACE)

    def runs_here(self) -> bool:
        return current_thread() is self.thread

    def interrupt(self, error: type[BaseException]) -> bool:
        runs = not (self.is_waiting or self.has_ended)
        if runs:
            raise_in(self.thread, error)
        return runs

    def wait(self) -> None:
        """Raises SystemExit in the file itself when the service ends. Once the apps are served, no other thread waits: a
        callback may launch, and it runs in a thread of the service."""
        self._must_be_served()
        self._must_not_be_over()
        if self.runs_here():
            self._settle()
            self._next.wait()
            self._must_not_be_over()
        elif not self.is_served:
            # Python waits for other threads before it exits.
            while not self._over.wait(_LOOK) and main_thread().is_alive():
                pass

    async def wait_in_loop(self) -> None:
        """Raises SystemExit when the service ends."""
        self._must_be_served()
        awaited = self._over
        if self.runs_here():
            awaited = self._next
            self._settle()
        while not awaited.is_set():  # noqa: ASYNC110 -- It is set in another thread.
            await asyncio.sleep(_LOOK)
        self._must_not_be_over()

    def _settle(self) -> None:
        for app in self.apps:
            finish(app)
        self._next.clear()
        self.is_waiting = True
        self._settled.set()

    def _must_be_served(self) -> None:
        """Raises SystemExit in a forked process."""
        if os.getpid() != self._process:
            raise SystemExit("An app that is launched in a process of its own is not served.")

    def _must_not_be_over(self) -> None:
        if self._over.is_set():
            raise SystemExit

    def _until_settled(self) -> None:
        launched, looks = 0, 0
        while not self._settled.wait(_LOOK):
            looks = looks + 1 if len(self.apps) == launched else 0
            launched = len(self.apps)
            if looks == round(SILENCE / _LOOK) and not launched:
                log.warning(
                    f"{self.name} still runs and has launched nothing; its launch is awaited"
                )
            is_quiet = launched > 0 and looks * _LOOK >= PATIENCE
            if is_quiet and Context.root_block is None:  # No app is half-built.
                return

    def _until_others_launch(self, before: set[Thread]) -> None:
        """Wait for the threads that the file has started: one of them may launch."""
        for _ in range(round(PATIENCE / _LOOK)):
            if self.apps or before.issuperset(all_threads()):
                return
            sleep(_LOOK)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)  # Python makes one for its main thread.
        try:
            self._body()
        except SystemExit as end:
            self.fault = None if end.code in (None, 0) else end
        except asyncio.CancelledError as error:
            self.fault = None if self._over.is_set() else error
        except BaseException as error:
            self.fault = error
            if self.is_served:
                log.exception("the file of an app failed after its launch", file=self.thread.name)
        finally:
            asyncio.set_event_loop(None)
            loop.close()
            self.is_waiting = False
            self.has_ended = True
            self._settled.set()
