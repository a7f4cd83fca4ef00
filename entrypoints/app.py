"""The whole service as one ASGI app: gate, routes and Gradio mounts, composed once."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from application.container import Composition, build, running
from application.settings import Settings, load, quiet_gradio
from application.use_cases import UseCases
from entrypoints import ui, web
from entrypoints.access import Access
from entrypoints.background import Job, Jobs, told_to_stop

log = structlog.get_logger()

AWAKE_EVERY: Final = 30.0
"""Seconds: sessions with a running event are touched this often; far below the shortest idle end."""
FORGET_EVERY: Final = 30.0
"""Seconds: what apps keep in memory for sessions that have ended is released this often."""
PURGE_EVERY: Final = 3600.0
"""Seconds between two purges of what is past its end."""
PURGE_FILES_EVERY: Final = 6 * 3600.0
"""Seconds between two walks through the folder of files."""


def app_from_environment() -> ASGIApp:
    """For `uvicorn entrypoints.app:app_from_environment --factory`. Raises SettingsInvalid; a page that cannot be served
    ends the process with one line."""
    settings = load()
    web.configure_logging(settings)
    try:
        return create_app(build(settings))
    except ui.PageRefused as refused:
        raise SystemExit(str(refused)) from None


def create_app(container: Composition) -> ASGIApp:
    """Takes out use cases, settings and lifespan; nobody behind this line sees the container."""
    settings: Settings = container.settings()
    quiet_gradio(settings.data_dir if settings.uses_data_dir else None)
    return compose(container, pages_of(settings.apps)).gate


def pages_of(apps: Iterable[ui.App]) -> Sequence[ui.Page]:
    """Ours, the HomePage first, then those of authors; without any, the examples. Raises PageRefused."""
    authors = ui.load_pages(apps)
    with ui.being_built():
        ours = [build_page() for build_page in (*ui.PAGES, *(() if authors else ui.EXAMPLES))]
    return [*ours, *authors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Composed, and not yet running."""

    gate: web.Gate
    api: FastAPI
    """Behind the gate."""
    pages: ui.UI

    def running(self) -> AbstractAsyncContextManager[Any]:
        """What a server does around its first and last request. The apps are then as they were before, to be served again
        or to run alone."""
        return self.api.router.lifespan_context(self.api)


def compose(container: Composition, built: Sequence[ui.Page]) -> Service:
    """The first page is the HomePage. Raises PageRefused."""
    settings: Settings = container.settings()
    app: UseCases = container.use_cases()

    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    # Its presence switches off Gradio's own, which reflects any origin with credentials.
    api.add_middleware(CORSMiddleware, allow_origins=[])
    new_nonce = container.ids().new_secret
    pages = ui.mount(api, built, app=app, settings=settings, new_nonce=new_nonce)
    jobs = Jobs(_jobs(app, pages, purges_files=settings.uses_data_dir))
    web.install(api, app=app, settings=settings, jobs=jobs.states)
    mounted = api.router.lifespan_context

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[Any]:
        async with (
            running(container) as others,
            jobs.running(),
            told_to_stop(pages.stopping),
            mounted(api) as state,
        ):
            if others:
                log.warning(
                    "another process serves the same SQLite database: each counts wrong passwords, sessions' endings and "
                    "limits for itself. Stop one of them, and start without --workers",
                    others=others,
                )
            try:
                yield state
            finally:
                pages.unmount()

    api.router.lifespan_context = lifespan

    def access(method: str, path: str) -> Access:
        if path.startswith(f"{settings.ui_path}/"):
            return pages.access(method, path)
        return web.access(method, path)

    gate = web.Gate(
        api,
        recognise=app.recognise,
        recognise_token=app.recognise_token,
        settings=settings,
        access=access,
        new_id=container.ids().new_id,
    )
    return Service(gate=gate, api=api, pages=pages)


def _jobs(app: UseCases, pages: ui.UI, *, purges_files: bool) -> Sequence[Job]:
    """What the service does by itself. Each job stands alone, so that one that fails keeps no other from its work.
    `purges_files`: unless the folder is one that other services share."""

    async def keep_awake() -> None:
        await app.keep_awake(pages.running.sessions())

    async def forget_ended() -> None:
        await pages.logins.forget(await app.ended_sessions(pages.logins.sessions()))

    async def purge_files() -> None:
        await app.purge_files(is_spared=pages.is_spared)

    jobs = [
        Job(name="keep-awake", run=keep_awake, every=AWAKE_EVERY),
        Job(name="forget-ended", run=forget_ended, every=FORGET_EVERY),
        Job(name="purge-sessions", run=app.purge_sessions, every=PURGE_EVERY),
        Job(name="purge-tokens", run=app.purge_tokens, every=PURGE_EVERY),
        Job(name="renew-files", run=pages.claims.renew, every=PURGE_EVERY),
    ]
    if purges_files:
        jobs.append(Job(name="purge-files", run=purge_files, every=PURGE_FILES_EVERY))
    return jobs
