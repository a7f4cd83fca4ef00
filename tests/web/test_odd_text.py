"""Odd text anywhere in a request is accepted or refused, and never causes a fault."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
import jwt
import pytest

from adapters.security.keys import derived
from domain.model.signed_token import Purpose
from tests.web.conftest import BROWSER, HERE, PASSWORD, Door, Lines

NEW: Final = "battery staple"
ODD: Final = {
    "high half of a pair": "\ud800",
    "low half of a pair": "\udfff",
    "half of a pair inside": "a\ud800b",
    "halves in the wrong order": "\udc00\ud800",
    "NUL": "a\0b",
    "line break": "a\r\nset-cookie: a=b",
    "no character": "\uffff",
    "last character": "\U0010ffff",
    "right to left": "a\u202eb",
    "of another script": "é١\u0661",
    "empty": "",
    "long": "x" * 5000,
}
"""Texts that JSON can express and Python can hold."""
ODD_VALUES: Final[dict[str, Any]] = {
    **ODD,
    "infinity": float("inf"),
    "not a number": float("nan"),
    "large": 10**400,
    "fraction": 1.5,
    "true": True,
    "null": None,
    "list": [["\ud800"]],
    "object": {"\ud800": "\ud800"},
}
CLAIMS: Final = ("iss", "aud", "sub", "sid", "iat", "exp", "nbf", "jti", "\ud800")
FIELDS_OF_THE_HEADER: Final = ("alg", "kid", "typ", "crit", "b64", "jwk", "\ud800")

each_text = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
each_value = pytest.mark.parametrize("odd", ODD_VALUES.values(), ids=ODD_VALUES)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def tampered(door: Door, token: str, purpose: Purpose, odd: object) -> Iterator[str]:
    """Yield the token with each claim and each field of its header replaced or added, signed with
    the service's own key."""
    header = jwt.get_unverified_header(token)
    payload = jwt.decode(token, options={"verify_signature": False})
    key = derived(door.container.keys()[0].encode(), f"gradioapp jwt {purpose}")

    def signed(header: dict[str, Any], payload: dict[str, Any]) -> str:
        parts = [
            _base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload)
        ]
        text = ".".join(parts)
        return f"{text}.{_base64(hmac.digest(key, text.encode(), 'sha256'))}"

    assert signed(header, payload) == token  # Otherwise each refusal could have another reason.
    for claim in CLAIMS:
        yield signed(header, {**payload, claim: odd})
    for field in FIELDS_OF_THE_HEADER:
        yield signed({**header, field: odd}, payload)


def faults(lines: Lines) -> list[Any]:
    return [line for line in lines if line["event"] == "request failed"]


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in("ada@example.org", "admin") as client:
        yield client


@each_value
async def test_a_session_token_with_an_odd_value_is_refused(
    door: Door, lines: Lines, odd: object
) -> None:
    await door.has()
    token = (await door.opened()).signed_token

    async with door.client() as program, door.client(**BROWSER) as browser:
        for bad in tampered(door, token, Purpose.SESSION, odd):
            cookie = {"cookie": f"{door.cookie}={bad}"}
            told = await program.get("/gradio/", headers=cookie)
            led = await browser.get("/gradio/", headers=cookie)

            # A long token exceeds our limit, and the largest exceed the limit of a header.
            assert told.status_code in {401, 431}
            assert (led.status_code, led.headers.get("location", "")[:6]) in {
                (303, "/login"),
                (431, ""),
            }
    assert not faults(lines)


@each_value
async def test_a_form_token_with_an_odd_value_is_refused(
    door: Door, lines: Lines, odd: object
) -> None:
    await door.has()
    browser = "b" * 43
    token = door.form_tokens.offer(browser)
    form = "gradioapp-form"

    async with door.client(**BROWSER) as client:
        for bad in tampered(door, token, Purpose.FORM, odd):
            for path in ("/login", "/setup"):
                answer = await client.post(
                    path,
                    data={"username": "ada@example.org", "password": PASSWORD, "csrf_token": bad},
                    headers={"cookie": f"{form}={browser}"},
                )

                assert answer.status_code == 403
                assert door.cookie not in answer.cookies
    assert not faults(lines)


@each_value
async def test_a_setup_token_with_an_odd_value_is_refused(
    door: Door, lines: Lines, odd: object
) -> None:
    link = await door.use_cases.offer_setup()
    assert link is not None
    async with door.client(**BROWSER) as client:
        for bad in tampered(door, link, Purpose.SETUP, odd):
            answer = await client.get("/setup", params={"token": bad})

            assert answer.status_code == 403
    assert not faults(lines)


def _as_bytes(odd: str) -> bytes:
    return odd.encode("utf-8", "surrogatepass")


