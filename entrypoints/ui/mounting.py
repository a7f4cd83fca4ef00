"""Puts a page's app behind the guard: every setting of Gradio's mount chosen on purpose."""

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, cast

import gradio as gr
from fastapi import FastAPI
from gradio.block_function import BlockFunction
from gradio.routes import App
from gradio.utils import get_type_hints, get_upload_folder
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.settings import Settings
from application.use_cases import BrowserStorage, UseCases
from domain.model.caller import SignedIn
from domain.model.user import User
from entrypoints.access import CSP_REPORTS, SIGNED_IN, Access
from entrypoints.ui import gradio_files, handing, pixels, walks
from entrypoints.ui.answers import answer_with
from entrypoints.ui.assets import Assets
from entrypoints.ui.browser_state import PATH as CONFIG
from entrypoints.ui.browser_state import BrowserStates
from entrypoints.ui.calling import Calls, RunningEvents, is_served_no_longer
from entrypoints.ui.caps import INPUTS, NODE, NODES, PLACES, THREADS
from entrypoints.ui.claims import Claims
from entrypoints.ui.document import Document, header, storage
from entrypoints.ui.fair_queue import FairQueue
from entrypoints.ui.files import AppFiles
from entrypoints.ui.filtering import FilteredHeaders, without_credentials
from entrypoints.ui.guard import (
    MB,
    GradioAddresses,
    cache_control,
    is_mcp,
    is_queue_stream,
    is_stream,
    shared_below_a_name,
    try_events_first,
)
from entrypoints.ui.holding import Holdings
from entrypoints.ui.info import PATH as INFO
from entrypoints.ui.info import Described
from entrypoints.ui.injection import InjectionRefused, inject_into
from entrypoints.ui.inside import origin_of
from entrypoints.ui.isolation import Isolated
from entrypoints.ui.keeping import GradioMemory, replace_queue
from entrypoints.ui.launching import options_of
from entrypoints.ui.logins import Logins
from entrypoints.ui.mcp import McpServer
from entrypoints.ui.media_types import FilePolicies
from entrypoints.ui.policy import Policy, SourceRefused, policy_of
from entrypoints.ui.private_places import PrivatePlaces
from entrypoints.ui.roles import must_have_one_of, must_see, must_use, roles_of
from entrypoints.ui.sdk import Page, PageRefused
from entrypoints.ui.server_functions import ServerFunctions
from entrypoints.ui.slugs import is_slug, slug_of
from entrypoints.ui.streams import SESSION_EXPIRED, run_while_signed_in
from entrypoints.ui.threads import Threads
from entrypoints.ui.uploads import UploadFolder
from entrypoints.ui.values import State

REPLACED: Final = (
    handing.READING,
    walks.TRAVERSING,
    walks.NAMING,
    pixels.CHECKING,
    pixels.OPENING,
    pixels.TURNING,
    gradio_files.COPYING,
    gradio_files.MOVING,
    gradio_files.TABLES,
    gradio_files.LABELS,
)
"""In the whole process, while a service is mounted."""

BAR_CSS = Path(__file__).with_name("bar.css")
SESSION_JS = Path(__file__).with_name("session.js")
STORAGE_JS = Path(__file__).with_name("storage.js")
"""All are sent within the page: a request for them would hold up the first sight of every page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A page at its address."""

    page: Page
    path: str
    """Of the mount, without a slash at its end."""
    addresses: GradioAddresses

    def is_for(self, user: User) -> bool:
        return not self.addresses.roles or not self.addresses.roles.isdisjoint(user.roles)


