"""Add our routes and error handlers to the FastAPI application, and count requests by them."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from application.settings import Settings
from application.use_cases import UseCases
from entrypoints.access import AccessRule
from entrypoints.metrics import Metrics
from entrypoints.web.cookies import Cookies
from entrypoints.web.counting import Counting
from entrypoints.web.dependencies import Front, HandOver, JobStates, PageAt, ScopesOf, StartFor
from entrypoints.web.errors import handle_errors
from entrypoints.web.form_tokens import FormTokens
from entrypoints.web.pages import Pages
from entrypoints.web.routes import ROUTERS


def install(
    api: FastAPI,
    *,
    use_cases: UseCases,
    settings: Settings,
    form_tokens: FormTokens,
    pages: Pages,
    jobs: JobStates,
    start_for: StartFor,
    page_at: PageAt,
    is_stopping: Callable[[], bool] = lambda: False,
    hand_over: HandOver,
    scopes_of: ScopesOf,
    metrics: Metrics,
    framers: Sequence[str] = (),
) -> None:
    """`jobs` returns the states of the background jobs, `start_for` the address of a user's first page, and
    `page_at` the address of the app that a path belongs to. `hand_over` lets a new session go on with the tabs of a
    former one, and `scopes_of` returns what the pages need of a
    provider. `framers` are the sources of all sites whose frames may show a page of this service."""
    api.state.front = Front(
        use_cases=use_cases,
        settings=settings,
        pages=pages,
        cookies=Cookies.of(settings),
        form_tokens=form_tokens,
        jobs=jobs,
        start_for=start_for,
        page_at=page_at,
        is_stopping=is_stopping,
        hand_over=hand_over,
        scopes_of=scopes_of,
        metrics=metrics,
        framers=framers,
    )
    api.router.redirect_slashes = False
    handle_errors(api, pages)
    for router in ROUTERS:
        api.include_router(router)


def counting(settings: Settings, metrics: Metrics, access: AccessRule) -> Counting:
    """Return what counts the gate's requests. `access` finds the row of an address of Gradio."""
    routes = [route for router in ROUTERS for route in router.routes]
    return Counting(metrics.requests, routes, ui_path=settings.ui_path, access=access)
