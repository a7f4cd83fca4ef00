"""What the gate lets in, what it turns away, and how every answer leaves."""

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
from entrypoints.web.headers import OWN_POLICY, Dressing
from entrypoints.web.routes import ROUTERS
from tests.web.conftest import BROWSER, Door, Lines, MakeDoor


class NoStore(UnitsOfWork):
    """Units of work of a database that is gone."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StoreUnavailable


def without_store(app: UseCases) -> UseCases:
    gone = NoStore()
    return replace(
        app,
        recognise=replace(app.recognise, units_of_work=gone),
        offer_setup=replace(app.offer_setup, units_of_work=gone),
    )


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with await door.signed_in() as client:
        yield client


async def test_who_is_signed_in_gets_through_with_their_session(
    door: Door, ada: httpx.AsyncClient
) -> None:
    me = await door.app.recognise(ada.cookies[door.cookie], activity=False)
    await door.app.change_session_data(me.caller, {"note": {"text": "hello"}})

    answer = await ada.get("/gradio/")

    seen = answer.json()
    assert seen["email"] == "ada@example.org"
    assert seen["session"] == {"note": {"text": "hello"}}
    assert seen["again"] == str(me.user.id)
    assert seen["request_id"] == answer.headers["x-request-id"]


async def test_a_person_without_a_session_is_sent_to_sign_in_and_back(door: Door) -> None:
    async with door.client(**BROWSER) as browser:
        answer = await browser.get("/gradio/reports/a%20b?x=1&y=%2F")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/gradio/reports/a%2520b%3Fx%3D1%26y%3D%252F"


async def test_where_it_does_not_lead_back_safely_it_leads_to_sign_in_alone(
    door: Door, subtests: pytest.Subtests
) -> None:
    for path in ["/x\\y", "/" + "x" * 3000]:
        with subtests.test(path=path):
            async with door.client(**BROWSER) as browser:
                answer = await browser.get(httpx.URL("http://localhost", path=path))

            assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_a_program_without_a_session_is_told_where_to_sign_in(
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
async def test_a_cookie_that_opens_nothing_is_no_session(door: Door) -> None:
    await door.has()
    await door.has("eve@example.org")
    good, other = (await door.opened()).token, (await door.opened("eve@example.org")).token
    head, body, signature = good.split(".")
    bad = [
        "",
        "x",
        "a.b.c",
        f"{head}.{body}.{signature[:-2]}AA",
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
async def test_two_cookies_of_our_name_are_no_session(door: Door) -> None:
    await door.has()
    token = (await door.opened()).token
    doubled = f"{door.cookie}={token}; {door.cookie}={token}"
    split = [("cookie", f"{door.cookie}={token}"), ("cookie", f"{door.cookie}={token}")]

    async with door.client() as client:
        answers = [
            await client.get("/gradio/", headers={"cookie": doubled}),
            await client.get("/gradio/", headers=split),
        ]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize(("length", "is_read"), [(4096, True), (4097, False)])
def test_a_cookie_is_read_up_to_a_length(length: int, is_read: bool) -> None:  # noqa: FBT001 -- A column of the table.
    cookie = Cookies.of(load(env_file=None, environment="test")).session

    assert (cookie.value_in(f"gradioapp-session={'x' * length}") is not None) is is_read


@pytest.mark.asvs("V7.3.1", "V7.3.2", "V7.4.1")
async def test_an_ended_session_is_asked_of_the_store(door: Door, ada: httpx.AsyncClient) -> None:
    me = await door.app.recognise(ada.cookies[door.cookie], activity=False)
    await door.app.revoke_session(me.caller, me.session.id)

    answer = await ada.get("/gradio/", headers=BROWSER)

    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_a_program_keeps_its_dead_cookie(door: Door, ada: httpx.AsyncClient) -> None:
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
async def test_a_store_that_is_gone_makes_nobody_anonymous(
    door: Door, make_door: MakeDoor, subtests: pytest.Subtests
) -> None:
    token = (await door.opened((await door.has()).email)).token
    broken = make_door(lambda _: without_store(door.app))

    for path in ["/gradio/", "/", "/login", "/api/v1/me"]:
        with subtests.test(path=path):
            async with broken.client(cookie=f"gradioapp-session={token}") as client:
                answer = await client.get(path)

            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "urn:gradioapp:problem:store-unavailable"


async def test_without_a_store_assets_and_liveness_still_answer(make_door: MakeDoor) -> None:
    door = make_door(without_store)

    async with door.client(cookie="gradioapp-session=a.b.c") as client:
        answers = [
            await client.get(path)
            for path in ("/healthz", "/static/style.css", "/favicon.ico", "/manifest.json")
        ]

    assert {answer.status_code for answer in answers} == {200}


async def test_an_address_for_nobody_is_not_there_and_strangers_are_not_told(
    door: Door, ada: httpx.AsyncClient
) -> None:
    async with door.client() as anonymous:
        answers = [await client.get("/gradio/closed") for client in (ada, anonymous)]

    assert [answer.status_code for answer in answers] == [404, 401]


async def test_an_address_for_nobody_keeps_no_session_awake(
    door: Door, ada: httpx.AsyncClient
) -> None:
    door.passes(minutes=20)
    assert (await ada.get("/gradio/closed")).status_code == 404
    door.passes(minutes=20)

    assert (await ada.get("/gradio/")).status_code == 401


@pytest.mark.asvs("V8.2.1")
async def test_an_address_nobody_named_asks_for_a_session_first(
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
async def test_a_method_an_address_does_not_know_is_refused(
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


async def test_an_odd_path_is_nothing_worse_than_unknown(
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


async def test_what_does_not_begin_as_a_path_is_refused(
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


async def test_200_announced_megabytes_are_refused_unread(
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


async def test_200_unannounced_megabytes_are_refused_at_the_limit(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/setup", "/logout", "/gradio/size"]:
        with subtests.test(path=path):
            taken: list[int] = []
            headers = {"content-type": "application/x-www-form-urlencoded"}

            answer = await ada.post(path, content=chunks(taken, count=200), headers=headers)

            assert answer.status_code == 413
            assert len(taken) <= 2


async def test_an_unannounced_json_body_is_counted_too(ada: httpx.AsyncClient) -> None:
    taken: list[int] = []
    headers = {"content-type": "application/json"}

    answer = await ada.post(
        "/api/v1/me/password", content=chunks(taken, count=200), headers=headers
    )

    assert answer.status_code == 413
    assert len(taken) <= 2


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413)])
async def test_each_address_has_its_own_limit(
    ada: httpx.AsyncClient, size: int, status: int
) -> None:
    announced = await ada.post("/gradio/size", content=bytes(size))
    counted = await ada.post("/gradio/size", content=chunks([], count=1, size=size))

    assert (announced.status_code, counted.status_code) == (status, status)


@pytest.mark.asvs("V4.2.1")
async def test_a_content_length_that_is_no_number_is_refused(
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


@pytest.mark.asvs("V3.4.4", "V3.4.5", "V3.4.6", "V3.4.8", "V3.2.1")
async def test_every_answer_carries_the_security_headers(
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
async def test_over_https_every_answer_asks_for_https(
    prod: Door, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/healthz", "/nothing", "/static/style.css"]:
        with subtests.test(path=path):
            async with prod.client(base="https://app.example.org") as client:
                headers = (await client.get(path)).headers

            assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.asvs("V3.4.2", "V13.4.6")
async def test_what_an_application_says_too_much_is_dropped(ada: httpx.AsyncClient) -> None:
    headers = (await ada.get("/gradio/talkative")).headers

    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers)
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["cache-control"] == "public, max-age=60"


async def test_a_script_gets_no_policy_it_would_need_as_a_worker(ada: httpx.AsyncClient) -> None:
    assert "content-security-policy" not in (await ada.get("/gradio/script.js")).headers


@pytest.mark.asvs("V3.4.3", "V3.4.6")
async def test_a_type_that_only_sounds_like_a_script_gets_our_policy_and_no_frame(
    door: Door, subtests: pytest.Subtests
) -> None:
    dressing = Dressing(door.settings)

    for kind in [
        *(b"text/plain; x=javascript", b"text/html;javascript", b"application/x-javascript-y"),
        b"text/x; javascript; frame-ancestors https://evil.example",
    ]:
        with subtests.test(kind=kind):
            headers = dict(dressing.dressed([(b"content-type", kind)], b"1"))

            assert headers[b"content-security-policy"] == OWN_POLICY
            assert headers[b"x-frame-options"] == b"DENY"


@pytest.mark.asvs("V3.4.8")
async def test_a_sandboxed_document_may_be_shown_in_a_tab_of_its_own(door: Door) -> None:
    dressing = Dressing(door.settings)
    sandboxed = b"sandbox allow-scripts; frame-ancestors 'self'"

    shown = dict(dressing.dressed([(b"content-security-policy", sandboxed)], b"1"))
    other = dict(dressing.dressed([(b"content-security-policy", sandboxed[23:])], b"1"))

    assert b"cross-origin-opener-policy" not in shown  # By the HTML standard it would not be shown.
    assert other[b"cross-origin-opener-policy"] == b"same-origin"
    assert b"x-frame-options" not in shown | other


@pytest.mark.asvs("V14.3.2")
async def test_nobody_keeps_what_does_not_say_so(
    ada: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path in ["/login", "/gradio/", "/api/v1/me", "/nothing", "/healthz"]:
        with subtests.test(path=path):
            assert (await ada.get(path)).headers["cache-control"] == "private, no-store"


@pytest.mark.asvs("V16.5.1", "V16.5.4")
async def test_a_fault_is_answered_with_a_number_and_nothing_else(
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


async def test_a_person_gets_a_page_for_a_fault(ada: httpx.AsyncClient) -> None:
    answer = await ada.get("/gradio/boom", headers=BROWSER)

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert answer.text.startswith("<!doctype html>")


async def test_a_500_that_was_meant_stays_as_it_is(ada: httpx.AsyncClient) -> None:
    answer = await ada.get("/gradio/500")

    assert (answer.status_code, answer.json()) == (500, {"detail": "as it stands"})


async def test_an_answer_that_breaks_off_is_logged_and_left_unfinished(
    door: Door, lines: Lines
) -> None:
    token = (await door.opened((await door.has()).email)).token

    sent = await door.asked("/gradio/half", (b"cookie", f"{door.cookie}={token}".encode()))

    assert [message.get("more_body") for message in sent] == [None, True]
    assert [line["event"] for line in lines] == ["request failed", "request"]


async def test_there_is_no_websocket(door: Door) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await door.gate({"type": "websocket", "path": "/gradio/", "headers": []}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_pages_errors_are_pages(ada: httpx.AsyncClient) -> None:
    missing = await ada.get("/nothing", headers=BROWSER)
    refused = await ada.post("/nothing", headers={**BROWSER, "origin": "https://evil.example"})

    assert (missing.status_code, refused.status_code) == (404, 403)
    assert missing.text.startswith("<!doctype html>")
    assert refused.text.startswith("<!doctype html>")


async def test_what_a_path_holds_stays_text_on_the_page(ada: httpx.AsyncClient) -> None:
    page = await ada.get("/logout", params={"next": "/x?<script>\"'"}, headers=BROWSER)

    assert "<script>" not in page.text


def test_no_page_takes_the_place_of_an_address_of_our_own(subtests: pytest.Subtests) -> None:
    routes = [r for router in ROUTERS for r in router.routes if isinstance(r, Route | APIRoute)]
    first = {f"/{route.path.split('/')[1]}" for route in routes}
    assert "/login" in first
    for path in first:
        with subtests.test(path=path), pytest.raises(SettingsInvalid, match="UI_PATH"):
            load(env_file=None, environment="test", ui_path=path)
