"""The gate: requests that it passes and refuses, and the headers of every response."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from application.settings import SettingsInvalid, load
from application.use_cases import UseCases
from domain.errors import StoreUnavailable
from domain.ports.unit_of_work import UnitOfWork, UnitsOfWork
from entrypoints.web.cookies import Cookies
from entrypoints.web.headers import OWN_POLICY, ResponseHeaders
from entrypoints.web.routes import ROUTERS
from tests.web.conftest import BROWSER, Door, Lines, MakeDoor


class NoStore(UnitsOfWork):
    """Units of work of a database that is unavailable."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable


def without_store(use_cases: UseCases) -> UseCases:
    gone = NoStore()
    return replace(
        use_cases,
        recognise=replace(use_cases.recognise, units_of_work=gone),
        offer_setup=replace(use_cases.offer_setup, units_of_work=gone),
    )


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in() as client:
        yield client


async def test_a_signed_in_request_passes_the_gate_with_its_session(
    door: Door, ada: httpx.AsyncClient
) -> None:
    me = await door.use_cases.recognise(ada.cookies[door.cookie], activity=False)
    await door.use_cases.change_session_data(me.caller, {"note": {"text": "hello"}})

    answer = await ada.get("/gradio/")

    seen = answer.json()
    assert seen["email"] == "ada@example.org"
    assert seen["session"] == {"note": {"text": "hello"}}
    assert seen["again"] == str(me.user.id)
    assert seen["request_id"] == answer.headers["x-request-id"]


async def test_a_browser_without_a_session_is_redirected_to_sign_in_and_back(door: Door) -> None:
    async with door.client(**BROWSER) as browser:
        answer = await browser.get("/gradio/reports/a%20b?x=1&y=%2F")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/gradio/reports/a%2520b%3Fx%3D1%26y%3D%252F"


async def test_an_unsafe_next_is_dropped_from_the_sign_in_redirect(
    door: Door, subtests: pytest.Subtests
) -> None:
    for path in ["/x\\y", "/" + "x" * 3000]:
        with subtests.test(path=path):
            async with door.client(**BROWSER) as browser:
                answer = await browser.get(httpx.URL("http://localhost", path=path))

            assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_a_program_without_a_session_gets_401_with_the_sign_in_address(
    door: Door, subtests: pytest.Subtests
) -> None:
    for method, headers in [
        ("GET", {}),
        ("GET", {"accept": "application/json"}),
        ("POST", BROWSER),
        ("GET", {"accept": "text/html", "sec-fetch-mode": "cors"}),
    ]:
        with subtests.test(method=method, headers=headers):
            async with door.client() as client:
                answer = await client.request(method, "/gradio/size", headers=headers)

            assert answer.status_code == 401
            if "html" not in answer.headers["content-type"]:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["login"] == "/login"
                assert answer.json()["error"] == "Connection errored out. "


@pytest.mark.asvs("V7.2.1")
async def test_an_invalid_session_cookie_is_refused(door: Door) -> None:
    await door.has()
    await door.has("eve@example.org")
    good, other = (
        (await door.opened()).signed_token,
        (await door.opened("eve@example.org")).signed_token,
    )
    head, body, signature = good.split(".")
    bad = [
        "",
        "x",
        "a.b.c",
        f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        f"{head}.{other.split('.')[1]}.{signature}",
        f"{head}.{body}.",
        good + "\0",
        f"{good}, {good}",
        f'"{good}"',
        "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
        "x" * 100_000,
        "\xff\xfe",
    ]
    async with door.client() as client:
        statuses = [
            (
                await client.get(
                    "/gradio/", headers=[(b"cookie", f"{door.cookie}={value}".encode("latin-1"))]
                )
            ).status_code
            for value in bad
        ]
        fine = await client.get("/gradio/", headers={"cookie": f"a=b; {door.cookie}={good}; c=d"})

    assert set(statuses) <= {401, 431}
    assert fine.status_code == 200


