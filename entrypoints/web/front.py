"""What the routes need: the use cases, and the means to answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from application.settings import Settings
from application.use_cases import UseCases
from domain.errors import SessionEnded
from domain.model.caller import SignedIn
from domain.model.session import Device, Session
from entrypoints.access import NOTES, SIGNED_IN
from entrypoints.web.cookies import Cookies
from entrypoints.web.pages import Pages
from entrypoints.web.static_files import StaticFiles
from entrypoints.web.violations import Violations

JobStates = Callable[[], Mapping[str, str]]
"""Of each background job, by its name, "ok" or "degraded"."""


@dataclass(slots=True, kw_only=True)
class Front:
    app: UseCases
    settings: Settings
    pages: Pages
    files: StaticFiles
    cookies: Cookies
    jobs: JobStates
    violations: Violations = field(default_factory=Violations)
    has_admin: bool = False
    """Once there is one, one stays: nobody needs to ask again."""

    @property
    def ui_address(self) -> str:
        return f"{self.settings.ui_path}/"

    async def lacks_admin(self) -> bool:
        if not self.has_admin:
            self.has_admin = await self.app.offer_setup() is None
        return not self.has_admin

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.pages.render(template, **values), status_code=status)

    def with_session(
        self, request: Request, session: Session, token: str, *, then: str
    ) -> Response:
        """Signed in from here on, in place of whatever the browser brought. What another account has left in the
        browser is cleared (ASVS 14.3.1); never cookies, which would end the session with it."""
        answer = see_other(then)
        answer.headers.append("set-cookie", self.cookies.session.set(token))
        account, storage = session.user_id, self.app.browser_storage
        answer.headers.append("set-cookie", self.cookies.last.set(storage.last(account)))
        last = self.cookies.last.value_in("; ".join(request.headers.getlist("cookie")))
        if not storage.was_last(account, last):
            answer.headers["clear-site-data"] = '"cache", "storage"'
        return answer


def front(request: Request) -> Front:
    found: Front = request.app.state.front
    return found


def use_cases(request: Request) -> UseCases:
    return front(request).app


def visitor(request: Request) -> SignedIn | None:
    """Who the gate recognised, on an open address perhaps nobody."""
    found: SignedIn | None = request.scope["state"][SIGNED_IN]
    return found


def signed_in(request: Request) -> SignedIn:
    """Raises SessionEnded; the gate lets nobody else come here."""
    found = visitor(request)
    if found is None:
        raise SessionEnded
    return found


App = Annotated[UseCases, Depends(use_cases)]
Me = Annotated[SignedIn, Depends(signed_in)]


def device(request: Request) -> Device:
    client = request.scope.get("client")
    return Device.seen(client[0] if client else "", request.headers.get("user-agent", ""))


def see_other(address: str) -> Response:
    return RedirectResponse(address, status_code=303)


def note(request: Request, **fields: Any) -> None:
    """Goes to the request's line in the log."""
    request.scope["state"][NOTES].update(fields)


def note_sign_in(request: Request, session: Session) -> None:
    note(request, outcome="signed in", user_id=str(session.user_id), session_id=str(session.id))
