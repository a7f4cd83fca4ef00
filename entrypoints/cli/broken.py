"""The service of a worker that could not load an app: every address shows what is broken, until a new worker starts."""

from base64 import b64encode
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from application.container import Composition
from application.settings import Settings, is_loopback_name
from entrypoints import web
from entrypoints.access import Access
from entrypoints.base_path import BasePath
from entrypoints.metrics import Metrics
from entrypoints.ui.delivery.refreshing import APP_ID, refresher, script
from entrypoints.web.problems import wants_page
from entrypoints.web.scrapers import came_by_proxy

MB: Final = 1024 * 1024

_BROKEN: Final = 0
"""The number of this service. Those of Gradio are random."""
_TITLE: Final = "The app cannot be loaded"
_ELSEWHERE: Final = "The terminal in which the service runs says why."


class BrokenService:
    """An ASGI application behind the gate. Nobody is recognised, so the fault is told on this machine only."""

    use_cases: Final = None

    def __init__(self, container: Composition, fault: str) -> None:
        self._for_others = _gate(container, _ELSEWHERE)
        is_local = _is_local(container.settings())
        self._for_this_machine = _gate(container, fault) if is_local else self._for_others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._for_others if came_by_proxy(scope) else self._for_this_machine
        await gate(scope, receive, send)


def _gate(container: Composition, fault: str) -> web.Gate:
    settings: Settings = container.settings()
    pages = web.Pages.load(settings)
    address = BasePath(settings.base_path).outside(f"{settings.ui_path}{APP_ID}")
    style = pages.files.by_name["style.css"].content.decode()
    page = pages.render(
        "broken.html",
        title=_TITLE,
        fault=fault,
        style=style,
        refresher=refresher(_BROKEN, address),
    )
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script())}; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    body_limit = settings.upload_limit_mb * MB

    def access(method: str, path: str) -> Access:  # noqa: ARG001 -- The rule's signature.
        return Access(who="anyone", asks_store=False, is_activity=False, body_limit=body_limit)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        asked = Request(scope)
        response: Response
        if scope["path"].endswith(APP_ID):
            response = JSONResponse({"app_id": _BROKEN})
        elif wants_page(asked.headers.get("accept", ""), asked.headers.get("sec-fetch-mode", "")):
            response = HTMLResponse(page, 503, {"content-security-policy": policy})
        else:
            response = JSONResponse({"title": _TITLE, "status": 503, "detail": fault}, 503)
        await response(scope, receive, send)

    use_cases = container.use_cases()
    return web.Gate(
        Router(default=respond),
        recognise=use_cases.recognise,
        recognise_token=use_cases.recognise_token,
        settings=settings,
        access=access,
        pages=pages,
        new_id=container.ids().new_id,
        counting=web.counting(settings, Metrics.empty(), access),
    )


def _is_local(settings: Settings) -> bool:
    """Return whether only this machine reaches the service, as far as the settings say."""
    public = urlsplit(settings.public_url or "").hostname
    return is_loopback_name(settings.host) and (public is None or is_loopback_name(public))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
