"""Replace what starts servers while authors' files are loaded and served, and record it."""

import asyncio
import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from multiprocessing import spawn
from pathlib import Path
from typing import Any, Final

import gradio as gr
import structlog
import uvicorn
from fastapi import FastAPI
from gradio import queueing, routes, utils
from uvicorn.importer import import_from_string

from entrypoints.ui.apps import signals
from entrypoints.ui.apps.launches import (
    CREATE,
    GRADIO_SERVER,
    LAUNCH,
    MOUNT,
    RECORDING,
    SERVED,
    UVICORN,
    Launches,
    given_to,
    of_this_thread,
)
from entrypoints.ui.apps.main_module import found, program
from entrypoints.ui.replacement import Replacement

log = structlog.get_logger()

_SERVE: Final = uvicorn.Server.serve
_RUN: Final = uvicorn.run
_SERVE_API: Final = gr.Server.launch
_BLOCK: Final = gr.Blocks.block_thread
_SET_START_METHOD: Final = multiprocessing.set_start_method

_PREPARE: Final = spawn.get_preparation_data
_SPAWNED: Final = str(Path(__file__).with_name("spawned.py"))
_SAID: Final = "_gradioapp_said_that_it_stays_open"

_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)


def begin_to_record(launches: Launches) -> None:
    """Record in all threads, until `end_to_record()`. What replaces a function may outlive the recording in modules that
    import it by name; then it calls what it replaces."""
    for replacement in _REPLACEMENTS:
        replacement.begin()
    RECORDING.append(launches)


def end_to_record(launches: Launches) -> None:
    """May be called again."""
    if launches in RECORDING:
        RECORDING.remove(launches)
        for replacement in _REPLACEMENTS:
            replacement.end()


