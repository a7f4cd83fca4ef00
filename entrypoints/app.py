"""Compose the service as one ASGI application: gate, routes and Gradio mounts."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from application.container import Composition, build
from application.running import running
from application.settings import Settings, load, note_on_dotenv, quiet_gradio
from application.use_cases import UseCases
from entrypoints import ui, web
from entrypoints.access import Access
from entrypoints.background import Jobs
from entrypoints.connections import between_replicas
from entrypoints.jobs import jobs_of
from entrypoints.metrics import Metrics, ProcessMetrics
from entrypoints.replicas import Replicas
from entrypoints.shutdown import Shutdown
from entrypoints.succession import Succession
from entrypoints.tracing import OFF, Tracing, from_environment

log = structlog.get_logger()


def app_from_environment() -> "Service":
    """Build the service from the environment, for `uvicorn entrypoints.app:app_from_environment --factory`. Raises
    SettingsInvalid, and SystemExit with one line for a page that cannot be served."""
    settings = load()
    web.configure_logging(settings)
    if note := note_on_dotenv(settings):
        log.warning(note)
    try:
        return create_app(build(settings))
    except ui.PageRefused as refused:
        raise SystemExit(str(refused)) from None


def create_app(container: Composition) -> "Service":
    """Build the service from the container. Raises PageRefused."""
    settings: Settings = container.settings()
    quiet_gradio(settings.data_dir if settings.uses_data_dir else None)
    pages = pages_of(settings.apps, ui.Host(name=settings.host, port=settings.port))
    return compose(container, pages, from_environment())


def pages_of(apps: Iterable[ui.App], host: ui.Host | None = None) -> Sequence[ui.Page]:
    """Return our own pages, the HomePage first, then the authors'. If there are no authors' pages, add the examples.
    Warn of globals that all users share. Raises PageRefused."""
    authors = ui.load_pages(apps, host)
    for page in authors:
        if note := ui.note_on_globals(page.demo):
            log.warning(note)
    with ui.being_built():
        ours = [build_page() for build_page in (*ui.PAGES, *(() if authors else ui.EXAMPLES))]
    return [*ours, *authors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The composed service, as an ASGI application. `running()` starts it."""

    use_cases: UseCases
    gate: web.Gate
    api: FastAPI
    """The application behind the gate."""
    pages: ui.UI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.gate(scope, receive, send)

    def running(self) -> AbstractAsyncContextManager[Any]:
        """Run the lifespan, as a server does before its first and after its last request. Afterwards the apps are in
        their original state, so that they can be served again or run alone."""
        return self.api.router.lifespan_context(self.api)


def compose(container: Composition, built: Sequence[ui.Page], tracing: Tracing = OFF) -> Service:
    """Compose the service. The first page is the HomePage. Raises PageRefused."""
    settings: Settings = container.settings()
    use_cases: UseCases = container.use_cases()

    # Traces are ours; see `entrypoints/tracing`. FastAPI's own would have queries in them.
    telemetry: TelemetryConfig = {"auto_configure": False}
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, telemetry=telemetry)
    # If it is present, Gradio does not add its own CORS middleware, which allows any origin with credentials.
    api.add_middleware(CORSMiddleware, allow_origins=[])
    metrics = Metrics.empty()
    new_nonce = container.ids().new_secret
    form_tokens = web.FormTokens(
        codec=container.codec(),
        now=container.clock().now,
        new_secret=container.ids().new_secret,
    )
    times = ui.event_times(use_cases, settings.event_time_policy, now=container.clock().now)
    pages = ui.mount(
        api,
        built,
        use_cases=use_cases,
        settings=settings,
        new_nonce=new_nonce,
        sign_out_token=form_tokens.offer_in_bar,
        metrics=metrics.events,
        times=times,
        tracing=tracing,
    )
    metrics.show(
        ProcessMetrics(
            read_load=use_cases.read_load,
            count_sessions=lambda: len(pages.accounts.sessions()),
            job_states=lambda: jobs.states(),
        )
    )
    replicas = Replicas.of(
        settings,
        use_cases,
        new_id=container.ids().new_id,
        new_secret=container.ids().new_secret,
        codec=container.codec(),
        now=container.clock().now,
        has_events=pages.accounts.has_events_or_results,
        is_in_use=pages.accounts.is_in_use,
    )
    succession = Succession(accounts=pages.accounts, use_cases=use_cases, replicas=replicas)
    jobs = Jobs(
        jobs_of(
            use_cases,
            pages,
            purges_files=settings.uses_data_dir,
            measures_events=settings.event_time_policy.has_quota,
            replicas=replicas,
        )
    )
    our_pages = web.Pages.load(settings)
    web.install(
        api,
        use_cases=use_cases,
        settings=settings,
        form_tokens=form_tokens,
        pages=our_pages,
        jobs=jobs.states,
        is_stopping=lambda: shutdown.has_begun,
        start_for=pages.start_for,
        page_at=pages.page_at,
        hand_over=succession,
        scopes_of=pages.scopes_of,
        metrics=metrics,
        framers=pages.framers,
    )
    shutdown = Shutdown(
        draining=pages.draining,
        stopping=pages.stopping,
        is_busy=pages.accounts.have_events,
        # A reload must not wait.
        patience=0 if settings.reload else settings.drain_seconds,
        hand_over=replicas.hand_over if replicas else None,
    )
    mounted = api.router.lifespan_context

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[Any]:
        with ExitStack() as until_end:
            until_end.callback(ui.unmount, pages)  # Also if the startup fails.
            async with (
                tracing.running(),
                running(container) as others,
                times.written_at_end(),
                replicas.running(
                    gate,
                    succession.of_another_replica,
                    between_replicas(settings),
                )
                if replicas
                else nullcontext(),
                jobs.running(),
                shutdown.noticed(),
                mounted(api) as state,
            ):
                if others:
                    log.warning(
                        "another process serves the same SQLite database: each process has its own queue and quotas, "
                        "and caches sessions for itself. Stop one of them, and start without --workers",
                        others=others,
                    )
                with until_end.pop_all():
                    yield state

    api.router.lifespan_context = lifespan

    def access(method: str, path: str) -> Access:
        if path.startswith(f"{settings.ui_path}/"):
            return pages.access(method, path)
        return web.access(method, path)

    gate = web.Gate(
        api,
        recognise=use_cases.recognise,
        recognise_token=use_cases.recognise_token,
        settings=settings,
        access=access,
        pages=our_pages,
        new_id=container.ids().new_id,
        counting=web.counting(settings, metrics, access),
        framers=pages.framers,
        identity=web.ProxyIdentity.of(settings, use_cases),
        replicas=replicas,
        tracing=tracing,
    )
    return Service(use_cases=use_cases, gate=gate, api=api, pages=pages)
