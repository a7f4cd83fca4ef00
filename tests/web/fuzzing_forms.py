"""Helpers of test_forms_fuzz.py: a description of our forms, cookies and the addresses for providers, and requests that
are generated from it. Importing schemathesis takes longer than fifty tests."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from adapters.memory.store import Tables
from tests.web.acts import COOKIE, opens_session
from tests.web.conftest import BROWSER, HERE, PASSWORD
from tests.web.fuzzing import credentials
from tests.web.houses import House
from tests.web.pages import token_of

EXAMPLES: Final = 25
"""Examples for each operation and caller."""
SECONDS: Final = 30.0
"""For all callers and operations together."""

NAMES: Final = ["corp", "done", "other", "CORP", "", "..", "corp/callback", "ä", "\u2028"]
COOKIES: Final = ("session", "form", "device", "last", "link", "sso", "sso-0123456789abcdef")
HEADERS: Final = ("authorization", "origin", "referer", "sec-fetch-site", "x-forwarded-for")
FORMS: Final[dict[str, tuple[str, ...]]] = {
    "/login": ("csrf_token", "username", "password", "next", "remember"),
    "/logout": ("csrf_token", "next"),
    "/setup": ("csrf_token", "token", "email", "name", "password"),
    "/login/{name}/link": ("csrf_token", "password", "username"),
    "/login/{name}/backchannel": ("logout_token",),
}
QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "/": ("next",),
    "/login": ("next", "with"),
    "/login/done": ("next",),
    "/logout": ("next",),
    "/setup": ("token",),
    "/login/{name}": ("next", "state"),
    "/login/{name}/callback": ("state", "code", "error", "error_description", "iss", "next"),
    "/gradio/": ("next", "__theme"),
    "/api/v1/me": (),
}


def _parameters(path: str, query: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if "{name}" in path:
        schema = {"anyOf": [{"enum": NAMES}, {"type": "string"}]}
        yield {"name": "name", "in": "path", "required": True, "schema": schema}
    for name in query:
        yield {"name": name, "in": "query", "schema": {"type": "string", "maxLength": 3000}}
    for name in COOKIES:
        yield {"name": f"gradioapp-{name}", "in": "cookie", "schema": {"type": "string"}}
    for name in HEADERS:
        yield {"name": name, "in": "header", "schema": {"type": "string"}}


def _operation(path: str, query: tuple[str, ...], form: tuple[str, ...] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {
        "parameters": list(_parameters(path, query)),
        "responses": {"default": {"description": "A page or a redirect."}},
    }
    if form:
        fields = {name: {"type": "string", "maxLength": 3000} for name in form}
        schema = {"type": "object", "properties": fields}
        told["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return told


def operations() -> list[Any]:
    paths: dict[str, dict[str, Any]] = {}
    for path, query in QUERIES.items():
        paths.setdefault(path, {})["get"] = _operation(path, query)
    for path, form in FORMS.items():
        paths.setdefault(path, {})["post"] = _operation(path, (), form)
    info = {"title": "Our forms", "version": "1"}
    described: Any = schemathesis.openapi.from_dict(
        {"openapi": "3.1.0", "info": info, "paths": paths}
    )
    return [found.ok() for found in described.get_all_operations()]


@dataclass(frozen=True, kw_only=True)
class Right:
    """Which parts of a request are right, so that it comes further than random text does."""

    csrf_token: bool
    account: bool
    sign_in: bool
    """It comes back from a sign-in that has begun, with a code that the provider did not give."""
    name: bool
    our_page: bool


RIGHT: Final = st.builds(
    Right,
    csrf_token=st.booleans(),
    account=st.booleans(),
    sign_in=st.booleans(),
    name=st.booleans(),
    our_page=st.booleans(),
)


class Enough(Exception):
    """The time is over. Making up more requests takes longer than sending them."""


@dataclass
class Attempts:
    house: House
    caller: str
    seen: set[int] = field(default_factory=set)

    def of(self, operation: Any, run: Any, *, seconds: float) -> None:
        """Send requests to one address, for so long at most."""
        until = time.monotonic() + seconds
        cases = st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )

        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, right=RIGHT)
        def attempt(case: Any, right: Right) -> None:
            if time.monotonic() > until:
                raise Enough
            run(self._send(case, right))

        with suppress(Enough):
            attempt()

    async def _send(self, case: Any, right: Right) -> None:
        door = self.house.door
        async with door.client(**BROWSER) as browser:
            cookie = (await credentials(door, self.caller)).get("cookie", "")
            if cookie:
                browser.cookies.set(COOKIE, cookie.partition("=")[2])
            await self._make_right(browser, case, right)
            before = self._kept()
            answer = await browser.send(_request(browser, case, right))

        after = self._kept()
        self.seen.add(answer.status_code)
        assert answer.status_code < 500, answer.text
        assert not opens_session(answer)
        assert set(after.sessions) <= set(before.sessions)
        assert (after.users, after.identities) == (before.users, before.identities)
        assert after.access_tokens == before.access_tokens

    def _kept(self) -> Tables:
        tables: Tables = self.house.door.container.store().tables
        return tables.copied()

    async def _make_right(self, browser: httpx.AsyncClient, case: Any, right: Right) -> None:
        path = case.operation.path
        if right.name and "name" in (case.path_parameters or {}):
            case.path_parameters["name"] = "corp"
        if right.sign_in and path == "/login/{name}/callback":
            sent = await browser.get("/login/corp")
            query = httpx.URL(self.house.comes_back(sent)).params
            case.query = {**(case.query or {}), "state": query["state"]}
        if not isinstance(case.body, dict):
            return
        if right.csrf_token and "csrf_token" in FORMS[path]:
            where = "/logout" if path == "/logout" and self.caller != "anonymous" else "/login"
            page = await browser.get(where)
            if page.status_code == 200:
                case.body["csrf_token"] = token_of(page)
        if right.account and path == "/login":
            case.body["username"] = "admin@example.org"
        assert case.body.get("password") != PASSWORD


def _request(browser: httpx.AsyncClient, case: Any, right: Right) -> httpx.Request:
    """Return the request with the generated cookies beside the browser's own."""
    sent = case.as_transport_kwargs(base_url=HERE)
    made = dict(sent.pop("cookies", None) or {})
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    own = {one.name: one.value or "" for one in browser.cookies.jar}
    pairs = [*own.items(), *((name, value) for name, value in made.items() if name not in own)]
    headers = {name.lower(): value for name, value in sent.pop("headers").items()}
    headers.pop("cookie", None)
    if right.our_page:
        for name in ("referer", "sec-fetch-site", "authorization"):
            headers.pop(name, None)
        headers["origin"] = HERE
    request = browser.build_request(
        sent.pop("method"),
        sent.pop("url"),
        headers={**BROWSER, **{name: _bytes(value) for name, value in headers.items()}},
        **sent,
    )
    request.headers.pop("cookie", None)
    text = "; ".join(f"{name}={value}" for name, value in pairs)
    if text:
        request.headers.raw.append((b"cookie", _bytes(text)))
    return request


def _bytes(value: object) -> Any:
    return str(value).encode("utf-8", "surrogatepass")
