"""FastAPI's dependencies: the use cases, the caller, and helpers for responses."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from application.settings import Settings
from application.use_cases import UseCases
from domain.errors import SessionEnded
from domain.model.caller import SignedIn
from domain.model.identity import Proof
from domain.model.session import KEPT_FOR, Device, Session, SessionId
from domain.model.user import User, UserId
from entrypoints.access import NOTES, PROOF, SIGNED_IN
from entrypoints.base_path import BasePath
from entrypoints.metrics import Metrics
from entrypoints.web.cookies import Cookies
from entrypoints.web.form_tokens import FormTokens
from entrypoints.web.next_page import safe_next
from entrypoints.web.origins import FRAMES
from entrypoints.web.pages import Pages
from entrypoints.web.violations import Violations

StartFor = Callable[[User], str]
"""Returns the address of the page to which `/` and a sign-in lead."""
PageAt = Callable[[str, User], str | None]
"""Returns the address of the app that a path belongs to, or None if there is none that this user may open."""


class HandOver(Protocol):
    async def __call__(
        self, former: SessionId, session: Session, *, signed_token: str | None = None
    ) -> None:
        """Let a new session go on with the open tabs of the browser's former one, which has expired or was replaced.
        With the new session's token, events of the former one that still run go on too."""


ScopesOf = Callable[[str], Collection[str]]
"""Returns what the pages need of a provider, by its name, beside what the operator asks it for."""
_Read = TypeVar("_Read")
JobStates = Callable[[], Mapping[str, str]]
"""Maps the name of each background job to "ok" or "degraded"."""


@dataclass(slots=True, kw_only=True)
class Front:
    """Everything that the routes share, stored in the application's state."""

    use_cases: UseCases
    settings: Settings
    pages: Pages
    cookies: Cookies
    form_tokens: FormTokens
    jobs: JobStates
    start_for: StartFor
    page_at: PageAt
    is_stopping: Callable[[], bool]
    hand_over: HandOver
    scopes_of: ScopesOf
    metrics: Metrics
    framers: Sequence[str] = ()
    """The sources of all sites whose frames may show a page of this service."""
    explained: set[str] = field(default_factory=set)
    """Addresses of apps whose requests at the root of the host have been logged."""
    violations: Violations = field(default_factory=Violations)
    has_admin: bool = False
    """True once an admin was found. There is always one afterwards, so the store need not be asked again."""

    @property
    def ui_address(self) -> str:
        return f"{self.settings.ui_path}/"

    @property
    def base(self) -> BasePath:
        return BasePath(self.settings.base_path)

    @property
    def now(self) -> datetime:
        return self.form_tokens.now()

    def safe_next(self, text: str | None) -> str | None:
        """Return the address to redirect to after sign-in, or None if it is not a safe path of this service."""
        return safe_next(self.base.without(text or ""))

    async def lacks_admin(self) -> bool:
        if not self.has_admin:
            self.has_admin = await self.use_cases.offer_setup() is None
        return not self.has_admin

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.pages.render(template, **values), status_code=status)

    async def with_session(
        self,
        request: Request,
        session: Session,
        signed_token: str,
        *,
        then: str | None,
        device_token: str = "",
        replaced: SessionId | None = None,
    ) -> Response:
        """Redirect to `then`, or else to the user's first page, with the new session's cookie, and the device's if it has
        become known. Let the new session go on with the tabs of `replaced`, and of the browser's expired session if it
        belongs to the same account. If another account has used this browser before, clear cache and storage (ASVS
        14.3.1), but not cookies, because that would end the new session."""
        # First of all: within a second, each stream of the replaced session finds out that it has ended.
        if replaced is not None:
            # If a proxy has to name the user with each request, events of the former session end.
            goes_on = None if self.settings.proxy_identity_header else signed_token
            await self.hand_over(replaced, session, signed_token=goes_on)
            note(request, takes_over=str(replaced))
        if then is None:
            me = await self.use_cases.recognise(signed_token, activity=False)
            then = self.start_for(me.user)
        expired = await self.expired_session(request, by=session.user_id)
        if expired is not None:
            await self.hand_over(expired, session)
            note(request, takes_over=str(expired))
        response = see_other(then)
        lifetime = session.ends_at - session.created_at + KEPT_FOR
        lasts = lifetime if session.is_remembered else None
        cookie = replace(self.cookies.session, lasts=lasts)
        response.headers.append("set-cookie", cookie.set(signed_token))
        account, storage = session.user_id, self.use_cases.browser_storage
        response.headers.append("set-cookie", self.cookies.last.set(storage.last(account)))
        if device_token:
            response.headers.append("set-cookie", self.cookies.device.set(device_token))
        if self.cookies.left.is_in(cookies_of(request)):
            response.headers.append("set-cookie", self.cookies.left.drop())
        last = self.cookies.last.value_in(cookies_of(request))
        # On a host that is shared with other services it would clear theirs too: the pages' script does it there.
        if not self.settings.base_path and not storage.was_last(account, last):
            response.headers["clear-site-data"] = '"cache", "storage"'
        return response

    async def expired_session(self, request: Request, *, by: UserId | None) -> SessionId | None:
        """Forget the expired session that the browser's cookie proves. Return its id if the account `by` may go on with
        its tabs."""
        token = self.cookies.session.value_in(cookies_of(request))
        return None if token is None else await self.use_cases.take_over_session(token, by=by)


