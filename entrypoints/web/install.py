"""Puts our addresses into the application."""

from fastapi import FastAPI

from application.settings import Settings
from application.use_cases import UseCases
from entrypoints.web.cookies import Cookies
from entrypoints.web.errors import handle_errors
from entrypoints.web.front import Front, JobStates
from entrypoints.web.pages import Pages
from entrypoints.web.routes import ROUTERS
from entrypoints.web.static_files import StaticFiles


def install(api: FastAPI, *, app: UseCases, settings: Settings, jobs: JobStates) -> None:
    """`jobs` says how the background jobs are doing."""
    files = StaticFiles.load()
    pages = Pages.load(settings, files)
    api.state.front = Front(
        app=app,
        settings=settings,
        pages=pages,
        files=files,
        cookies=Cookies.of(settings),
        jobs=jobs,
    )
    api.router.redirect_slashes = False
    handle_errors(api, pages)
    for router in ROUTERS:
        api.include_router(router)
