"""Everything of our own that changes something: each act is a request that is right, and that others may try to forge."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from domain.model.session import Session
from tests.web.conftest import BROWSER, PASSWORD, Door
from tests.web.houses import House
from tests.web.pages import sign_in, token_of

ROOT, BOB, ADA = "root@example.org", "bob@example.org", "ada@example.org"
NEW_PASSWORD: Final = "another battery staple"
COOKIE: Final = "gradioapp-session"


@dataclass(kw_only=True)
class Sent:
    """A request that is right."""

    http: httpx.AsyncClient
    path: str
    method: str = "POST"
    form: dict[str, str] | None = None
    json: Any = None
    json_type: str = "application/json"
    is_changing: bool = True
    """False for a report, which is only logged."""

    @property
    def has_session_cookie(self) -> bool:
        return any(one.name == COOKIE for one in self.http.cookies.jar)

    @property
    def body(self) -> bytes:
        if self.form is not None:
            return urlencode(self.form).encode()
        return b"" if self.json is None else httpx.Request("POST", "x:", json=self.json).content

    @property
    def content_type(self) -> str:
        if self.form is not None:
            return "application/x-www-form-urlencoded"
        return "" if self.json is None else self.json_type

    async def with_headers(
        self, headers: list[tuple[str, str]], *, method: str = "", content_type: str | None = None
    ) -> httpx.Response:
        """Send the request with exactly these headers beside its cookies and its content type."""
        kind = self.content_type if content_type is None else content_type
        typed = [("content-type", kind)] if kind else []
        cookies = "; ".join(f"{one.name}={one.value}" for one in self.http.cookies.jar)
        sent = httpx.Request(
            method or self.method,
            f"http://localhost{self.path}",
            headers=[*([("cookie", cookies)] if cookies else []), *typed, *headers],
            content=self.body,
        )
        return await self.http._transport.handle_async_request(sent)


Prepare = Callable[[House], Awaitable[Sent]]


def new_browser(door: Door) -> httpx.AsyncClient:
    return door.client(**BROWSER)


async def an_admin(house: House) -> httpx.AsyncClient:
    """Sign an admin in, as a browser does it."""
    await house.door.has(ROOT, "admin")
    return await a_session_of(house, ROOT)


async def a_session_of(house: House, email: str) -> httpx.AsyncClient:
    http = new_browser(house.door)
    assert (await sign_in(http, email, PASSWORD)).status_code == 303
    return http


async def signs_in(house: House) -> Sent:
    await house.door.has(ADA)
    http = new_browser(house.door)
    token = token_of(await http.get("/login"))
    form = {"csrf_token": token, "username": ADA, "password": PASSWORD, "next": "/gradio/x"}
    return Sent(http=http, path="/login", form=form)


async def stays_signed_in(house: House) -> Sent:
    sent = await signs_in(house)
    assert sent.form is not None
    sent.form["remember"] = "yes"
    return sent


async def signs_in_over_another(house: House) -> Sent:
    await house.door.has(BOB)
    sent = await signs_in(house)
    await sign_in(sent.http, BOB, PASSWORD)
    return sent


async def takes_over(house: House) -> Sent:
    sent = await signs_in(house)
    await sign_in(sent.http, ADA, PASSWORD)
    house.door.passes(minutes=31)
    assert sent.form is not None
    sent.form["csrf_token"] = token_of(await sent.http.get("/login"))
    assert sent.has_session_cookie
    return sent


async def signs_out(house: House) -> Sent:
    http = await an_admin(house)
    token = token_of(await http.get("/logout"))
    return Sent(http=http, path="/logout", form={"csrf_token": token})


async def signs_out_in_the_bar(house: House) -> Sent:
    http = await an_admin(house)
    token = house.door.form_tokens.offer_in_bar(await session_of(house, http))
    return Sent(http=http, path="/logout", form={"csrf_token": token})


async def forgets_an_expired_session(house: House) -> Sent:
    http = await an_admin(house)
    house.door.passes(minutes=31)
    return Sent(http=http, path="/logout", form={})


async def sets_up(house: House) -> Sent:
    token = await house.door.use_cases.offer_setup()
    assert token is not None
    http = new_browser(house.door)
    page = await http.get("/setup", params={"token": token})
    form = {"token": token, "email": ROOT, "name": "Root", "password": NEW_PASSWORD}
    return Sent(http=http, path="/setup", form={"csrf_token": token_of(page), **form})


async def links(house: House) -> Sent:
    await house.door.has(ADA, "admin")
    http = new_browser(house.door)
    page = await house.signs_in(http)
    form = {"csrf_token": token_of(page), "password": PASSWORD}
    return Sent(http=http, path="/login/corp/link", form=form)


async def ends_at_provider(house: House) -> Sent:
    """The provider's server has no cookie. Pages have none for it either, but let us refuse them all the same."""
    await house.door.has(ADA)
    await house.signs_in(new_browser(house.door))
    http = new_browser(house.door)
    return Sent(http=http, path="/login/corp/backchannel", form=house.logout_token())


