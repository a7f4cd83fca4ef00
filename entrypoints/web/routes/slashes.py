"""Redirect typed addresses with a trailing slash to their pages. Other addresses have no such redirect."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from entrypoints.web.addresses import TYPED


async def without_slash(request: Request) -> Response:
    there, query = request.url.path.rstrip("/"), request.url.query
    return RedirectResponse(f"{there}?{query}" if query else there)


router = APIRouter()
for _page in TYPED:
    router.add_route(f"{_page}/", without_slash, methods=["GET"], include_in_schema=False)
