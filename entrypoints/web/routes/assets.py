"""Serve the public files: styles, icons and the web app manifest."""

from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entrypoints import looks
from entrypoints.web.dependencies import front

FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Cache-Control of an address that changes with its content."""
FOR_A_WHILE: Final = "public, max-age=300"

_ICONS: Final = (
    ("icon.svg", "any", "any"),
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable-512.png", "512x512", "maskable"),
)


async def static(request: Request) -> Response:
    return _file(request, request.path_params["name"])


async def favicon(request: Request) -> Response:
    return _file(request, "favicon.ico")


async def manifest(request: Request) -> Response:
    here = front(request)
    icons = [
        {
            "src": here.base.outside(here.pages.files.address(name)),
            "sizes": sizes,
            "type": here.pages.files.by_name[name].media_type,
            "purpose": purpose,
        }
        for name, sizes, purpose in _ICONS
    ]
    document = {
        "name": here.settings.project_name,
        "short_name": here.settings.project_name[:12],
        "start_url": here.base.outside(here.ui_address),
        "scope": here.base.outside("/"),
        "display": "standalone",
        "background_color": looks.LIGHT["paper"],
        "theme_color": looks.LIGHT["accent"],
        "icons": icons,
    }
    return JSONResponse(
        document, headers={"cache-control": FOR_A_WHILE}, media_type="application/manifest+json"
    )


def _file(request: Request, name: str) -> Response:
    file = front(request).pages.files.by_name.get(name)
    if file is None:
        raise HTTPException(404)
    is_versioned = request.query_params.get("v") == file.version
    tag = f'"{file.version}"'
    headers = {"etag": tag, "cache-control": FOR_EVER if is_versioned else FOR_A_WHILE}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


router = APIRouter()
router.add_route("/static/{name}", static, methods=["GET"], include_in_schema=False)
router.add_route("/favicon.ico", favicon, methods=["GET"], include_in_schema=False)
router.add_route("/manifest.json", manifest, methods=["GET"], include_in_schema=False)