async def changes_password(house: House) -> Sent:
    http = await an_admin(house)
    change = {"current": PASSWORD, "new": NEW_PASSWORD}
    return Sent(http=http, path="/api/v1/me/password", json=change)


async def ends_a_session(house: House) -> Sent:
    http = await an_admin(house)
    other = (await house.door.opened(ROOT)).session.id
    return Sent(http=http, method="DELETE", path=f"/api/v1/me/sessions/{other}")


async def ends_other_sessions(house: House) -> Sent:
    http = await an_admin(house)
    await house.door.opened(ROOT)
    return Sent(http=http, method="DELETE", path="/api/v1/me/sessions")


async def makes_a_token(house: House) -> Sent:
    return Sent(http=await an_admin(house), path="/api/v1/me/tokens", json={"name": "Nightly"})


async def revokes_a_token(house: House) -> Sent:
    http = await an_admin(house)
    made = await house.door.makes_token(ROOT)
    return Sent(http=http, method="DELETE", path=f"/api/v1/me/tokens/{made.token.id}")


async def confirms_who_it_is(house: House) -> Sent:
    http = await an_admin(house)
    house.door.passes(minutes=11)
    await http.get("/api/v1/me")  # Otherwise the first request would still be noted as activity.
    return Sent(http=http, path="/api/v1/me/confirmation", json={"password": PASSWORD})


async def revokes_a_token_of_another(house: House) -> Sent:
    http, bob = await an_admin(house), await house.door.has(BOB)
    made = await house.door.makes_token(BOB)
    return Sent(http=http, method="DELETE", path=f"/api/v1/users/{bob.id}/tokens/{made.token.id}")


async def revokes_all_tokens_of_another(house: House) -> Sent:
    http, bob = await an_admin(house), await house.door.has(BOB)
    await house.door.makes_token(BOB)
    return Sent(http=http, method="DELETE", path=f"/api/v1/users/{bob.id}/tokens")


async def makes_an_account(house: House) -> Sent:
    new = {"email": BOB, "name": "Bob", "roles": ["analyst"]}
    return Sent(http=await an_admin(house), path="/api/v1/users", json=new)


async def changes_an_account(house: House) -> Sent:
    http, bob = await an_admin(house), await house.door.has(BOB)
    path = f"/api/v1/users/{bob.id}"
    return Sent(http=http, method="PATCH", path=path, json={"roles": ["admin"]})


async def ends_sessions_of_an_account(house: House) -> Sent:
    http, bob = await an_admin(house), await house.door.has(BOB)
    await house.door.opened(BOB)
    return Sent(http=http, method="DELETE", path=f"/api/v1/users/{bob.id}/sessions")


async def reports(house: House) -> Sent:
    report = [{"type": "csp-violation", "body": {"documentURL": "http://localhost/"}}]
    http = await an_admin(house)
    return Sent(
        http=http,
        path="/csp-reports",
        json=report,
        json_type="application/reports+json",
        is_changing=False,
    )


async def session_of(house: House, http: httpx.AsyncClient) -> Session:
    me = await house.door.use_cases.recognise(http.cookies[COOKIE], activity=False)
    return me.session


def opens_session(answer: httpx.Response) -> bool:
    return any(
        cookie.startswith(f"{COOKIE}=") and not cookie.startswith(f"{COOKIE}=;")
        for cookie in answer.headers.get_list("set-cookie")
    )


FORMS: Final[dict[str, Prepare]] = {
    "sign in": signs_in,
    "keep me signed in": stays_signed_in,
    "sign in over another session": signs_in_over_another,
    "go on after an expired session": takes_over,
    "sign out": signs_out,
    "sign out in the bar": signs_out_in_the_bar,
    "sign out after an expired session": forgets_an_expired_session,
    "set up": sets_up,
    "link an admin": links,
    "back-channel logout": ends_at_provider,
}
READS_NO_FORM: Final = "sign out after an expired session"
API_ACTS: Final[dict[str, Prepare]] = {
    "change my password": changes_password,
    "end one of my sessions": ends_a_session,
    "end my other sessions": ends_other_sessions,
    "make a token": makes_a_token,
    "revoke a token": revokes_a_token,
    "confirm who it is": confirms_who_it_is,
    "revoke a token of another": revokes_a_token_of_another,
    "revoke all tokens of another": revokes_all_tokens_of_another,
    "make an account": makes_an_account,
    "change an account": changes_an_account,
    "end the sessions of an account": ends_sessions_of_an_account,
    "report a violation": reports,
}
ACTS: Final = FORMS | API_ACTS
