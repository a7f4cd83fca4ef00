"""Refuse Gradio's addresses at the root of the host, and log which page of an app asks for them.

An app that runs alone is at the root, so its author may write `src="/gradio_api/file=…"`. Here each app has a path.
"""

from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from entrypoints.web.dependencies import Front, front, signed_in

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger()


async def explain(request: Request) -> Response:
    """Log each page once, and respond with 404, as everywhere without an address."""
    user, desk = signed_in(request).user, front(request)
    page = desk.page_at(_asking(request, desk), user)
    if page is not None and page not in desk.explained:
        desk.explained.add(page)
        log.warning(
            "a page asks for an address of its app at the root of the host, where there is nothing",
            page=page,
            write="the address without the leading slash: gradio_api/file=…",
            user_id=str(user.id),
        )
    raise HTTPException(404)


def _asking(request: Request, desk: Front) -> str:
    """Return the path in the Referer, if it is an address of this host, or an empty text."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return ""
    is_here = parts.netloc.lower() == request.url.netloc.lower()
    return desk.base.without(parts.path) if is_here else ""


router = APIRouter()
router.add_route("/gradio_api/{rest:path}", explain, methods=METHODS, include_in_schema=False)
