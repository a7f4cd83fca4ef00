"""Fill the address table of a mounted Gradio app, and dispatch each request to its handler."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.access import FOUND
from entrypoints.ui.addresses import (
    ASSET,
    DESCRIPTION,
    EVENT,
    FILE,
    LINK,
    OPEN,
    PAGE,
    PROGRAMS,
    SCRIPT,
    STREAM,
    THEME,
    UPLOAD,
    Address,
    Addresses,
    Found,
    Handler,
    any_method,
    get,
    post,
)
from entrypoints.ui.delivery.api_description import ApiDescription
from entrypoints.ui.delivery.assets import Assets, Theme
from entrypoints.ui.delivery.browser_storage import BrowserStates
from entrypoints.ui.delivery.custom_components import CustomComponents
from entrypoints.ui.delivery.document import Documents
from entrypoints.ui.delivery.failures import respond_or_refuse
from entrypoints.ui.delivery.front_end import FOLDERS
from entrypoints.ui.delivery.headers import without_credentials
from entrypoints.ui.delivery.streams import SESSION_EXPIRED, Streams
from entrypoints.ui.isolation import component_server, events, transfers
from entrypoints.ui.isolation.deep_links import DeepLinks
from entrypoints.ui.isolation.request import Isolation
from entrypoints.ui.mcp.server import McpServer
from entrypoints.ui.wire.exchange import Exchange

NAME = "[^/]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The objects that respond to the requests for one mounted app."""

    gradio: ASGIApp
    isolation: Isolation
    assets: Assets
    description: ApiDescription
    browser_states: BrowserStates
    custom_components: CustomComponents
    deep_links: DeepLinks
    documents: Documents
    streams: Streams
    mcp: McpServer | None
    """None if the service offers no MCP tools. Gradio's own MCP server is always off."""


def addresses_of(
    handlers: Handlers, *, pages: Sequence[str], moved: Mapping[str, str]
) -> Iterator[Address]:
    """Yield every address that exists. `pages` are the paths of the app's HTML pages. `moved` maps a path that a user
    may type to the address of the redirect."""
    h = handlers
    gradio, isolated = _passed_to(h.gradio), h.isolation.handler

    for page in pages:
        yield get(re.escape(page), PAGE, h.deep_links.opening(h.documents.respond))
    for typed, meant in moved.items():
        yield get(re.escape(typed), PAGE, _redirect_to(meant))

    yield get(
        rf"(?P<path>/({FOLDERS}|static)/.+)",
        ASSET,
        partial(h.assets.respond, h.gradio),
        shown="/assets/{path}",
    )
    # When the session has ended, Gradio's front end polls the app's id, and then reloads the tab.
    yield get(r"/gradio_api/app_id/?", OPEN, gradio)
    yield get(r"/theme\.css", THEME, Theme(h.gradio).respond)
    yield get(r"/gradio_api/theme\.css", THEME, gradio)
    yield get(
        rf"/gradio_api/custom_component/(?P<id>{NAME})/(?P<environment>{NAME})/(?P<part>{NAME})/(?P<file>{NAME})",
        SCRIPT,
        h.custom_components.respond,
    )
    config = partial(h.browser_states.respond, h.gradio)
    yield get(r"/config/?", DESCRIPTION, h.deep_links.opening(config))
    yield get(r"/gradio_api/info/?", DESCRIPTION, h.description.respond)

    yield get(r"/gradio_api/deep_link", LINK, isolated(h.deep_links.make))
    yield get(r"/gradio_api/file[=/](?P<path>.+)", FILE, isolated(transfers.fetch))
    yield post(r"/gradio_api/upload", UPLOAD, isolated(transfers.upload))
    yield get(
        r"/gradio_api/upload_progress",
        STREAM,
        h.streams.until_session_ends(isolated(transfers.upload_progress)),
    )

    yield post(r"/gradio_api/queue/join", EVENT, isolated(events.join))
    yield get(
        r"/gradio_api/queue/data",
        STREAM,
        h.streams.until_session_ends(isolated(events.listen_to_tab), last_words=SESSION_EXPIRED),
    )
    yield get(r"/gradio_api/queue/status", STREAM, h.streams.until_session_ends(gradio))
    yield get(
        rf"/gradio_api/heartbeat/(?P<tab>{NAME})",
        STREAM,
        h.streams.until_session_ends(isolated(events.heartbeat), cleans_up=True),
    )
    yield post(rf"/gradio_api/heartbeat/(?P<tab>{NAME})/close", STREAM, isolated(events.close_tab))
    yield get(rf"/gradio_api/heartbeat/(?P<tab>{NAME})/kept", STREAM, isolated(events.tell_kept))
    yield post(rf"/gradio_api/(run|api)/(?P<api_name>{NAME})/?", EVENT, isolated(events.run))
    yield post(
        rf"/gradio_api/call/v2/(?P<api_name>{NAME})/?", EVENT, isolated(events.call_by_names)
    )
    yield post(rf"/gradio_api/call/(?P<api_name>{NAME})/?", EVENT, isolated(events.call))
    yield get(
        rf"/gradio_api/call/(v2/)?{NAME}/(?P<event_id>{NAME})",
        STREAM,
        h.streams.until_session_ends(isolated(events.listen)),
    )
    yield post(r"/gradio_api/cancel", EVENT, isolated(events.cancel))
    yield post(r"/gradio_api/reset/?", EVENT, isolated(events.reset))
    yield post(r"/gradio_api/component_server/?", EVENT, isolated(component_server.respond))

    yield post(rf"/gradio_api/stream/(?P<event_id>{NAME})", EVENT, isolated(events.stream_to))
    yield post(
        rf"/gradio_api/stream/(?P<event_id>{NAME})/close", EVENT, isolated(events.close_stream)
    )
    yield get(
        rf"/gradio_api/stream/(?P<tab>{NAME})/(?P<rest>{NAME}/{NAME}/{NAME})",
        FILE,
        isolated(events.segment),
    )

    if h.mcp is not None:
        # At the address of Gradio's own MCP server, so that clients need not change their settings.
        yield any_method(r"/gradio_api/mcp(/http)?/?", PROGRAMS, h.mcp.respond)


