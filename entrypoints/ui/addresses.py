"""Define the table of the addresses of a mounted Gradio app: each row has access rules and a handler.

Deny by default: an address without a row gets 404. A request without a session is asked to sign in first, at every
address, so that strangers cannot find out which pages exist. `tests/ui/test_addresses.py` compares the rows with all of
Gradio's routes, so that a new Gradio release cannot add a route unseen.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Literal, Self

from gradio.utils import _parse_file_size

from application.settings.environment import PREFIX
from entrypoints.access import Access
from entrypoints.metrics import Route

MB: Final = 1024 * 1024

_SETTINGS: Final = {"json": f"{PREFIX}BODY_LIMIT_MB", "upload": f"{PREFIX}UPLOAD_LIMIT_MB"}
"""The setting of each limit of bodies."""
_OPTIONAL: Final = re.compile(r"\([^()]*\)\?")
"""A group of a pattern that may be missing."""
_INNERMOST: Final = re.compile(r"\((\?P<(?P<name>\w+)>)?(?P<inside>[^()]*)\)")
"""A group of a pattern without groups in it."""
_ESCAPED: Final = re.compile(r"\\(.)")
LINK_FIELD: Final = b"deep_link"
"""Gradio's field for the name of a saved link, in the query of a page."""
RELOADS_THE_TAB: Final = {"error": "Connection errored out. "}
"""Gradio's front end looks for exactly this text; it then polls `app_id` and reloads the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The rules that addresses of one kind have in common."""

    is_open: bool = False
    """True if no session is needed."""
    is_activity: bool = False
    """True if a request resets the session's idle timeout. False for events: an event decides when it runs, because a
    timer's tick is no activity."""
    body: Literal["none", "json", "upload"] = "none"
    serves: Literal["data", "code", "file"] = "data"
    """`code` means Gradio's own scripts, styles and pages, which browsers must be allowed to run."""
    is_page: bool = False
    is_for_programs: bool = False
    runs_at_home: bool = False
    """True if the response needs tabs, events or files of the process that is the account's home."""
    opens_links: bool = False
    """True if the query may name a link that the account's home has saved."""


