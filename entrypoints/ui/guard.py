"""The only file that knows Gradio's addresses: which of them exist for whom, and what happens on their answers.

Default deny: an address of Gradio that is not listed here answers 404 until somebody has looked at it. Strangers are asked
to sign in first, as at every other address, so that they cannot tell which pages there are.
`tests/ui/test_guard.py` walks every route of a mounted app, so that a new Gradio release cannot add one unseen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gradio.utils import _parse_file_size

from entrypoints.access import Access

MB: Final = 1024 * 1024

HASHED: Final = "public, max-age=31536000, immutable"
"""For Gradio's assets, whose names carry a hash of their content."""
HASHED_AND_OWN: Final = "private, max-age=31536000, immutable"
"""For a page's theme, whose address carries a hash, and which is for those who may see the page."""
UNHASHED: Final = "public, max-age=3600"

RELOADS_THE_TAB: Final = {"error": "Connection errored out. "}
"""Gradio's front end looks for exactly this text, and then polls `app_id` and reloads."""

_SHARED: Final = re.compile(r"(?P<shared>/(assets|static)/.+|/gradio_api/app_id/?)")
"""The same below every page, and open: a tab whose session has ended asks `app_id` before it reloads."""
_BELOW_A_NAME: Final = re.compile(rf"/[^/]+{_SHARED.pattern}")
_THEME: Final = re.compile(r"/(gradio_api/)?theme\.css")
_CODE: Final = re.compile(rf"/(assets|static)/.+|{_THEME.pattern}")
_ABOUT: Final = re.compile(r"/config/?|/gradio_api/info/?")
_FILES: Final = re.compile(r"/gradio_api/(file=.+|file/.+|stream/[^/]+/[^/]+/[^/]+/[^/]+)")
_STREAMS: Final = re.compile(
    r"/gradio_api/(queue/data|heartbeat/[^/]+|call/(v2/)?[^/]+/[^/]+|upload_progress|queue/status)"
)
_EVENTS: Final = re.compile(
    r"/gradio_api/(queue/join|(run|api|call|call/v2)/[^/]+/?|cancel|reset/?|component_server/?|stream/[^/]+(/close)?)"
)
_UPLOAD: Final = "/gradio_api/upload"
_MCP: Final = re.compile(r"/gradio_api/mcp(/http)?/?")
_EACH_EVENT: Final = frozenset({"/gradio_api/queue/join", "/gradio_api/queue/data"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GradioAddresses:
    """What each address of a mounted Gradio app asks; paths are relative to the mount."""

    body_limit: int
    """Bytes of a JSON body."""
    upload_limit: int
    """Bytes of an upload, all its files together."""
    roles: frozenset[str] = frozenset()
    """Whoever has one of them may come in; everybody who is signed in when empty."""
    pages: frozenset[str] = frozenset({"", "/"})
    """The app's documents: more than one where it has routes."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """What somebody may type, and the address it stands for."""
    has_mcp: bool = False
    """Whether our own MCP server is there; Gradio's never is."""
    may_be_framed: bool = False
    """Whether the app's policy lets pages of other addresses show its pages in a frame."""

    def file_limit(self, own: str | int | None) -> int:
        """Bytes of one file, of which the app may want fewer."""
        wanted = _parse_file_size(own)
        return min(self.upload_limit, wanted or self.upload_limit)

    def access(self, method: str, path: str) -> Access:
        if method in {"GET", "HEAD"}:
            if _SHARED.fullmatch(path):
                return Access(who="anyone", asks_store=False, is_activity=False, body_limit=0)
            if path in self.pages or path in self.moved:
                return Access(
                    who="signed in",
                    roles=self.roles,
                    body_limit=0,
                    may_be_framed=self.may_be_framed,
                )
            if _ABOUT.fullmatch(path):
                return Access(who="signed in", roles=self.roles, body_limit=0)
            if is_file(path) or is_stream(path) or _THEME.fullmatch(path):
                return Access(who="signed in", roles=self.roles, is_activity=False, body_limit=0)
        if method == "POST":
            if path == _UPLOAD:
                return Access(
                    who="signed in",
                    roles=self.roles,
                    body_limit=self.upload_limit,
                    goes_to_disk=True,
                )
            if _EVENTS.fullmatch(path):
                # Whether an event is activity is known when it runs: a timer's tick is none.
                return Access(
                    who="signed in",
                    roles=self.roles,
                    is_activity=False,
                    body_limit=self.body_limit,
                    refusal=RELOADS_THE_TAB,
                )
        if self.has_mcp and is_mcp(path) and method in {"POST", "GET", "DELETE"}:
            return Access(
                who="signed in",
                roles=self.roles,
                is_activity=False,
                body_limit=self.body_limit if method == "POST" else 0,
                is_for_programs=True,
            )
        return Access(who="nobody", body_limit=self.body_limit if method == "POST" else 0)

    def access_to_no_page(self, method: str, path: str) -> Access:
        """What `access` asks, of a page that does not exist: strangers meet the same refusals, the others a 404."""
        asked = self.access(method, path)
        return asked if asked.who == "anyone" else replace(asked, who="nobody", roles=frozenset())

    def has_code(self, path: str) -> bool:
        """Whether Gradio's own scripts, styles and pages are served there, which a browser has to run."""
        return path in self.pages or _CODE.fullmatch(path) is not None


def shared_below_a_name(path: str) -> str | None:
    """Of an address below the HomePage that is the same below every page's name, the part behind the name. It is there
    for names of no page too."""
    if _SHARED.fullmatch(path):
        return None
    found = _BELOW_A_NAME.fullmatch(path)
    return found["shared"] if found else None


def is_file(path: str) -> bool:
    return _FILES.fullmatch(path) is not None


def is_mcp(path: str) -> bool:
    """Where Gradio would have its own, so that a client's settings need not change."""
    return _MCP.fullmatch(path) is not None


def is_stream(path: str) -> bool:
    return _STREAMS.fullmatch(path) is not None


def is_queue_stream(path: str) -> bool:
    """The one that carries a tab's events, and whose end the front end has to be told."""
    return path == "/gradio_api/queue/data"


def cache_control(path: str, query: bytes) -> str | None:
    if path.startswith("/assets/"):
        return HASHED
    if path == "/theme.css" and query.startswith(b"v="):
        return HASHED_AND_OWN
    if path.startswith("/static/"):
        return UNHASHED
    return None


def try_events_first(app: Any) -> None:
    """Before the first request: FastAPI tries the patterns of a mounted Gradio app one by one, and twice those of its API.
    No other pattern of Gradio fits the two addresses of an event, so their place in the row is free."""
    app.router.routes.sort(key=lambda route: not hasattr(route, "original_router"))
    for api in app.router.routes:
        if hasattr(api, "original_router"):
            api.original_router.routes.sort(key=lambda route: route.path not in _EACH_EVENT)