def _passed_to(app: ASGIApp) -> Handler:
    async def handle(exchange: Exchange) -> None:
        await exchange.passed_to(app)

    return handle


def _redirect_to(address: str) -> Handler:
    async def handle(exchange: Exchange) -> None:
        query = exchange.scope["query_string"].decode("latin-1")
        response = RedirectResponse(f"{address}?{query}" if query else address)
        await response(exchange.scope, exchange.receive, exchange.send)

    return handle


class Dispatcher:
    """The ASGI application that is mounted in place of a Gradio app: runs the handler of each request's address."""

    def __init__(self, gradio: Any, *, path: str) -> None:
        """`path` is the mount's path. Set `addresses` afterwards: some handlers need this dispatcher."""
        self._gradio: ASGIApp = gradio
        self.gradio_routes: Sequence[BaseRoute] = gradio.routes
        self._path = path
        self.addresses: Addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises HTTPException if no address matches. Only handlers pass HTTP requests on to Gradio."""
        if scope["type"] != "http":
            await self._gradio(scope, receive, send)
            return
        found = self._found(scope)
        scope = {**without_credentials(scope), "state": {**scope["state"], FOUND: found}}
        exchange = Exchange(scope=scope, receive=receive, send=send, names=found.names)
        # The two paths differ if the HomePage's app serves an asset below the name of an unknown page.
        exchange = exchange.at(f"{self._path}{found.path}")
        await respond_or_refuse(found.address.handler, exchange)

    def _found(self, scope: Scope) -> Found:
        """Return the match that the gate stored. Look it up for the service's own requests, which bypass the gate."""
        found = scope["state"].get(FOUND)
        if found is None:
            found = self.addresses.find(scope["method"], scope["path"][len(self._path) :])
        if found is None:
            raise HTTPException(404)
        return found  # type: ignore[no-any-return]
