"""Record what an author's file launches, mounts and serves, instead of starting a server."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from threading import current_thread, main_thread
from types import ModuleType
from typing import Any, Final

import gradio as gr
import structlog
from fastapi import FastAPI
from gradio import routes
from gradio.route_utils import API_PREFIX
from starlette.routing import Route

from entrypoints.ui.apps.launch_options import note_options
from entrypoints.ui.sdk import Page

log = structlog.get_logger()

LAUNCH: Final = gr.Blocks.launch
MOUNT: Final = routes.mount_gradio_app
CREATE: Final = routes.App.create_app
UVICORN: Final = "uvicorn"
GRADIO_SERVER: Final = "gr.Server"
SERVED: Final = "launch() does nothing: the service already serves this app"
_LATE: Final = (
    "an app is not served, because it was launched after the service had taken the apps of its file. "
    "Launch it earlier, or before a launch that blocks"
)
_ALONE: Final = "App.create_app() makes an application without routes: only the service serves apps"

USUAL_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where the service listens, for apps that show the address of their server."""

    name: str = "127.0.0.1"
    port: int = USUAL_PORT

    @property
    def url(self) -> str:
        """As Gradio makes it."""
        name = "localhost" if self.name == "0.0.0.0" else self.name  # noqa: S104 -- It is only compared.
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"


class Launches:
    """What a module has launched so far, while it is imported: no launch blocks, so that the import ends. `launch`
    and `mount` are called in place of Gradio's functions."""

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        """The file or module, for the log."""
        self.module: ModuleType | None = None
        self.apps: list[gr.Blocks] = []
        self.apis: list[FastAPI] = []
        """The author's own FastAPI apps, of which only the Gradio apps are served."""
        self.servers: set[str] = set()
        """UVICORN or GRADIO_SERVER, if the author's code would start one."""
        self.makes_applications = False
        """Whether it makes applications of Gradio's own class, which would have no sign-in."""
        self.handles_signals = False
        self.signals_of_loop: set[int] = set()
        """The signals that it handles in an event loop of its own."""
        self.process = os.getpid()
        self.has_main_thread = current_thread() is main_thread()
        """Whether Python's main thread loads the module, and not a test that waits for it in another thread."""
        self.start_method: str | None = None
        """How it starts processes, as `multiprocessing.set_start_method()` names it."""
        self.is_served = False
        """Whether the service has taken the apps. It takes no other app then, and nobody else reports faults."""
        self.held = ExitStack()
        """Takes back what is replaced for the module until the service ends."""
        self.thread = current_thread()
        """The thread of the module itself. It may start others."""
        self._host = host

    def runs_here(self) -> bool:
        """Return whether the module's own code runs in this thread."""
        return current_thread() is self.thread and not self.is_served

    def wait(self) -> None:
        """Wait where the author's code would block until its server ends."""

    async def wait_in_loop(self) -> None:
        """Wait as `wait` does, and let other tasks of the event loop run."""

    def let_end(self) -> None:
        """Let the author's code go on where it waits, to clean up."""

    def guarded(self, handler: Callable[[int, Any], object]) -> Callable[[int, Any], None]:
        """Return a signal handler that stops the code of the file, and not the service, when it raises an exception."""

        def handle(number: int, frame: Any) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                if not self.interrupt(type(error)):
                    log.exception("a signal handler of an app failed", file=self.name)

        return handle

    def interrupt(self, error: type[BaseException]) -> bool:  # noqa: ARG002 -- A file can be interrupted.
        """Raise the exception in the author's code where it runs, and return whether it runs."""
        return False

    def has_launched(self, app: object) -> bool:
        demo = app.demo if isinstance(app, Page) else app
        return any(one is demo for one in self.apps)

    def launch(self, demo: gr.Blocks, *args: Any, **options: Any) -> tuple[FastAPI, str, str]:
        """Raises TypeError for an option that Gradio does not have."""
        given = given_to(LAUNCH, demo, *args, **options)
        finish(demo)
        self._note(demo, given, LAUNCH)
        api = FastAPI()
        self.apis.append(api)
        url = self._host.url
        vars(demo).update(server_name=self._host.name, server_port=self._host.port)
        vars(demo).update(local_url=url, local_api_url=f"{url}{API_PREFIX[1:]}/")
        if given.get("debug") or not given.get("prevent_thread_lock"):
            self.wait()
        return api, url, ""

    def mount(self, api: FastAPI, demo: gr.Blocks, *args: Any, **options: Any) -> FastAPI:
        given = given_to(MOUNT, api, demo, *args, **options)
        if api not in self.apis:
            self.apis.append(api)
        self._note(demo, given, MOUNT)
        return api

    def note_application(self, app: routes.App, demo: gr.Blocks, given: Mapping[str, Any]) -> None:
        """Note an application of Gradio's that the author's code makes. It has no routes."""
        if not self.is_served:
            self.apis.append(app)
            self.makes_applications = True
            if not self.has_launched(demo):
                note_options(demo, given, of=CREATE)
                self.apps.append(demo)
        else:
            log.warning(_ALONE, app=demo.title, file=self.name)

    def note_server(self, kind: str) -> None:
        """Note a server of the author's that is not started."""
        self.servers.add(kind)
        if self.is_served:
            log.warning(f"{kind} does not run: the service's own server runs", file=self.name)

    def _note(self, demo: gr.Blocks, given: Mapping[str, Any], call: Callable[..., Any]) -> None:
        if not self.is_served:
            note_options(demo, given, of=call)
            if not self.has_launched(demo):
                self.apps.append(demo)
        elif self.has_launched(demo):
            log.warning(SERVED, app=demo.title)
        else:
            log.warning(_LATE, app=demo.title, file=self.name)

    def replaced(self) -> Iterator[tuple[str, str]]:
        """Yield what the author's code has and the service does not use, each with what happens instead."""
        for part in sorted({part for api in self.apis for part in _parts_of(api)}):
            yield f"{part} of its FastAPI app", "they are not served"
        if self.makes_applications:
            yield "App.create_app()", "its application has no routes"
        if UVICORN in self.servers:
            yield UVICORN, "the service's own server runs"
        if self.handles_signals:
            yield "signal handlers", "the service handles signals"


def _parts_of(api: FastAPI) -> Iterator[str]:
    """Yield what an author has added to a FastAPI app."""
    usual = {route.name for route in FastAPI().routes if isinstance(route, Route)}
    if any(getattr(route, "name", None) not in usual for route in api.routes):
        yield "routes"
    if api.user_middleware:
        yield "middleware"
    lifespan = api.router.lifespan_context.__module__.partition(".")[0]
    if api.router.on_startup or api.router.on_shutdown or lifespan not in {"fastapi", "starlette"}:
        yield "lifespan"


def host_of(demo: gr.Blocks) -> dict[str, Any]:
    """Return where a launched app says that it is served, as options of its mount, which would change it."""
    return {name: vars(demo)[name] for name in ("server_name", "server_port") if name in vars(demo)}


def finish(demo: gr.Blocks) -> None:
    """End the `with` block of an app that is launched or served inside it, as Gradio's `launch()` does: Gradio would put
    the components of the next app into this one."""
    if not getattr(demo, "exited", True):
        demo.__exit__()


def given_to(call: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
    return dict(inspect.signature(call).bind(*args, **options).arguments)


RECORDING: Final[list[Launches]] = []
"""The launches that are recorded now, the innermost last."""


def of_this_thread() -> Launches | None:
    """Return the launches of the file or module whose own code runs in this thread."""
    return next((one for one in RECORDING if one.runs_here()), None)
