"""Each of our addresses has one spelling; any other spelling is 404 for every method."""

import json
from typing import Final

import pytest

from tests.web.conftest import BROWSER, Door

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SOMEBODY: Final = "00000000-0000-0000-0000-000000000001"

NOWHERE: Final = [
    "/api/v1/me/",
    "/api/v1/me//",
    "/api/v1/me/sessions/",
    "/api/v1/me/sessions/%2e%2e%2f",
    "/api/v1/me/sessions/%2E%2E%2F",
    "/api/v1/me/sessions/..",
    "/api/v1/me/sessions/../",
    "/api/v1/me/sessions/../sessions",
    "/api/v1/me/sessions/%2e",
    "/api/v1/me/sessions/.%2e/sessions",
    f"/api/v1/me/sessions/{SOMEBODY}/",
    f"/api/v1/me/sessions/{SOMEBODY}%2f",
    f"/api/v1/me/sessions//{SOMEBODY}",
    f"/api/v1/me/sessions/./{SOMEBODY}",
    "/api/v1/me/password/",
    "/api/v1/me/tokens/",
    f"/api/v1/me/tokens/{SOMEBODY}/",
    "/api/v1/users/",
    f"/api/v1/users/{SOMEBODY}/",
    f"/api/v1/users/{SOMEBODY}/sessions/",
    f"/api/v1/users/{SOMEBODY}/../{SOMEBODY}",
    "/api/v1/openapi.json/",
    "/api/v1/",
    "/api/v1",
    "/api//v1/me",
    "//api/v1/me",
    "/api%2fv1%2fme",
    "/api%2Fv1/me",
    "/api/v1/../v1/me",
    "/static/",
    "/static/style.css/",
    "/static//style.css",
    "/static/../login",
    "/static/%2e%2e/login",
    "/static/%2e%2e%2flogin",
    "/static%2fstyle.css",
    "/healthz/",
    "/readyz/",
    "/metrics/",
    "//metrics",
    "/./metrics",
    "/manifest.json/",
    "/favicon.ico/",
    "/csp-reports/",
    "//",
    "/.",
    "/..",
    "/./login",
    "//login",
    "//evil.example/x",
    "/login//",
    "/login/.",
    "/login/..",
    "/login%2f",
]


async def cookie_of_an_admin(door: Door) -> tuple[bytes, bytes]:
    await door.has("admin@example.org", "admin")
    opened = await door.opened("admin@example.org")
    return (b"cookie", f"{door.cookie}={opened.signed_token}".encode())


@pytest.mark.parametrize("path", NOWHERE)
async def test_another_spelling_of_an_address_is_not_found(door: Door, path: str) -> None:
    cookie = await cookie_of_an_admin(door)

    for method in METHODS:
        start, *rest = await door.asked(path, cookie, method=method)
        headers = dict(start["headers"])

        assert (start["status"], b"location" in headers) == (404, False), method
        assert headers[b"content-type"] == b"application/problem+json"
        if method != "HEAD":
            document = json.loads(b"".join(message["body"] for message in rest))
            assert document["type"] == "urn:gradioapp:problem:not-found"


@pytest.mark.parametrize("path", ["//evil.example/x", "/api//v1/me", "/x/../y", "/api%2fv1%2fme"])
async def test_an_unknown_address_does_not_redirect_to_sign_in(door: Door, path: str) -> None:
    as_a_browser = [(name.encode(), value.encode()) for name, value in BROWSER.items()]

    for headers in ([], as_a_browser):
        start, *_ = await door.asked(path, *headers)

        assert (start["status"], b"location" in dict(start["headers"])) == (404, False)


async def test_the_right_spelling_of_an_address_is_found(
    door: Door, subtests: pytest.Subtests
) -> None:
    cookie = await cookie_of_an_admin(door)

    for path in ("/api/v1/me", "/api/v1/me/sessions", "/api/v1/users", "/static/style.css"):
        with subtests.test(path=path):
            assert (await door.asked(path, cookie))[0]["status"] == 200


@pytest.mark.parametrize("is_signed_in", [True, False])
@pytest.mark.parametrize("page", ["/login", "/logout", "/setup", "/api/v1/docs"])
async def test_a_page_typed_with_a_trailing_slash_is_redirected(
    door: Door, page: str, *, is_signed_in: bool
) -> None:
    browser = await door.signed_in(**BROWSER) if is_signed_in else door.client(**BROWSER)

    async with browser:
        got = await browser.get(f"{page}/?token=x&next=%2Fgradio%2F")
        posted = await browser.post(f"{page}/")

    assert (got.status_code, got.headers["location"]) == (307, f"{page}?token=x&next=%2Fgradio%2F")
    assert (posted.status_code, "location" in posted.headers) == (405, False)


async def test_other_spellings_below_the_ui_path_are_passed_to_gradio(door: Door) -> None:
    cookie = await cookie_of_an_admin(door)

    for path in ("/gradio%2ftalkative", "/gradio/talkative", "/gradio/%74alkative"):
        assert (await door.asked(path, cookie))[0]["status"] == 200, path
