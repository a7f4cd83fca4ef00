"""Serve an author's apps in this process, with all data in memory, for the duration of a `with` block."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Final

import gradio as gr
import httpx
import structlog.testing
from anyio.from_thread import BlockingPortal, start_blocking_portal

from adapters.system.clock import StoppedClock
from application.container import Composition, build
from application.settings import Settings, load, quiet_gradio
from application.use_cases import UseCases
from domain.errors import UserNotFound
from domain.model.caller import Caller
from domain.model.session import Device
from domain.model.user import User, checked_roles
from domain.services.sessions import Opened
from entrypoints import ui
from entrypoints.app import Service, compose, pages_of
from entrypoints.event_loop import ServiceLoop
from entrypoints.testing.events import Events
from entrypoints.testing.people import Person, Steps, a_tab, run_in
from entrypoints.testing.refusals import note_faults
from entrypoints.testing.requests import InProcess
from entrypoints.testing.settings import must_be_settings
from entrypoints.web.cookies import Cookies

_PASSWORD: Final = "correct horse"  # noqa: S105 -- For accounts that only exist during a test.
_DEVICE: Final = Device(address="127.0.0.1", agent="entrypoints.testing")


@dataclass(frozen=True, kw_only=True)
class Served:
    """The service while it runs."""

    _portal: BlockingPortal
    _use_cases: UseCases
    _settings: Settings
    _clock: StoppedClock
    _events: Events
    _transport: InProcess
    _listening: dict[str, Steps]
    log: Sequence[Mapping[str, Any]]
    """The log records of the service so far. They are not printed."""

    def signed_in(
        self, email: str, *, name: str = "", roles: Iterable[str] | None = None
    ) -> Person:
        """Sign a person in on a new device. The account is made at its first sign-in. Its default name is the part of
        the e-mail before the @. `roles` replace the account's roles. Raises EmailInvalid, NameInvalid, RoleInvalid."""
        if isinstance(roles, str):
            raise TypeError(f'roles={roles!r} is a string. Write roles={{"{roles}"}}.')
        user, opened = run_in(self._portal, self._sign_in, email, name, roles)
        return self._person(user, opened.signed_token)

    def anonymous(self) -> Person:
        """Return a person who is not signed in."""
        return self._person(None, None)

    def passes(self, **time: float) -> None:
        """Move the service's clock, which otherwise stands still, forward: `passes(minutes=31)`. Takes the arguments of
        timedelta. Raises ValueError for less than nothing."""
        by = timedelta(**time)
        if by < timedelta():
            raise ValueError(f"The clock only goes forward, not by {by.total_seconds()} seconds.")
        self._clock.forward(by)

    def _person(self, user: User | None, signed_token: str | None) -> Person:
        here = self._settings.public_url or "http://localhost"
        cookie = Cookies.of(self._settings).session.name
        http = httpx.AsyncClient(
            transport=self._transport,
            base_url=here,
            headers={"origin": here},
            cookies={cookie: signed_token} if signed_token is not None else {},
            timeout=None,  # noqa: S113 -- An author's function may take any time.
        )
        return Person(
            _portal=self._portal,
            _use_cases=self._use_cases,
            _events=self._events,
            _http=http,
            _user=user,
            _signed_token=signed_token,
            _tab=a_tab(),
            _listening=self._listening,
        )

    async def _sign_in(
        self, email: str, name: str, roles: Iterable[str] | None
    ) -> tuple[User, Opened]:
        operator = Caller.operator()
        try:
            user = await self._use_cases.find_user(operator, email)
        except UserNotFound:
            user = await self._use_cases.create_user(
                operator, email=email, name=name, password=_PASSWORD, roles=roles or ()
            )
        wanted = user.roles if roles is None else checked_roles(roles)
        for role in wanted - user.roles:
            await self._use_cases.grant_role(operator, user.id, role)
        for role in user.roles - wanted:
            await self._use_cases.revoke_role(operator, user.id, role)
        return user, await self._use_cases.log_in(email, _PASSWORD, _DEVICE)


@contextmanager
def serving(*apps: ui.App, **settings: Any) -> Iterator[Served]:
    """Serve apps inside the block, behind the same gate and checks as in the real service.

    Each app is a `gr.Blocks`, a Page, `FILE.py:NAME` or `module:NAME`. Settings have their names from the README, in
    lower case. Afterwards all data is gone, except files, which stay in Gradio's folder: GRADIO_TEMP_DIR, or a folder
    in the system's temporary folder. Raises PageRefused, SettingsInvalid, and
    TypeError for an unknown setting.
    """
    if not apps:
        raise TypeError("serving() needs the apps to test, as in serving(demo).")
    for app in apps:
        _must_be_an_app(app)
    must_be_settings(settings)
    loaded = load(env_file=None, **{**settings, "environment": "test"})
    quiet_gradio(None)
    clock = StoppedClock()
    container = build(loaded, clock=clock)
    with (
        structlog.testing.capture_logs() as log,
        start_blocking_portal(backend_options={"loop_factory": ServiceLoop}) as portal,
    ):
        # In the portal's event loop: without a running loop, Gradio would make one and leave it open.
        service, events = portal.call(_compose, container, apps)
        transport = InProcess(service.gate)
        listening: dict[str, Steps] = {}
        with (
            portal.wrap_async_context_manager(service.running()),
            _closing(portal, transport, listening),
        ):
            yield Served(
                _portal=portal,
                _use_cases=container.use_cases(),
                _settings=loaded,
                _clock=clock,
                _events=events,
                _transport=transport,
                _listening=listening,
                log=log,
            )


def _must_be_an_app(app: object) -> None:
    if isinstance(app, str | gr.Blocks | ui.Page):
        return
    again = f" Write serving({str(app)!r})." if isinstance(app, PurePath) else ""
    raise TypeError(
        f'serving() takes a gr.Blocks, a Page or a text such as "FILE.py", not {type(app).__name__}.{again}'
    )


def _compose(container: Composition, apps: Sequence[ui.App]) -> tuple[Service, Events]:
    built = pages_of(apps)
    for page in built:
        note_faults(page.demo)
    service = compose(container, built)
    theirs = built[-len(apps) :]
    mounted = service.pages.pages
    return service, Events(mounted, authors=[one for one in mounted if one.page in theirs])


@contextmanager
def _closing(
    portal: BlockingPortal, transport: InProcess, listening: dict[str, Steps]
) -> Iterator[None]:
    try:
        yield
    finally:
        portal.call(transport.aclose)
        while listening:
            with suppress(RuntimeError):  # A stream that a thread is reading has just been closed.
                portal.call(listening.popitem()[1].aclose)
