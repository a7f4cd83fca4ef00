"""Mount pages behind the gate, with every setting of Gradio's mount set explicitly."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

import gradio as gr
from fastapi import FastAPI
from gradio.block_function import BlockFunction
from gradio.routes import App
from gradio.utils import get_upload_folder
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from application.settings import Settings
from application.use_cases import UseCases
from domain.model.session import Session
from entrypoints.access import CSP_REPORTS
from entrypoints.metrics import EventMetrics
from entrypoints.tracing import OFF, Tracing
from entrypoints.ui.addresses import MB, Addresses, Rules
from entrypoints.ui.apps import cached_examples, caches
from entrypoints.ui.apps.gradio_mount import mounted_by_gradio
from entrypoints.ui.apps.login_buttons import CLICKING, lead_to_our_pages
from entrypoints.ui.apps.recording import keep_as_served, no_longer_served
from entrypoints.ui.calls import own_updates, updates
from entrypoints.ui.calls.call import begin_serving, end_serving
from entrypoints.ui.calls.events import AsCaller, Calls
from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.calls.steps import Step, unwrap_events, wrap_events
from entrypoints.ui.delivery.api_description import ApiDescription
from entrypoints.ui.delivery.app_id import app_id_of
from entrypoints.ui.delivery.browser_storage import BrowserStates
from entrypoints.ui.delivery.custom_components import CustomComponents
from entrypoints.ui.delivery.document import Documents
from entrypoints.ui.delivery.headers import FilteredHeaders
from entrypoints.ui.delivery.media_types import FilePolicies
from entrypoints.ui.delivery.page_policy import ENDPOINT, policy_of_page, warn_of_stopped
from entrypoints.ui.delivery.refreshing import APP_ID, refresher
from entrypoints.ui.delivery.streams import Streams
from entrypoints.ui.files import gradio_files, reading, showing
from entrypoints.ui.files.app_files import AppFiles
from entrypoints.ui.files.chat_code import FIGURES, MESSAGES, keep_code_of
from entrypoints.ui.files.claims import Claims
from entrypoints.ui.files.event_files import EventFiles
from entrypoints.ui.files.private_places import PrivatePlaces
from entrypoints.ui.isolation import decoded_sounds, streamed_outputs
from entrypoints.ui.isolation.deep_links import DeepLinks
from entrypoints.ui.isolation.gradio_memory import DELETING_STATES, GradioMemory, replace_queue
from entrypoints.ui.isolation.pieces import StreamPieces
from entrypoints.ui.isolation.request import Isolation
from entrypoints.ui.isolation.server_functions import ServerFunctions
from entrypoints.ui.isolation.uploads import UploadFolder
from entrypoints.ui.limits import INPUTS, NODE, NODES, PLACES, THREADS
from entrypoints.ui.mcp.server import McpServer
from entrypoints.ui.mounted import UI, Mounted, framers_of
from entrypoints.ui.pages.last_used import LastUsed
from entrypoints.ui.queueing.counting import CountedEvents
from entrypoints.ui.queueing.event_time import UNLIMITED, EventTimes
from entrypoints.ui.queueing.fair_queue import FairQueue
from entrypoints.ui.queueing.threads import RUNNING, Threads
from entrypoints.ui.refusals import must_be_servable, paths_of, slug
from entrypoints.ui.sdk import Page, oauth
from entrypoints.ui.sdk.injection import TYPES, inject_into
from entrypoints.ui.sdk.roles import must_have_one_of, must_see, must_use
from entrypoints.ui.serving import Dispatcher, Handlers, addresses_of
from entrypoints.ui.wire import (
    dates,
    handed_bodies,
    media_programs,
    media_turns,
    pixels,
    value_walks,
)

REPLACED: Final = (
    RUNNING,
    TYPES,
    handed_bodies.READING,
    value_walks.TRAVERSING,
    value_walks.NAMING,
    pixels.CHECKING,
    pixels.OPENING,
    pixels.TURNING,
    pixels.PAGES,
    pixels.JPEGS_2000,
    pixels.LOADING,
    pixels.DRAWING,
    media_programs.STARTING,
    decoded_sounds.DECODING,
    decoded_sounds.DECODING_PIECES,
    decoded_sounds.ENCODING_PIECES,
    streamed_outputs.SOUNDS,
    streamed_outputs.ENDS_OF_SOUNDS,
    streamed_outputs.VIDEOS,
    streamed_outputs.ENDS_OF_VIDEOS,
    streamed_outputs.PROBING,
    streamed_outputs.COMBINING_SOUNDS,
    streamed_outputs.COMBINING_VIDEOS,
    own_updates.PROPERTIES,
    updates.FINISHING,
    MESSAGES,
    FIGURES,
    caches.FINDING,
    caches.WRAPPING,
    cached_examples.RUNNING,
    cached_examples.MAKING,
    oauth.SIGNED_IN,
    *oauth.FILLING,
    CLICKING,
    DELETING_STATES,
    dates.READING,
    gradio_files.COPYING,
    gradio_files.FLAGGING,
    gradio_files.UPLOADING,
    gradio_files.ALLOWING,
    gradio_files.MOVING,
    gradio_files.CONSTRUCTING,
    gradio_files.EXAMPLES,
    gradio_files.VIDEO_SUBTITLES,
    gradio_files.AUDIO_SUBTITLES,
    gradio_files.TABLES,
    gradio_files.LABELS,
    gradio_files.FETCHING,
    gradio_files.PUBLIC,
    gradio_files.SOUNDS,
    gradio_files.VIDEOS,
    gradio_files.PICTURES,
    gradio_files.IMAGES,
    gradio_files.GALLERIES,
    gradio_files.SLIDERS,
)
"""Functions of libraries that are replaced in the whole process while a service is mounted."""


def mount(
    api: FastAPI,
    pages: Sequence[Page],
    *,
    use_cases: UseCases,
    settings: Settings,
    new_nonce: Callable[[], str],
    sign_out_token: Callable[[Session], str],
    metrics: EventMetrics,
    times: EventTimes,
    tracing: Tracing = OFF,
) -> UI:
    """Mount the first page at the UI's path and the others below it. `sign_out_token` returns the token for the sign-out
    form in the bar. Raises PageRefused."""
    home, *others = pages
    others.sort(key=lambda page: page.order)
    paths = [settings.ui_path, *paths_of(others, settings)]
    if settings.replica_url is not None:
        home.demo.app_id = app_id_of(page.demo for page in (home, *others))
    for page in pages:
        # One number for all pages, because strangers can read it, even at addresses without a page.
        page.demo.app_id = home.demo.app_id
    ui = UI(
        settings=settings,
        claims=Claims(use_cases),
        private=PrivatePlaces.of(settings),
        times=times,
        threads=Threads(THREADS, times=times),
    )
    mounting = _Mounting(
        api=api,
        ui=ui,
        calls=Calls(use_cases=use_cases, running=ui.running, offered=ui.apps_for, base=ui.base),
        last_used=LastUsed(use_cases, lambda: [f"{mounted.path}/" for mounted in ui.pages[1:]]),
        new_nonce=new_nonce,
        sign_out_token=sign_out_token,
        metrics=metrics,
        tracing=tracing,
    )
    with ExitStack() as if_one_is_refused:
        for page, path in zip([home, *others], paths, strict=True):
            # A page's path without its trailing slash belongs to the HomePage's mount.
            below = {f"/{slug(p)}": f"{at}/" for p, at in zip(others, paths[1:], strict=True)}
            mounted = mounting.mounted(page, path, moved=below if page is home else {})
            if_one_is_refused.callback(_unmount_one, mounted)
            ui.pages.append(mounted)
        if_one_is_refused.pop_all()
    _redirect_to_trailing_slash(api, settings.ui_path)
    reading.watch_reading()
    for replacement in REPLACED:
        replacement.begin()
    return ui


def unmount(ui: UI) -> None:
    """Restore each app to the state in which it was built, so that it can be mounted again or run alone."""
    for mounted in ui.pages:
        _unmount_one(mounted)
        if mounted.page.let_end is not None:
            mounted.page.let_end()
    for replacement in REPLACED:
        replacement.end()
    media_programs.end_running()


def _redirect_to_trailing_slash(api: FastAPI, home: str) -> None:
    """Redirect the UI's path without its trailing slash, which people type: a mount only matches paths below it."""

    async def with_slash(request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"{home}/?{query}" if query else f"{home}/")

    api.router.add_route(home, with_slash, methods=["GET"], include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mounting:
    """Mounts pages, one after the other."""

    api: FastAPI
    ui: UI
    calls: Calls
    last_used: LastUsed
    new_nonce: Callable[[], str]
    sign_out_token: Callable[[Session], str]
    metrics: EventMetrics
    tracing: Tracing

    def mounted(self, page: Page, path: str, *, moved: Mapping[str, str]) -> Mounted:
        """Mount one page. `moved` maps paths below the page's to the addresses they are redirected to.
        Raises PageRefused."""
        demo, ui, settings = page.demo, self.ui, self.ui.settings
        rules = _rules(page, settings)
        must_be_servable(page, settings)
        _prepare(demo)
        restore_buttons = lead_to_our_pages(demo)
        route = mounted_by_gradio(self.api, page, path, rules, base=self.ui.base)
        oauth.warn_of_unknown_providers(page.title, page.scopes, settings.providers)
        policy = policy_of_page(page, settings)
        warn_of_stopped(page)
        # Who has used up their time can still sign out a device, for example.
        times = UNLIMITED if page.looks and not page.is_example else ui.times
        has_own = demo.max_threads != THREADS
        threads = Threads(demo.max_threads, times=times) if has_own else ui.threads
        counted = CountedEvents(self.metrics, self.tracing, path, frozenset(demo.fns.values()))
        replace_queue(demo, partial(FairQueue, threads=threads, counted=counted, times=times))
        demo.create_limiter = partial(setattr, demo, "limiter", threads)  # type: ignore[method-assign]
        files = AppFiles(demo, ui.claims, ui.private, kept_examples=page.kept_examples)
        browser_storage = self.calls.use_cases.browser_storage
        browser_states = BrowserStates(demo, browser_storage, page=path)
        custom_components = CustomComponents(demo)
        pieces = StreamPieces(ui.accounts, files)
        wrap_events(
            demo,
            self._steps(page, path, files, pieces, browser_states, custom_components, times),
        )
        begin_serving(path)
        gradio = FilteredHeaders(
            route.app, policies=FilePolicies.framed_by(rules.framers), base=ui.base
        )
        description = ApiDescription(gradio, demo)
        dispatcher = Dispatcher(gradio, path=path)
        memory = GradioMemory(demo, cast("App", route.app), held_by=ui.held_by)
        isolation = Isolation(
            inner=gradio,
            path=path,
            memory=memory,
            draining=ui.draining,
            accounts=ui.accounts,
            holdings=ui.holdings,
            files=files,
            uploads=UploadFolder(demo=demo, path=get_upload_folder(), claims=ui.claims),
            pieces=pieces,
            server_functions=ServerFunctions(self.calls, path, page.scopes),
            threads=threads,
            counted=counted,
            times=times,
            new_name=self.new_nonce,
            upload_limit=rules.upload_limit,
            inputs_limit=INPUTS * (rules.body_limit + NODES * NODE),
        )
        reports = ui.base.outside(CSP_REPORTS)
        endpoint = (b"reporting-endpoints", f'{ENDPOINT}="{reports}"'.encode())
        handlers = Handlers(
            gradio=gradio,
            isolation=isolation,
            assets=ui.assets,
            description=description,
            browser_states=browser_states,
            custom_components=custom_components,
            deep_links=DeepLinks(demo=demo, path=path, memory=memory, files=files),
            documents=Documents(
                gradio=gradio,
                description=description,
                browser_states=browser_states,
                browser_storage=browser_storage,
                project_name=settings.project_name,
                links_for=ui.links_for,
                framed_too=partial(ui.framed_like, rules.framers),
                here=f"{path}/",
                base=ui.base,
                is_ours=bool(page.looks),
                refresher=refresher(demo.app_id, ui.base.outside(f"{path}{APP_ID}"))
                if settings.reload
                else "",
                # The HomePage itself is mounted first.
                opened=self.last_used.note if ui.pages else None,
                sign_out_token=self.sign_out_token,
                policy=policy.below(ui.base.outside(path), sign_out=ui.base.outside("/logout")),
                headers=[endpoint] if settings.is_https else [],
                new_nonce=self.new_nonce,
            ),
            streams=Streams(
                ui.stopping, ui.accounts.watch, partial(self.metrics.open_stream, path)
            ),
            mcp=McpServer(dispatcher, isolation, demo, title=page.title, base=ui.base)
            if settings.mcp
            else None,
        )
        routes = [route for route, *_ in demo.pages if route]
        rows = addresses_of(
            handlers,
            pages=["", "/", *(f"/{route}" for route in routes)],
            # Gradio itself would redirect to the root of the host.
            moved={**moved, **{f"/{route}/": f"{path}/{route}" for route in routes}},
        )
        dispatcher.addresses = Addresses(tuple(rows), rules, app=path)
        route.app = dispatcher
        return Mounted(
            page=page,
            path=path,
            addresses=dispatcher.addresses,
            files=files,
            restore_buttons=restore_buttons,
        )

    def _steps(
        self,
        page: Page,
        path: str,
        files: AppFiles,
        pieces: StreamPieces,
        browser_states: BrowserStates,
        custom_components: CustomComponents,
        times: EventTimes,
    ) -> Sequence[Step]:
        """Return the steps that wrap each event of the app, the outermost first."""
        return (
            AsCaller(
                calls=self.calls,
                demo=page.demo,
                place=path,
                needs_state=_needs_state,
                check=partial(_must_be_for, page),
                measured=lambda signed_in: times.running({signed_in.user.id: 1}),
            ),
            oauth.AnswersOAuth(scopes=page.scopes),
            media_turns.MediaPrograms(),
            pixels.BoundedPixels(limit=self.ui.settings.image_pixels),
            handed_bodies.UnwrappedInputs(),
            browser_states,
            pieces,
            EventFiles(files),
            custom_components,
        )


def _rules(page: Page, settings: Settings) -> Rules:
    return Rules(
        body_limit=settings.body_limit_mb * MB,
        upload_limit=settings.upload_limit_mb * MB,
        roles=frozenset(page.roles),
        framers=framers_of(page),
    )


def _prepare(demo: gr.Blocks) -> None:
    keep_code_of(demo.blocks.values())
    keep_as_served(demo)
    demo.has_launched = True  # Otherwise an input can name any file of the server.
    if demo._queue.max_size is None:  # noqa: SLF001 -- Gradio has no other way to ask.
        demo._queue.max_size = PLACES  # noqa: SLF001


def _unmount_one(mounted: Mounted) -> None:
    demo = mounted.page.demo
    unwrap_events(demo)
    vars(demo).pop("create_limiter", None)
    no_longer_served(demo)
    mounted.restore_buttons()
    demo.has_launched = demo.is_running = False
    demo.limiter = None
    showing.let_show(demo)
    replace_queue(demo)
    end_serving(mounted.path)


def _must_be_for(page: Page, built: BlockFunction) -> None:
    """Raises NotAllowed. Checked before each step, because a role may be revoked while an event runs."""
    if page.roles:
        must_have_one_of(frozenset(page.roles), to_use=page.title)
    must_see(built)
    must_use(built)


def _needs_state(fn: BlockFunction) -> bool:
    """Return whether the function takes a State. Also injects into functions that gr.render has made meanwhile."""
    return State in inject_into(fn.fn)