@dataclass(frozen=True, kw_only=True)
class UI:
    """All mounted pages: their addresses, and what they ask of whoever comes."""

    settings: Settings
    claims: Claims
    private: PrivatePlaces
    pages: Sequence[Mounted]
    """In the order of the navigation; the first is the HomePage."""
    assets: Assets = field(default_factory=Assets)
    files: list[AppFiles] = field(default_factory=list)
    """Of the pages."""
    logins: Logins = field(default_factory=Logins)
    holdings: Holdings = field(default_factory=Holdings)
    running: RunningEvents = field(default_factory=RunningEvents)
    threads: Threads = field(default_factory=lambda: Threads(THREADS))
    """Of all pages."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is told to stop: open streams end then."""

    def access(self, method: str, path: str) -> Access:
        """An address below a name that no page has asks what it would below a page's, so that strangers see no
        difference."""
        below = path[len(self.settings.ui_path) :]
        name, slash, rest = below[1:].partition("/")
        mounted = self._by_slug.get(name)
        if mounted is not None and slash:
            return mounted.addresses.access(method, f"/{rest}")
        addresses = self.pages[0].addresses
        asked = addresses.access(method, below)
        return addresses.access_to_no_page(method, f"/{rest}") if asked.who == "nobody" else asked

    def links_for(self, user: User) -> list[tuple[str, str]]:
        """Titles and addresses of the pages that are there for this user."""
        return [(m.page.title, f"{m.path}/") for m in self.pages if m.is_for(user)]

    def is_spared(self, place: str) -> bool:
        """Return whether the file at this place of Gradio's folder belongs to one of the apps, and is never removed."""
        return any(files.is_spared(place) for files in self.files)

    def unmount(self) -> None:
        """Leaves each app as it was built: to be mounted once more, or to run alone."""
        for mounted in self.pages:
            _unmount_one(mounted)
        for replacement in REPLACED:
            replacement.end()

    @cached_property
    def _by_slug(self) -> Mapping[str, Mounted]:
        return {mounted.path.rpartition("/")[2]: mounted for mounted in self.pages[1:]}


def mount(
    api: FastAPI,
    pages: Sequence[Page],
    *,
    app: UseCases,
    settings: Settings,
    new_nonce: Callable[[], str],
) -> UI:
    """Mounts the first page at the UI's path and the others below it. Raises PageRefused."""
    home, *others = pages
    others.sort(key=lambda page: page.order)
    paths = [settings.ui_path, *(f"{settings.ui_path}/{slug(page)}" for page in others)]
    if len(set(paths)) < len(paths):
        raise PageRefused(f"Two pages have the same address: {', '.join(paths)}. Give one a path=.")
    below = {f"/{slug(page)}": f"{path}/" for page, path in zip(others, paths[1:], strict=True)}
    ui = UI(
        settings=settings,
        claims=Claims(app),
        private=PrivatePlaces.of(settings),
        pages=[
            Mounted(
                page=page,
                path=path,
                addresses=_addresses(page, path, settings, moved=below if page is home else {}),
            )
            for page, path in zip([home, *others], paths, strict=True)
        ],
    )
    for (
        page
    ) in pages:  # One number for all of them: it is told to strangers, also where there is no page.
        page.demo.app_id = home.demo.app_id
    calls = Calls(app=app, running=ui.running)
    with ExitStack() as if_one_is_refused:
        for mounted in ui.pages:  # The last one mounted is tried first.
            _mount_one(api, mounted, ui=ui, calls=calls, new_nonce=new_nonce)
            if_one_is_refused.callback(_unmount_one, mounted)
        if_one_is_refused.pop_all()
    _lead_to(api, settings.ui_path)
    for replacement in REPLACED:
        replacement.begin()
    return ui


def _lead_to(api: FastAPI, home: str) -> None:
    """The UI's path without its slash at the end is what people type; a mount answers only what is below it."""

    async def with_slash(request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"{home}/?{query}" if query else f"{home}/")

    api.router.add_route(home, with_slash, methods=["GET"], include_in_schema=False)


