"""Mount one app with Gradio's own function."""

import warnings
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from domain.model.caller import SignedIn
from entrypoints.access import SIGNED_IN
from entrypoints.base_path import BasePath
from entrypoints.ui.addresses import Rules
from entrypoints.ui.apps.launch_options import options_of
from entrypoints.ui.apps.launches import MOUNT, host_of
from entrypoints.ui.apps.login_buttons import ATTACHING
from entrypoints.ui.apps.recording import mounted_by_us
from entrypoints.ui.sdk import Page


def mounted_by_gradio(
    api: FastAPI, page: Page, path: str, rules: Rules, *, base: BasePath
) -> Mount:
    """Mount the app with Gradio's own function, with all its settings set explicitly. Return the route."""
    options = {**options_of(page.demo), **page.looks, **host_of(page.demo)}
    with warnings.catch_warnings(), mounted_by_us(), ATTACHING.used():
        # For apps with several routes, Gradio warns about the SSR mode, which is off here anyway.
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        MOUNT(
            api,
            page.demo,
            path,
            # Otherwise events that bypass the queue return file addresses at the root of the host, not below the mount.
            root_path=base.outside(path),
            footer_links=[],
            run_history=False,  # Otherwise inputs and outputs stay in the browser after sign-out.
            auth_dependency=_email,
            show_error=False,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            **{**options, "max_file_size": rules.file_limit(options.get("max_file_size"))},
        )
    route = api.router.routes[-1]
    assert isinstance(route, Mount)  # noqa: S101 -- mount_gradio_app has just added it.
    # The first of all routes: it gets most requests, and each route before it is one more pattern to try.
    api.router.routes.insert(0, api.router.routes.pop())
    page.demo.app = route.app  # type: ignore[assignment]
    _try_events_first(route.app)
    return route


_EACH_EVENT: Final = frozenset({"/gradio_api/queue/join", "/gradio_api/queue/data"})


def _try_events_first(app: Any) -> None:
    """Move the two routes that each event needs to the front, before the first request. FastAPI tries the patterns of
    a mounted Gradio app one by one, and those of its API twice. No other pattern matches these two addresses, so
    Gradio behaves the same in any order."""
    app.router.routes.sort(key=lambda route: not hasattr(route, "original_router"))
    for api in app.router.routes:
        if hasattr(api, "original_router"):
            api.original_router.routes.sort(key=lambda route: route.path not in _EACH_EVENT)


def _email(request: HTTPConnection) -> str | None:
    signed_in: SignedIn | None = request.scope.get("state", {}).get(SIGNED_IN)
    return signed_in.user.email if signed_in else None