def cookies_of(request: Request) -> str:
    return "; ".join(request.headers.getlist("cookie"))


def front(request: Request) -> Front:
    found: Front = request.app.state.front
    return found


def use_cases(request: Request) -> UseCases:
    return front(request).use_cases


def visitor(request: Request) -> SignedIn | None:
    """Return the caller that the gate has recognised, or None at an open address without a session."""
    found: SignedIn | None = request.scope["state"][SIGNED_IN]
    return found


def proof(request: Request) -> Proof:
    """Return what the identity header of the proxy in front proves, at an open address."""
    found: Proof = request.scope["state"].get(PROOF)
    return found


def signed_in(request: Request) -> SignedIn:
    """Return the caller at an address that needs a session. Raises SessionEnded."""
    found = visitor(request)
    if found is None:
        raise SessionEnded
    return found


def _at_once(read: Callable[[Request], _Read]) -> Callable[[Request], Awaitable[_Read]]:
    """Make a dependency that FastAPI calls on the event loop: it calls a plain function in a thread, which takes more
    time than the function."""

    async def dependency(request: Request) -> _Read:
        return read(request)

    return dependency


UseCasesDep = Annotated[UseCases, Depends(_at_once(use_cases))]
Me = Annotated[SignedIn, Depends(_at_once(signed_in))]


def device(request: Request) -> Device:
    client = request.scope.get("client")
    return Device.seen(client[0] if client else "", request.headers.get("user-agent", ""))


def public_address(request: Request) -> str:
    """Return the service's address for its users, without a slash at the end."""
    public = front(request).settings.public_url
    return public or f"{request.url.scheme}://{request.headers['host']}"


def device_token(request: Request) -> str | None:
    """Return the signed token of a browser that has signed in before."""
    return front(request).cookies.device.value_in(cookies_of(request))


def is_in_frame(request: Request) -> bool:
    """Return whether the browser will show the response in a frame."""
    return request.headers.get("sec-fetch-dest") in FRAMES


def see_other(address: str) -> Response:
    return RedirectResponse(address, status_code=303)


def note(request: Request, **fields: Any) -> None:
    """Add fields to the request's line in the log."""
    request.scope["state"][NOTES].update(fields)


def note_sign_in(request: Request, session: Session) -> None:
    note(request, outcome="signed in", user_id=str(session.user_id), session_id=str(session.id))
