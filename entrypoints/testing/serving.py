"""The service with an author's apps, in memory and in this process, for the length of a `with`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

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
from entrypoints.testing.events import Events
from entrypoints.testing.people import Person, Steps, a_tab
from entrypoints.testing.refusals import note_faults
from entrypoints.testing.requests import InProcess
from entrypoints.web.cookies import Cookies

_PASSWORD: Final = "correct horse"  # noqa: S105 -- Of accounts that last as long as a test.
_DEVICE: Final = Device(address="127.0.0.1", agent="entrypoints.testing")


@dataclass(frozen=True, kw_only=True)
class Served:
    """The service while it runs."""

    _portal: BlockingPortal
    _app: UseCases
    _settings: Settings
    _clock: StoppedClock
    _events: Events
    _transport: InProcess
    _listening: dict[str, Steps]
    log: Sequence[Mapping[str, Any]]
    """What the service has logged so far; it is not printed."""

    def signed_in(
        self, email: str, *, name: str = "", roles: Iterable[str] | None = None
    ) -> Person:
        """On a device of its own; the account is made at its first sign-in. Its name is the e-mail's local part where
        none is said; `roles` become those of the account. Raises EmailInvalid, NameInvalid, RoleInvalid."""
        if isinstance(roles, str):
            raise TypeError(f'roles={roles!r} is a text: write roles={{"{roles}"}}.')
        user, opened = self._portal.call(self._sign_in, email, name, roles)
        return self._person(user, opened.token)

    def anonymous(self) -> Person:
        """Somebody who is not signed in."""
        return self._person(None, None)

    def passes(self, **time: float) -> None:
        """Puts the service's clock, which stands still, forward: `passes(minutes=31)`. Takes what timedelta takes."""
        self._clock.forward(timedelta(**time))

    def _person(self, user: User | None, token: str | None) -> Person:
        here = self._settings.public_url or "http://localhost"
        cookie = Cookies.of(self._settings).session.name
        http = httpx.AsyncClient(
            transport=self._transport,
            base_url=here,
            headers={"origin": here},
            cookies={cookie: token} if token is not None else {},
            timeout=None,  # noqa: S113 -- An author's function takes as long as it takes.
        )
        return Person(
            _portal=self._portal,
            _app=self._app,
            _events=self._events,
            _http=http,
            _user=user,
            _token=token,
            _tab=a_tab(),
            _listening=self._listening,
        )

    async def _sign_in(
        self, email: str, name: str, roles: Iterable[str] | None
    ) -> tuple[User, Opened]:
        operator = Caller.operator()
        try:
            user = await self._app.find_user(operator, email)
        except UserNotFound:
            user = await self._app.create_user(
                operator, email=email, name=name, password=_PASSWORD, roles=roles or ()
            )
        wanted = user.roles if roles is None else checked_roles(roles)
        for role in wanted - user.roles:
            await self._app.grant_role(operator, user.id, role)
        for role in user.roles - wanted:
            await self._app.revoke_role(operator, user.id, role)
        return user, await self._app.log_in(email, _PASSWORD, _DEVICE)


@contextmanager
def serving(*apps: ui.App, **settings: Any) -> Iterator[Served]:
    """Each app a `gr.Blocks`, a Page, `FILE.py:NAME` or `module:NAME`; settings by their names in the README, in lower
    case. Everything is in front of the apps that is there when they are served; nothing is kept afterwards
    but files, where Gradio keeps them: in GRADIO_TEMP_DIR, else among the temporary ones.
    Raises PageRefused, SettingsInvalid."""
    if not apps:
        raise TypeError("serving takes the apps to be tested, as in serving(demo).")
    loaded = load(env_file=None, **{**settings, "environment": "test"})
    quiet_gradio(None)
    clock = StoppedClock()
    container = build(loaded, clock=clock)
    with structlog.testing.capture_logs() as log, start_blocking_portal() as portal:
        # Here, since Gradio makes an event loop, and leaves it open, wherever none is running.
        service, events = portal.call(_compose, container, apps)
        transport = InProcess(service.gate)
        listening: dict[str, Steps] = {}
        with (
            portal.wrap_async_context_manager(service.running()),
            _closing(portal, transport, listening),
        ):
            yield Served(
                _portal=portal,
                _app=container.use_cases(),
                _settings=loaded,
                _clock=clock,
                _events=events,
                _transport=transport,
                _listening=listening,
                log=log,
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
            with suppress(RuntimeError):  # One that a thread is listening to has just been told.
                portal.call(listening.popitem()[1].aclose)