def _addresses(
    page: Page, path: str, settings: Settings, *, moved: Mapping[str, str]
) -> GradioAddresses:
    routes = [route for route, *_ in page.demo.pages if route]
    return GradioAddresses(
        body_limit=settings.body_limit_mb * MB,
        upload_limit=settings.upload_limit_mb * MB,
        roles=frozenset(page.roles),
        pages=frozenset({"", "/", *(f"/{route}" for route in routes)}),
        # Gradio itself would lead to the root of the host.
        moved={**moved, **{f"/{route}/": f"{path}/{route}" for route in routes}},
        has_mcp=settings.mcp,
        may_be_framed="frame-ancestors" in page.csp,
    )


def slug(page: Page) -> str:
    name = page.path or slug_of(page.title)
    if not is_slug(name):
        raise PageRefused(
            f"The page {page.title!r} needs another path= than {name!r}: lower-case letters, digits and '-'."
        )
    return name


def _mount_one(
    api: FastAPI, mounted: Mounted, *, ui: UI, calls: Calls, new_nonce: Callable[[], str]
) -> None:
    demo, path, addresses = mounted.page.demo, mounted.path, mounted.addresses
    options = options_of(demo)
    _inject(demo)
    demo.has_launched = True  # Else any file of the server can be named as an input.
    if demo._queue.max_size is None:  # noqa: SLF001 -- Gradio has no other way to ask.
        demo._queue.max_size = PLACES  # noqa: SLF001
    with warnings.catch_warnings():
        # Of several routes it says that it does without what we have switched off.
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        _mount_gradio(api, mounted, options)
    policy = _policy(mounted.page, ui.settings)  # The last that may refuse.
    threads = ui.threads if demo.max_threads == THREADS else Threads(demo.max_threads)
    replace_queue(demo, partial(FairQueue, threads=threads))
    demo.create_limiter = partial(setattr, demo, "limiter", threads)  # type: ignore[method-assign]
    route = api.router.routes[-1]
    assert isinstance(route, Mount)  # noqa: S101 -- What mount_gradio_app just added.
    # In front of all other routes: most requests are for here, and each route before is a pattern to try.
    api.router.routes.insert(0, api.router.routes.pop())
    demo.app = route.app  # type: ignore[assignment]
    try_events_first(route.app)
    files = AppFiles(demo, ui.claims, ui.private, kept_examples=mounted.page.kept_examples)
    files.wrap(demo)
    ui.files.append(files)
    browser_states = BrowserStates(demo, calls.app.browser_storage, page=path)
    browser_states.wrap(demo)
    calls.wrap(demo, place=path, needs_state=_needs_state, check=partial(_must_be_for, mounted))
    handing.wrap(demo)
    pixels.wrap(demo, limit=ui.settings.image_pixels)
    framers = [source for source in policy.directives["frame-ancestors"] if source != "'none'"]
    isolated = Isolated(
        inner=FilteredHeaders(
            route.app, path=path, addresses=addresses, policies=FilePolicies.framed_by(framers)
        ),
        path=path,
        memory=GradioMemory(demo, cast("App", route.app)),
        logins=ui.logins,
        holdings=ui.holdings,
        files=files,
        uploads=UploadFolder(demo=demo, path=get_upload_folder(), claims=ui.claims),
        server_functions=ServerFunctions(calls, path),
        threads=threads,
        new_name=new_nonce,
        upload_limit=addresses.upload_limit,
        inputs_limit=INPUTS * (addresses.body_limit + NODES * NODE),
    )
    described = Described(isolated, demo)
    guarded = _Guarded(
        isolated,
        described,
        browser_states,
        mounted=mounted,
        browser_storage=calls.app.browser_storage,
        ui=ui,
        new_nonce=new_nonce,
        policy=policy,
    )
    if addresses.has_mcp:
        guarded.mcp = McpServer(guarded, isolated, demo, title=mounted.page.title)
    route.app = guarded