@each_text
async def test_headers_and_cookies_of_any_bytes_are_accepted_or_refused(
    door: Door, lines: Lines, odd: str
) -> None:
    value = _as_bytes(odd)
    cookies = [f"{door.cookie}=".encode() + value, b"gradioapp-form=" + value, value, value + b"=x"]
    pairs = [
        *((b"cookie", cookie) for cookie in cookies),
        *((b"authorization", scheme + value) for scheme in (b"Bearer ", b"Bearer gapp_", b"Basic ", b"")),
        *((name, value) for name in (b"user-agent", b"accept", b"referer", b"origin", b"sec-fetch-site")),
        *((name, value) for name in (b"x-forwarded-for", b"content-type", b"if-none-match", b"range")),
    ]  # fmt: skip

    for path in ("/gradio/", "/login", "/api/v1/me", "/setup", "/static/style.css"):
        for pair in pairs:
            for method in ("GET", "POST"):
                start, *_ = await door.asked(path, pair, method=method)

                assert start["status"] < 500, (method, path, pair)
    assert not faults(lines)


@each_text
async def test_paths_and_queries_of_any_bytes_are_accepted_or_refused(
    door: Door, ada: httpx.AsyncClient, lines: Lines, odd: str
) -> None:
    value = quote(_as_bytes(odd))
    cookie = (b"cookie", f"{door.cookie}={ada.cookies[door.cookie]}".encode())
    paths = [
        f"/{value}",
        f"/static/{value}",
        f"/gradio/{value}",
        f"/api/v1/{value}",
        f"/api/v1/users/{value}",
        f"/api/v1/users/{value}/sessions",
        f"/api/v1/me/sessions/{value}",
        f"/api/v1/me/tokens/{value}",
    ]
    queries = [
        ("/login", "next"),
        ("/logout", "next"),
        ("/setup", "token"),
        ("/api/v1/users", "search"),
        ("/api/v1/users", "after"),
        ("/api/v1/users", "limit"),
        ("/api/v1/me/sessions", "after"),
        ("/static/style.css", "v"),
        ("/gradio/", value),
    ]

    asked = [
        *((path, b"", method) for path in paths for method in ("GET", "DELETE", "PATCH")),
        *((path, f"{name}={value}".encode(), "GET") for path, name in queries),
    ]
    for headers in (
        (cookie,),
        (),
        (cookie, (b"accept", b"text/html")),
        ((b"accept", b"text/html"),),
    ):
        for path, query, method in asked:
            start, *_ = await door.asked(path, *headers, method=method, query=query)

            assert start["status"] < 500, (method, path, query)
    assert not faults(lines)


@each_text
async def test_a_path_with_half_a_surrogate_pair_is_refused(
    door: Door, lines: Lines, odd: str
) -> None:
    """uvicorn replaces invalid UTF-8; another server might pass on half a surrogate pair."""
    for headers in ((), tuple((n.encode(), v.encode()) for n, v in BROWSER.items())):
        for path in (f"/{odd}", f"/gradio/{odd}", f"/api/v1/users/{odd}"):
            start, *_ = await door.asked(path, *headers)

            assert start["status"] < 500
            assert start["status"] == 400 or "\ud800" not in odd
    assert not faults(lines)


@each_text
async def test_forms_of_any_text_are_accepted_or_refused(
    door: Door, lines: Lines, odd: str
) -> None:
    await door.has()
    value = _as_bytes(odd)
    browser = "b" * 43

    async with door.client(**BROWSER) as client:
        for path in ("/login", "/setup", "/logout"):
            for field in ("username", "password", "csrf_token", "next", "token", "email", "name"):
                fields: dict[str, Any] = {
                    "username": "ada@example.org",
                    "password": PASSWORD,
                    "csrf_token": door.form_tokens.offer(browser),
                    field: value,
                }
                answer = await client.post(
                    path,
                    content=urlencode(fields).encode(),
                    headers={
                        "content-type": "application/x-www-form-urlencoded",
                        "cookie": f"gradioapp-form={browser}",
                    },
                )

                assert answer.status_code < 500, (path, field)
                assert answer.headers.get("location", "/").startswith("/")
        door.passes(hours=1)
    assert not faults(lines)


@each_value
async def test_json_fields_of_any_value_are_accepted_or_refused(
    door: Door, ada: httpx.AsyncClient, lines: Lines, odd: object
) -> None:
    me = (await ada.get("/api/v1/me")).json()["id"]
    operations: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/api/v1/me/password", {"current": PASSWORD, "new": NEW}),
        ("POST", "/api/v1/me/tokens", {"name": "Nightly", "days": 1, "roles": ["admin"]}),
        ("POST", "/api/v1/users", {"email": "x@example.org", "name": "X", "password": NEW, "roles": []}),
        ("PATCH", f"/api/v1/users/{me}", {"name": "Ada", "roles": ["admin"], "is_active": True}),
        ("POST", "/csp-reports", {"csp-report": {}}),
    ]  # fmt: skip
    report = {
        "document-uri": f"{HERE}/gradio/",
        "effective-directive": "img-src",
        "blocked-uri": "https://x.test",
    }

    for method, path, fields in operations:
        kind = "application/csp-report" if path == "/csp-reports" else "application/json"
        bodies: list[object] = [{**fields, name: odd} for name in (*fields, "\ud800")]
        bodies += [{**fields, name: [odd]} for name in fields]
        bodies += [{"csp-report": {**report, name: odd}} for name in report]
        for accept in ({}, BROWSER):
            for body in bodies:
                sent = json.dumps(body).encode()
                answer = await ada.request(
                    method, path, content=sent, headers={"content-type": kind, **accept}
                )

                assert answer.status_code < 500, (path, body)
    assert not faults(lines)