@pytest.mark.asvs("V3.3.3")
async def test_two_session_cookies_are_refused(door: Door) -> None:
    await door.has()
    token = (await door.opened()).signed_token
    doubled = f"{door.cookie}={token}; {door.cookie}={token}"
    split = [("cookie", f"{door.cookie}={token}"), ("cookie", f"{door.cookie}={token}")]

    async with door.client() as client:
        answers = [
            await client.get("/gradio/", headers={"cookie": doubled}),
            await client.get("/gradio/", headers=split),
        ]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize(("length", "is_read"), [(4096, True), (4097, False)])
def test_a_cookie_that_is_too_long_is_not_read(length: int, is_read: bool) -> None:  # noqa: FBT001 -- A parameter.
    cookie = Cookies.of(load(env_file=None, environment="test")).session

    assert (cookie.value_in(f"gradioapp-session={'x' * length}") is not None) is is_read


@pytest.mark.asvs("V7.3.1", "V7.3.2", "V7.4.1")
async def test_a_session_that_was_revoked_is_refused_and_its_cookie_removed(
    door: Door, ada: httpx.AsyncClient
) -> None:
    me = await door.use_cases.recognise(ada.cookies[door.cookie], activity=False)
    await door.use_cases.revoke_session(me.caller, me.session.id)

    answer = await ada.get("/gradio/", headers=BROWSER)

    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_an_expired_session_keeps_its_cookie_for_the_next_sign_in(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(minutes=44)
    expired = await ada.get("/gradio/", headers=BROWSER)
    door.passes(minutes=1)
    await door.use_cases.purge_sessions()
    purged = await ada.get("/gradio/", headers=BROWSER)

    assert (expired.status_code, purged.status_code) == (303, 303)
    assert "set-cookie" not in expired.headers
    assert "Max-Age=0" in purged.headers["set-cookie"]


async def test_a_401_says_why_nobody_is_signed_in(door: Door, ada: httpx.AsyncClient) -> None:
    async with door.client() as stranger:
        door.passes(minutes=31)
        told = [await stranger.get("/gradio/"), await ada.get("/gradio/")]
        door.passes(minutes=15)
        await door.use_cases.purge_sessions()
        told.append(await ada.get("/gradio/"))

    kinds = ["session-ended", "session-expired", "session-ended"]
    assert [one.json()["reason"] for one in told] == ["signed out", "expired", "ended"]
    assert {one.json()["login"] for one in told} == {"/login"}
    assert [one.json()["type"].rpartition(":")[2] for one in told] == kinds


async def test_a_401_does_not_remove_the_cookie_of_an_ended_session(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(days=1)

    answer = await ada.get("/gradio/")

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.asvs("V7.3.1")
async def test_only_activity_keeps_a_session_awake(door: Door) -> None:
    async with await door.signed_in() as active, await door.signed_in() as passive:
        for _ in range(2):
            door.passes(minutes=20)
            kept = await active.get("/api/v1/me")
            idle = await passive.get("/api/v1/me", headers={"x-gradioapp-passive": "1"})

    assert (kept.status_code, idle.status_code) == (200, 401)


@pytest.mark.asvs("V16.5.3")
async def test_an_unavailable_store_is_503_for_signed_in_requests(
    door: Door, make_door: MakeDoor, subtests: pytest.Subtests
) -> None:
    token = (await door.opened((await door.has()).email)).signed_token
    broken = make_door(lambda _: without_store(door.use_cases))

    for path in ["/gradio/", "/", "/login", "/api/v1/me"]:
        with subtests.test(path=path):
            async with broken.client(cookie=f"gradioapp-session={token}") as client:
                answer = await client.get(path)

            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "urn:gradioapp:problem:store-unavailable"


async def test_assets_and_liveness_work_without_a_store(make_door: MakeDoor) -> None:
    door = make_door(without_store)

    async with door.client(cookie="gradioapp-session=a.b.c") as client:
        answers = [
            await client.get(path)
            for path in ("/healthz", "/static/style.css", "/favicon.ico", "/manifest.json")
        ]

    assert {answer.status_code for answer in answers} == {200}


async def test_a_closed_address_is_404_for_accounts_and_401_for_anonymous_callers(
    door: Door, ada: httpx.AsyncClient
) -> None:
    async with door.client() as anonymous:
        answers = [await client.get("/gradio/closed") for client in (ada, anonymous)]

    assert [answer.status_code for answer in answers] == [404, 401]


async def test_a_closed_address_keeps_no_session_awake(door: Door, ada: httpx.AsyncClient) -> None:
    door.passes(minutes=20)
    assert (await ada.get("/gradio/closed")).status_code == 404
    door.passes(minutes=20)

    assert (await ada.get("/gradio/")).status_code == 401


@pytest.mark.asvs("V8.2.1")
async def test_an_unknown_address_requires_a_session_first(
    door: Door, ada: httpx.AsyncClient
) -> None:
    async with door.client() as anonymous:
        answers = [await client.get("/nothing/here") for client in (anonymous, ada)]

    assert [answer.status_code for answer in answers] == [401, 404]
    assert answers[1].headers["content-type"] == "application/problem+json"


@pytest.mark.asvs("V4.1.4")
async def test_an_unknown_method_is_refused(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    transport = ada._transport
    for method in ["TRACE", "CONNECT", "BREW", "get", "PROPFIND"]:
        with subtests.test(method=method):
            request = ada.build_request("GET", "/gradio/half")
            request.method = method

            answer = await transport.handle_async_request(request)

            assert answer.status_code == 405
            assert "GET" in answer.headers["allow"]


@pytest.mark.asvs("V4.1.4")
async def test_a_method_that_an_address_does_not_have_is_refused(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for method, path in [
        ("DELETE", "/login"),
        ("PUT", "/api/v1/me"),
        ("POST", "/healthz"),
        ("POST", "/static/style.css"),
    ]:
        with subtests.test(method=method, path=path):
            answer = await ada.request(method, path)

            assert answer.status_code == 405
            assert "GET" in answer.headers["allow"]


async def test_a_control_character_in_a_path_is_refused(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/%00", "/login%00", "/gradio/%0a", "/%7f", "/static/%00.css"]:
        with subtests.test(path=path):
            assert (await ada.get(path)).status_code == 400


async def test_an_odd_path_is_a_client_error(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in [
        "/%ff",
        "/%ED%A0%80",
        "/%c3%28",
        "/static/..%2f..%2fgate.py",
        "/static/%2e%2e/gate.py",
        "/..%2flogin",
    ]:
        with subtests.test(path=path):
            assert (await ada.get(path)).status_code in {400, 404}


async def test_a_path_without_a_leading_slash_is_refused(
    door: Door, subtests: pytest.Subtests
) -> None:
    for path in ["http://localhost/login", "*", "", "login"]:
        with subtests.test(path=path):
            start, _ = await door.asked(path)

            assert start["status"] == 400


def chunks(taken: list[int], *, count: int, size: int = 1024 * 1024) -> AsyncIterator[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        chunk = bytes(size)
        for number in range(count):
            taken.append(number)
            yield chunk

    return stream()


async def test_a_body_with_too_large_a_content_length_is_refused_unread(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/setup", "/logout", "/api/v1/me/password"]:
        with subtests.test(path=path):
            taken: list[int] = []

            answer = await ada.post(
                path,
                content=chunks(taken, count=200),
                headers={"content-length": str(200 * 1024 * 1024), "content-type": "application/x-www-form-urlencoded"},
            )  # fmt: skip

            assert answer.status_code == 413
            assert taken == []


async def test_a_body_without_a_content_length_is_refused_at_the_limit(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/setup", "/logout", "/gradio/size"]:
        with subtests.test(path=path):
            taken: list[int] = []
            headers = {"content-type": "application/x-www-form-urlencoded"}
            if path == "/gradio/size":
                headers = {"content-type": "application/json"}

            answer = await ada.post(path, content=chunks(taken, count=200), headers=headers)

            assert answer.status_code == 413
            assert len(taken) <= 2


async def test_a_json_body_without_a_content_length_is_refused_at_the_limit(
    ada: httpx.AsyncClient,
) -> None:
    taken: list[int] = []
    headers = {"content-type": "application/json"}

    answer = await ada.post(
        "/api/v1/me/password", content=chunks(taken, count=200), headers=headers
    )

    assert answer.status_code == 413
    assert len(taken) <= 2


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413)])
async def test_a_body_above_the_limit_of_its_address_is_refused(
    ada: httpx.AsyncClient, size: int, status: int
) -> None:
    announced = await ada.post("/gradio/size", content=bytes(size))
    counted = await ada.post("/gradio/size", content=chunks([], count=1, size=size))

    assert (announced.status_code, counted.status_code) == (status, status)


@pytest.mark.asvs("V4.2.1")
async def test_an_invalid_content_length_is_refused(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for length in [b"x", b"-1", b"1e3", b"1.0", "٣".encode(), b"\xb2", b"", b"9" * 30]:
        with subtests.test(length=length):
            answer = await ada.post(
                "/gradio/size", content=chunks([], count=1, size=1), headers=[(b"content-length", length)]
            )  # fmt: skip

            assert answer.status_code == 400


@pytest.mark.asvs("V4.2.1")
async def test_two_content_lengths_are_refused(ada: httpx.AsyncClient) -> None:
    headers = [("content-length", "1"), ("content-length", "1")]

    answer = await ada.post("/gradio/size", content=chunks([], count=1, size=1), headers=headers)

    assert answer.status_code == 400


async def test_too_many_headers_are_refused(ada: httpx.AsyncClient) -> None:
    assert (await ada.get("/login", headers={"x-y": "z" * 70_000})).status_code == 431


@pytest.mark.parametrize("name", ["Content-Type", "content_type"])
async def test_a_content_type_that_is_longer_than_any_is_refused(
    ada: httpx.AsyncClient, name: str
) -> None:
    statuses = [
        (await ada.post("/gradio/size", content=b"x", headers={name: kind})).status_code
        for kind in ("multipart/form-data; boundary=" + "a" * 969, "image/png" + ";" * 992)
    ]

    assert statuses == [200, 400]


@pytest.mark.asvs("V3.4.4", "V3.4.5", "V3.4.6", "V3.4.8", "V3.2.1")
async def test_every_response_has_the_security_headers(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in [
        "/login",
        "/healthz",
        "/nothing",
        "/gradio/",
        "/gradio/boom",
        "/static/style.css",
        "/static/no",
        "/%00",
    ]:
        with subtests.test(path=path):
            headers = (await ada.get(path)).headers

            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "microphone=(self)" in headers["permissions-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert len(headers["x-request-id"]) == 32
            assert "strict-transport-security" not in headers


@pytest.mark.asvs("V3.4.3")
async def test_our_own_pages_may_run_no_script(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/login")

    assert page.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'self'"
    )
    assert "base-uri 'none'" in page.headers["content-security-policy"]
    assert "object-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert " style=" not in page.text


@pytest.mark.asvs("V3.4.1")
async def test_every_response_over_https_requires_https(
    prod: Door, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/healthz", "/nothing", "/static/style.css"]:
        with subtests.test(path=path):
            async with prod.client(base="https://app.example.org") as client:
                headers = (await client.get(path)).headers

            assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.asvs("V3.4.2", "V13.4.6")
async def test_revealing_headers_of_an_application_are_removed(ada: httpx.AsyncClient) -> None:
    headers = (await ada.get("/gradio/talkative")).headers

    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers)
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["cache-control"] == "public, max-age=60"


async def test_a_script_is_sent_without_a_policy_that_would_apply_to_workers(
    ada: httpx.AsyncClient,
) -> None:
    assert "content-security-policy" not in (await ada.get("/gradio/script.js")).headers


@pytest.mark.asvs("V3.4.3", "V3.4.6")
async def test_a_media_type_that_only_resembles_a_script_gets_our_policy(
    door: Door, subtests: pytest.Subtests
) -> None:
    response_headers = ResponseHeaders(door.settings)

    for kind in [
        *(b"text/plain; x=javascript", b"text/html;javascript", b"application/x-javascript-y"),
        b"text/x; javascript; frame-ancestors https://evil.example",
    ]:
        with subtests.test(kind=kind):
            headers = dict(response_headers.complete([(b"content-type", kind)], b"1"))

            assert headers[b"content-security-policy"] == OWN_POLICY
            assert headers[b"x-frame-options"] == b"DENY"


@pytest.mark.asvs("V3.4.8")
async def test_a_sandboxed_document_can_be_opened_in_its_own_tab(door: Door) -> None:
    response_headers = ResponseHeaders(door.settings)
    sandboxed = b"sandbox allow-scripts; frame-ancestors 'self'"

    shown = dict(response_headers.complete([(b"content-security-policy", sandboxed)], b"1"))
    other = dict(response_headers.complete([(b"content-security-policy", sandboxed[23:])], b"1"))

    # With this header, the HTML standard does not let browsers show a sandboxed document.
    assert b"cross-origin-opener-policy" not in shown
    assert other[b"cross-origin-opener-policy"] == b"same-origin"
    assert b"x-frame-options" not in shown | other


@pytest.mark.asvs("V14.3.2")
async def test_a_response_without_a_cache_rule_is_not_stored(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/gradio/", "/api/v1/me", "/nothing", "/healthz"]:
        with subtests.test(path=path):
            assert (await ada.get(path)).headers["cache-control"] == "private, no-store"


@pytest.mark.asvs("V16.5.1", "V16.5.4")
async def test_a_fault_is_answered_with_the_request_id_and_no_details(
    ada: httpx.AsyncClient, lines: Lines
) -> None:
    answer = await ada.get("/gradio/boom")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError" not in answer.text
    faults = [line for line in lines if line["event"] == "request failed"]
    assert [fault["request_id"] for fault in faults] == [answer.headers["x-request-id"]]
    assert "hunter2" not in str(lines)


async def test_a_browser_gets_a_page_for_a_fault(ada: httpx.AsyncClient) -> None:
    answer = await ada.get("/gradio/boom", headers=BROWSER)

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert answer.text.startswith("<!doctype html>")


async def test_a_500_that_an_application_sends_is_unchanged(ada: httpx.AsyncClient) -> None:
    answer = await ada.get("/gradio/500")

    assert (answer.status_code, answer.json()) == (500, {"detail": "as it stands"})


async def test_a_response_that_fails_in_the_middle_is_logged_and_left_unfinished(
    door: Door, lines: Lines
) -> None:
    token = (await door.opened((await door.has()).email)).signed_token

    sent = await door.asked("/gradio/half", (b"cookie", f"{door.cookie}={token}".encode()))

    assert [message.get("more_body") for message in sent] == [None, True]
    events = [line["event"] for line in lines if "audit" not in line]
    assert events == ["request failed", "request"]


async def test_websockets_are_refused(door: Door) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await door.gate({"type": "websocket", "path": "/gradio/", "headers": []}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_browser_gets_errors_as_pages(ada: httpx.AsyncClient) -> None:
    missing = await ada.get("/nothing", headers=BROWSER)
    refused = await ada.post("/nothing", headers={**BROWSER, "origin": "https://evil.example"})

    assert (missing.status_code, refused.status_code) == (404, 403)
    assert missing.text.startswith("<!doctype html>")
    assert refused.text.startswith("<!doctype html>")


async def test_a_next_with_a_script_is_escaped_on_the_page(ada: httpx.AsyncClient) -> None:
    page = await ada.get("/logout", params={"next": "/x?<script>\"'"}, headers=BROWSER)

    assert "/x?&lt;script&gt;" in page.text
    assert "<script>" not in page.text


def test_no_page_may_replace_one_of_our_own_addresses(subtests: pytest.Subtests) -> None:
    routes = [r for router in ROUTERS for r in router.routes if isinstance(r, Route | APIRoute)]
    first = {f"/{route.path.split('/')[1]}" for route in routes}
    assert "/login" in first
    for path in first:
        with subtests.test(path=path), pytest.raises(SettingsInvalid, match="UI_PATH"):
            load(env_file=None, environment="test", ui_path=path)
