"""Serve the description of the JSON API, as an OpenAPI document and as a page."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entrypoints.web import openapi
from entrypoints.web.addresses import API
from entrypoints.web.dependencies import front
from entrypoints.web.routes import access_tokens, confirmations, me, sessions, users


@lru_cache(maxsize=4)
def _document(title: str, cookie: str) -> openapi.Document:
    routers = (
        me.router,
        confirmations.router,
        sessions.mine,
        access_tokens.mine,
        users.router,
        sessions.of_accounts,
        access_tokens.of_accounts,
    )
    routes = [route for router in routers for route in router.routes]
    return openapi.document(routes, title=title, version=_version(), cookie=cookie)


def _version() -> str:
    try:
        return version("gradioapp")
    except PackageNotFoundError:
        return "0"


def _of(request: Request) -> openapi.Document:
    here = front(request)
    return _document(here.settings.project_name, here.cookies.session.name)


async def as_document(request: Request) -> Response:
    return JSONResponse(_of(request))


async def as_page(request: Request) -> Response:
    made = _of(request)
    return front(request).page(
        "reference.html",
        version=made["info"]["version"],
        operations=list(openapi.operations(made)),
        schemas=list(openapi.schemas(made)),
        document_address=f"{API}/openapi.json",
    )


router = APIRouter()
router.add_route(f"{API}/openapi.json", as_document, methods=["GET"], include_in_schema=False)
router.add_route(f"{API}/docs", as_page, methods=["GET"], include_in_schema=False)