def _unmount_one(mounted: Mounted) -> None:
    demo = mounted.page.demo
    for wrapped in ("process_api", "preprocess_data", "postprocess_data", "create_limiter"):
        vars(demo).pop(wrapped, None)
    demo.has_launched = False
    demo.limiter = None
    gradio_files.let_show(demo)
    replace_queue(demo)
    is_served_no_longer(mounted.path)


def _mount_gradio(api: FastAPI, mounted: Mounted, options: Mapping[str, Any]) -> None:
    gr.mount_gradio_app(
        api,
        mounted.page.demo,
        mounted.path,
        # Else an event past the queue answers addresses of files at the root of the host; it has to be the mount's own.
        root_path=mounted.path,
        footer_links=[],
        run_history=False,  # Else inputs and outputs stay in the browser past sign-out.
        auth_dependency=_email,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        **{
            **options,
            "max_file_size": mounted.addresses.file_limit(options.get("max_file_size")),
        },
    )


def _must_be_for(mounted: Mounted, built: BlockFunction) -> None:
    """Raises NotAllowed; asked before each step, since a role may go while an event runs."""
    if mounted.addresses.roles:
        must_have_one_of(mounted.addresses.roles, to_use=mounted.page.title)
    must_see(built)
    must_use(built)


_ENDPOINT: Final = "violations"
"""The name that a page's policy and its header give to the address for reports."""


def _policy(page: Page, settings: Settings) -> Policy:
    reporting = {"report-uri": (CSP_REPORTS,)}
    # Over http Chromium knows no endpoints, and with report-to it would not use report-uri either.
    if settings.is_https:
        reporting["report-to"] = (_ENDPOINT,)
    try:
        return policy_of(page.demo, page.csp, reporting=reporting)
    except SourceRefused as error:
        raise PageRefused(f"The csp= of the page {page.title!r}: {error}.") from error


def _email(request: HTTPConnection) -> str | None:
    signed_in: SignedIn | None = request.scope.get("state", {}).get(SIGNED_IN)
    return signed_in.user.email if signed_in else None


def _inject(demo: gr.Blocks) -> None:
    try:
        for fn in demo.fns.values():
            taken = inject_into(fn.fn) | inject_into(fn.validator)
            if fn.batch:
                _must_not_ask_who_calls(fn, taken)
            if taken and hasattr(fn.fn, "cache"):
                _must_not_be_cached(fn, taken)
        for block in demo.blocks.values():
            for server_function in getattr(block, "server_fns", ()):
                inject_into(server_function)
    except InjectionRefused as error:
        raise PageRefused(str(error)) from error


def _must_not_ask_who_calls(fn: BlockFunction, taken: frozenset[type]) -> None:
    """A batch is one call for several callers; Gradio would hand it the first one's request for all."""
    hints: dict[str, object] = get_type_hints(fn.fn) if fn.fn else {}  # type: ignore[no-untyped-call]
    asks = [kind.__name__ for kind in taken]
    if fn.connection == "stream":
        raise PageRefused(
            f"{fn.name} is a batch=True event of a stream: Gradio would send each caller the outputs of all. "
            "Make it batch=False."
        )
    if any(hint in {gr.Request, gr.Request | None} for hint in hints.values()):
        asks.append("gr.Request")
    if roles_of(fn.fn):
        asks.append("a role")
    if asks:
        raise PageRefused(
            f"{fn.name} is a batch=True event that takes {' and '.join(sorted(asks))}: it is called once for several "
            "callers. Make it batch=False, or do without."
        )


def _must_not_be_cached(fn: BlockFunction, taken: frozenset[type]) -> None:
    """Gradio keeps answers by what is typed, whoever typed it."""
    asks = " and ".join(sorted(kind.__name__ for kind in taken))
    raise PageRefused(
        f"{fn.name} is cached by gr.cache and takes {asks}: what one caller gets would be given to all. Make it without "
        "gr.cache, or without them."
    )


def _needs_state(fn: BlockFunction) -> bool:
    """Also of what gr.render has made meanwhile."""
    return State in inject_into(fn.fn)