OPEN: Final = Kind(is_open=True)
ASSET: Final = Kind(is_open=True, serves="code")
PAGE: Final = Kind(is_activity=True, serves="code", is_page=True, opens_links=True)
DESCRIPTION: Final = Kind(is_activity=True, opens_links=True)
LINK: Final = Kind(is_activity=True, runs_at_home=True)
THEME: Final = Kind(serves="code")
SCRIPT: Final = Kind(serves="code")
FILE: Final = Kind(serves="file", runs_at_home=True)
STREAM: Final = Kind(runs_at_home=True)
EVENT: Final = Kind(body="json", runs_at_home=True)
UPLOAD: Final = Kind(is_activity=True, body="upload", runs_at_home=True)
PROGRAMS: Final = Kind(body="json", is_for_programs=True, runs_at_home=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The access rules and size limits of one page."""

    body_limit: int
    """Bytes of a JSON body."""
    upload_limit: int
    """Bytes of all files of one upload together."""
    roles: frozenset[str] = frozenset()
    """A caller needs one of these roles. If empty, every signed-in account has access."""
    framers: Sequence[str] = ()
    """The sources of the sites that may show the app's pages in a frame, by its CSP."""

    def file_limit(self, own: str | int | None) -> int:
        """Return the size limit of one file in bytes: the app's `own` limit, at most `upload_limit`."""
        return min(self.upload_limit, _parse_file_size(own) or self.upload_limit)

    def access(self, kind: Kind, method: str) -> Access:
        if kind.is_open:
            return Access(who="anyone", asks_store=False, is_activity=False, body_limit=0)
        limits = {"none": 0, "json": self.body_limit, "upload": self.upload_limit}
        return Access(
            who="signed in",
            roles=self.roles,
            is_activity=kind.is_activity,
            body_limit=limits[kind.body] if method == "POST" else 0,
            body_limit_setting=_SETTINGS.get(kind.body, "") if method == "POST" else "",
            goes_to_disk=kind.body == "upload",
            is_for_programs=kind.is_for_programs,
            may_be_framed=kind.is_page and bool(self.framers),
            framers=self.framers,
            refusal=RELOADS_THE_TAB if kind is EVENT else {},
            runs_at_home=kind.runs_at_home,
            runs_at_home_with=LINK_FIELD if kind.opens_links else b"",
        )

    def no_access(self, method: str) -> Access:
        return Access(
            who="nobody",
            framers=self.framers,
            body_limit=self.body_limit if method == "POST" else 0,
            body_limit_setting=_SETTINGS["json"] if method == "POST" else "",
        )


Handler = Callable[[Any], Awaitable[None]]
"""Its argument is an `Exchange`."""


@dataclass(frozen=True, slots=True)
class Address:
    """A row of the table."""

    methods: frozenset[str]
    path: re.Pattern[str]
    """The path below the app's mount. Its named groups are passed to the handler."""
    kind: Kind
    handler: Handler
    shown: str = ""
    """How the metrics write the path. If empty, it is made from the pattern."""

    @property
    def template(self) -> str:
        """The path with `{name}` in place of ids."""
        return self.shown or _template(self.path.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The row that matches a request. The gate stores it in the scope's state under FOUND."""

    address: Address
    path: str
    """The path below the app's mount, as it matched the row."""
    names: Mapping[str, str] = field(default_factory=dict)
    app: str = ""
    """The path of the app's mount, for the metrics."""

    @property
    def route(self) -> Route:
        return _route(self.app, self.address.template, is_stream=self.address.kind is STREAM)


@cache
def _route(app: str, template: str, *, is_stream: bool) -> Route:
    return Route(app=app, template=template, is_stream=is_stream)


@cache
def _template(pattern: str) -> str:
    """Return the pattern of a row as people write a path: `/heartbeat/{tab}` for `/heartbeat/(?P<tab>[^/]+)`."""
    path = _OPTIONAL.sub("", pattern.removesuffix("/?"))
    while (group := _INNERMOST.search(path)) is not None:
        path = (
            path[: group.start()] + f"{{{group['name'] or group['inside']}}}" + path[group.end() :]
        )
    return _ESCAPED.sub(r"\1", path.replace("[^/]+", "{name}").replace("[=/]", "="))


def get(path: str, kind: Kind, handler: Handler, *, shown: str = "") -> Address:
    return Address(frozenset({"GET", "HEAD"}), re.compile(path), kind, handler, shown)


def post(path: str, kind: Kind, handler: Handler) -> Address:
    return Address(frozenset({"POST"}), re.compile(path), kind, handler)


def any_method(path: str, kind: Kind, handler: Handler) -> Address:
    """Add a row for a handler that refuses methods itself."""
    return Address(frozenset({"GET", "POST", "DELETE"}), re.compile(path), kind, handler)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The table of one mounted app."""

    rows: Sequence[Address]
    rules: Rules
    app: str = ""
    """The path of the app's mount."""

    def find(self, method: str, path: str) -> Found | None:
        for row in self.rows:
            if method in row.methods and (match := row.path.fullmatch(path)) is not None:
                names = match.groupdict()
                return Found(address=row, path=path, names=names, app=self.app)
        return None

    def access(self, method: str, path: str) -> Access:
        found = self.find(method, path)
        if found is None:
            return self.rules.no_access(method)
        return replace(self.rules.access(found.address.kind, method), found=found)

    def access_to_no_page(self, method: str, path: str) -> Access:
        """Return the access rules below a page that does not exist: strangers get the same refusals as below an
        existing page, signed-in callers get 404."""
        asked = self.access(method, path)
        if asked.who == "anyone":
            return asked
        return replace(asked, who="nobody", roles=frozenset(), found=None)

    def without(self, paths: Collection[str]) -> Self:
        """Return the table without the rows of these patterns."""
        return replace(self, rows=[row for row in self.rows if row.path.pattern not in paths])