@contextmanager
def mounted_by_us() -> Iterator[None]:
    """Let Gradio make applications with their routes inside the block."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


def keep_as_served(demo: gr.Blocks) -> None:
    """Let `launch()` of a served app start no server, `close()` end nothing and `queue()` make no other queue: the author's
    code may call them, and `gr.close_all()` closes the apps of others too."""
    vars(demo)["launch"] = partial(_launch_again, demo)
    vars(demo)["close"] = partial(_stay_open, demo)
    vars(demo)["queue"] = partial(_keep_queue, demo)


def no_longer_served(demo: gr.Blocks) -> None:
    for name in ("launch", "close", "queue", _SAID):
        vars(demo).pop(name, None)


def _stay_open(demo: gr.Blocks, *_: Any, **__: Any) -> None:
    if not vars(demo).setdefault(_SAID, False):
        log.warning(
            "close() does nothing: the service serves this app until it ends", app=demo.title
        )
    vars(demo)[_SAID] = True


def _keep_queue(demo: gr.Blocks, *_: Any, **__: Any) -> gr.Blocks:
    log.warning("queue() does nothing: the service already serves this app", app=demo.title)
    return demo


def _launch_again(demo: gr.Blocks, *args: Any, **options: Any) -> tuple[FastAPI, str, str]:
    for launches in RECORDING:
        if launches.has_launched(demo):
            return launches.launch(demo, *args, **options)
    log.warning(SERVED, app=demo.title)
    return FastAPI(), "", ""


def _that_build(demo: object) -> Launches | None:
    """Return the launches that an app belongs to, or None while none are recorded. A launch in a thread that the file
    has started is recognised by the app. Any other belongs to the file that runs now."""
    in_thread = of_this_thread()
    if in_thread is not None or not RECORDING:
        return in_thread
    for one in RECORDING:
        if _has(one, demo):
            return one
    return RECORDING[-1]


def _that_serve(app: object) -> Launches | None:
    """Return the launches of a file whose server is not started: it serves Gradio apps, or the file itself waits for
    it. An API that runs in a thread beside the app starts as usual."""
    in_thread = of_this_thread()
    if in_thread is not None or not RECORDING:
        return in_thread
    meant = _named(app) if isinstance(app, str) else app
    mounted = (one for one in RECORDING if any(api is meant for api in one.apis))
    return next(mounted, RECORDING[-1] if isinstance(meant, routes.App) else None)


def _named(app: str) -> object:
    """Import the application that a text names, or return None: uvicorn imports it again, and reports why it cannot."""
    try:
        return import_from_string(app)
    except Exception:
        return None


def _has(launches: Launches, demo: object) -> bool:
    values = () if launches.module is None else tuple(vars(launches.module).values())
    return launches.has_launched(demo) or any(value is demo for value in values)


def _launch(demo: gr.Blocks, *args: Any, **options: Any) -> Any:
    if "launch" in vars(demo):
        return _launch_again(demo, *args, **options)
    launches = _that_build(demo)
    return (
        LAUNCH(demo, *args, **options)
        if launches is None
        else launches.launch(demo, *args, **options)
    )


def _mount(*args: Any, **options: Any) -> FastAPI:
    given = given_to(MOUNT, *args, **options)
    launches = _that_build(given["blocks"])
    if launches is None:
        return MOUNT(*args, **options)  # type: ignore[no-any-return]
    return launches.mount(given.pop("app"), given.pop("blocks"), **given)


def _create_app(demo: gr.Blocks, *args: Any, **options: Any) -> routes.App:
    """Answer an application without routes, also where Gradio makes one for each app that is built: an author may serve
    it inside another application, with any server, and it would have no sign-in."""
    launches = None if _is_ours.get() else _that_build(demo)
    if launches is None:
        return CREATE(demo, *args, **options)
    given = given_to(CREATE, demo, *args, **options)
    app = given.get("app") or routes.App(**(given.get("app_kwargs") or {}))
    app.configure_app(demo)
    asking = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 -- The documented way to the caller's frame.
    if not asking.startswith("gradio."):
        launches.note_application(app, demo, given)
    return app


def _block_thread(demo: gr.Blocks) -> None:
    launches = _that_build(demo)
    if launches is None:
        _BLOCK(demo)
    else:
        launches.wait()


def _launch_server(server: gr.Server, *args: Any, **options: Any) -> Any:
    launches = _that_build(server)
    if launches is None:
        return _SERVE_API(server, *args, **options)
    launches.note_server(GRADIO_SERVER)
    launches.wait()
    return server, "", ""


def _run(app: Any, **options: Any) -> None:
    launches = _that_serve(app)
    if launches is None:
        _RUN(app, **options)
    else:
        launches.note_server(UVICORN)
        launches.wait()


async def _serve(server: uvicorn.Server, sockets: Any = None) -> None:
    launches = _that_serve(server.config.app)
    if launches is None:
        await _SERVE(server, sockets)
    else:
        launches.note_server(UVICORN)
        await launches.wait_in_loop()


def _set_start_method(method: str | None, force: bool = False) -> None:  # noqa: FBT001, FBT002 -- As in Python.
    """Let each file set it once, as in a process of its own. Raises RuntimeError the second time."""
    launches = of_this_thread()
    if launches is None:
        _SET_START_METHOD(method, force)
        return
    if launches.start_method is not None and not force:
        raise RuntimeError("context has already been set")
    others = [one for one in RECORDING if one.start_method not in {None, method}]
    if others:
        log.warning(
            "apps start processes in different ways, and the last way is used for all",
            method=method,
            file=launches.name,
            others=[one.name for one in others],
        )
    _SET_START_METHOD(method, force=True)
    launches.start_method = method


def _prepare_spawned(name: str) -> dict[str, Any]:
    """Tell a spawned process which file is its main module, and where the others are. Its first argument does: Python
    sets the arguments before it runs the main module, which is ours, and takes this one away."""
    prepared = _PREPARE(name)
    told = json.dumps({"main": program(), "files": found()})
    first, *others = prepared["sys_argv"] or [""]
    prepared.pop("init_main_from_name", None)
    return {**prepared, "sys_argv": [first, told, *others], "init_main_from_path": _SPAWNED}


def _always(by: Any, _: Any) -> Any:
    return by


_REPLACED: Final[Sequence[tuple[Any, str, Any]]] = (
    (gr.Blocks, "launch", _launch),
    (gr.Blocks, "block_thread", _block_thread),
    (gr.Server, "launch", _launch_server),
    (gr, "mount_gradio_app", _mount),
    (routes, "mount_gradio_app", _mount),
    (routes.App, "create_app", staticmethod(_create_app)),
    (uvicorn, "run", _run),
    (uvicorn.Server, "serve", _serve),
    *signals.REPLACED,
    (multiprocessing, "set_start_method", _set_start_method),
    (spawn, "get_preparation_data", _prepare_spawned),
    # Outside an event loop, Gradio makes one for each lock and leaves it open.
    (utils, "safe_get_lock", asyncio.Lock),
    (utils, "safe_get_stop_event", asyncio.Event),
    (queueing, "safe_get_lock", asyncio.Lock),
)
_REPLACEMENTS: Final = [
    Replacement(owner=owner, name=name, by=partial(_always, by)) for owner, name, by in _REPLACED
]