class _Guarded:
    """Around one mounted Gradio app, behind the gate."""

    def __init__(
        self,
        inner: ASGIApp,
        described: Described,
        browser_states: BrowserStates,
        *,
        mounted: Mounted,
        browser_storage: BrowserStorage,
        ui: UI,
        new_nonce: Callable[[], str],
        policy: Policy,
    ) -> None:
        self._inner = inner
        self._policy = policy.below(mounted.path)
        endpoint = (b"reporting-endpoints", f'{_ENDPOINT}="{CSP_REPORTS}"'.encode())
        self._headers = [endpoint] if ui.settings.is_https else []
        self._described = described
        self._browser_states = browser_states
        self._browser_storage = browser_storage
        self._prefix = len(mounted.path)
        self._here = f"{mounted.path}/"
        self._is_home = mounted is ui.pages[0]
        self._addresses = mounted.addresses
        self._ui = ui
        self._new_nonce = new_nonce
        self.mcp: McpServer | None = None
        """Comes back to all of this with the calls that it is asked for."""
        self._css, self._script = BAR_CSS.read_text(), SESSION_JS.read_text()
        self._storage_script = STORAGE_JS.read_text()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        scope = without_credentials(scope)
        if self._is_home:
            scope = self._without_a_name(scope)
        await answer_with(self._answer, scope, receive, send)

    def _without_a_name(self, scope: Scope) -> Scope:
        """The same address below the HomePage, for what is the same below every name."""
        shared = shared_below_a_name(scope["path"][self._prefix :])
        if shared is None:
            return scope
        path = self._here + shared.removeprefix("/")
        return {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogatepass")}

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"][self._prefix :]
        if is_stream(path):
            await run_while_signed_in(
                self._inner,
                scope,
                receive,
                send,
                stopping=self._ui.stopping,
                last_words=SESSION_EXPIRED if is_queue_stream(path) else b"",
            )
        elif self.mcp is not None and is_mcp(path):
            await self.mcp.answer(scope, receive, send)
        elif path.rstrip("/") == INFO:
            roles = scope["state"][SIGNED_IN].user.roles
            await self._described.answer(scope, receive, send, roles=roles)
        elif path.rstrip("/") == CONFIG:
            user_id = scope["state"][SIGNED_IN].user.id
            await self._browser_states.answer(self._inner, scope, receive, send, user_id=user_id)
        elif path in self._addresses.pages:
            await self._inner(scope, receive, self._document(scope, send).send)
        elif path in self._addresses.moved:
            query = scope["query_string"].decode("latin-1")
            there = self._addresses.moved[path] + (f"?{query}" if query else "")
            await RedirectResponse(there)(scope, receive, send)
        elif (cached := cache_control(path, scope["query_string"])) is not None:
            send = _with_cache_control(send, cached)
            await self._ui.assets.answer(self._inner, scope, receive, send, path=path)
        else:
            await self._inner(scope, receive, send)

    def _document(self, scope: Scope, send: Send) -> Document:
        user: User = scope["state"][SIGNED_IN].user
        owner = self._browser_storage.owner(user.id)

        def seen(page: bytes) -> bytes:
            told = self._described.in_page(page, roles=user.roles)
            return self._browser_states.in_text(told, user_id=user.id)

        bar = header(
            project_name=self._ui.settings.project_name,
            user=user,
            links=self._ui.links_for(user),
            here=self._here,
            css=self._css,
            script=self._script,
        )
        return Document(
            send,
            first=storage(owner=owner, script=self._storage_script),
            header=bar,
            nonce=self._new_nonce(),
            policy=self._policy.at(origin_of(scope)),
            more=self._headers,
            seen=seen,
        )


def _with_cache_control(send: Send, value: str) -> Send:
    line = (b"cache-control", value.encode())

    async def changed(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in {200, 304}:
            message["headers"] = [*message["headers"], line]
        await send(message)

    return changed
