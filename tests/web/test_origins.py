"""Unsafe requests are accepted only from our own pages or from a program without our cookie. Other
sites can load no response that needs a session."""

import httpx
import pytest

from tests.web.conftest import Door

COOKIE = {"cookie": "gradioapp-session=x"}


def program(door: Door) -> httpx.AsyncClient:
    client = door.client()
    del client.headers["origin"]
    return client


PASSING = [
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
    {"origin": "http://localhost"},
    {"origin": "http://localhost", **COOKIE},
    {"origin": "http://localhost:8080", "host": "localhost:8080", **COOKIE},
    {"origin": "http://[::1]:8080", "host": "[::1]:8080", **COOKIE},
    {"referer": "http://localhost/gradio/?x=1", **COOKIE},
    {"x-requested-with": "x", **COOKIE},
    {},
    {"cookie": "other=1"},
]
REFUSED = [
    {"sec-fetch-site": "cross-site", "origin": "http://localhost"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "none", "sec-fetch-mode": "cors"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://localhost"},
    {"origin": "http://localhost:9999"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://localhost.evil.example"},
    {"referer": "https://evil.example/http://localhost/"},
    {"referer": "http://localhost.evil.example/", "x-requested-with": "x"},
    {"referer": "http://[bad"},
    {"origin": "https://evil.example", "referer": "http://localhost/"},
    COOKIE,
]


@pytest.mark.asvs("V3.5.1")
async def test_a_request_from_our_pages_or_without_our_cookie_passes(
    door: Door, subtests: pytest.Subtests
) -> None:
    for headers in PASSING:
        with subtests.test(headers=headers):
            async with program(door) as client:
                answer = await client.post("/api/v1/me/password", headers=headers)

            assert answer.status_code == 401


@pytest.mark.asvs("V3.5.1")
async def test_a_request_from_another_site_is_refused(
    door: Door, subtests: pytest.Subtests
) -> None:
    for headers in REFUSED:
        with subtests.test(headers=headers):
            async with program(door) as client:
                answers = {
                    method: await client.request(method, "/api/v1/me/password", headers=headers)
                    for method in ("POST", "PUT", "PATCH", "DELETE")
                }

            assert {
                method: (answer.status_code, answer.json()["type"])
                for method, answer in answers.items()
            } == dict.fromkeys(answers, (403, "urn:gradioapp:problem:foreign-origin"))


@pytest.mark.asvs("V3.5.3")
async def test_a_safe_request_may_come_from_anywhere(door: Door, subtests: pytest.Subtests) -> None:
    for headers in REFUSED:
        with subtests.test(headers=headers):
            async with program(door) as client:
                assert (await client.get("/manifest.json", headers=headers)).status_code == 200


def fetch(site: str, mode: str = "no-cors", dest: str = "image") -> dict[str, str]:
    return {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}


ELSEWHERE = ("cross-site", "same-site", "", "same-origin, cross-site", "Same-Origin")
"""No browser sends the last three."""
LOADED = [
    ("no-cors", "image"),
    ("no-cors", "script"),
    ("no-cors", "video"),
    ("no-cors", "empty"),
    ("cors", "empty"),
    ("cors", "track"),
    ("navigate", "iframe"),
    ("navigate", "frame"),
    ("navigate", "embed"),
    ("navigate", "object"),
    ("nested-navigate", "document"),
    ("no-cors", "document"),
    ("navigate", ""),
]
ADDRESSES = ("/gradio/", "/gradio/framed", "/gradio/closed", "/api/v1/me", "/nothing")


@pytest.mark.asvs("V3.5.8", "V3.2.1")
async def test_another_site_cannot_load_an_address_that_requires_a_session(
    door: Door, subtests: pytest.Subtests
) -> None:
    ada = await door.signed_in()

    for address in ("/gradio/", "/api/v1/me"):
        for site in ELSEWHERE:
            for mode, dest in LOADED:
                with subtests.test(address=address, site=site, mode=mode, dest=dest):
                    headers = fetch(site, mode, dest)
                    got = await ada.get(address, headers=headers)
                    head = await ada.head("/gradio/", headers=headers)

                    assert (got.status_code, head.status_code) == (403, 403)
                    assert got.json()["type"] == "urn:gradioapp:problem:foreign-origin"
                    assert "Open this address in a tab" in got.json()["detail"]


async def test_another_site_cannot_begin_a_sign_in_without_a_person_who_sees_it(
    door: Door, subtests: pytest.Subtests
) -> None:
    async with door.client() as browser:
        for address in ("/login", "/login/corp", "/login/corp/callback", "/login/huggingface"):
            for site in ELSEWHERE:
                for mode, dest in LOADED:
                    with subtests.test(address=address, site=site, mode=mode, dest=dest):
                        got = await browser.get(address, headers=fetch(site, mode, dest))

                        assert got.status_code == 403
                        assert "set-cookie" not in got.headers
            link = await browser.get(address, headers=fetch("cross-site", "navigate", "document"))
            assert link.status_code != 403


@pytest.mark.asvs("V3.5.8")
async def test_requests_from_our_own_pages_links_and_typed_addresses_pass(
    door: Door, subtests: pytest.Subtests
) -> None:
    ada = await door.signed_in()
    answered = [
        *(fetch(site, mode, dest) for site in ("same-origin", "none") for mode, dest in LOADED),
        *(fetch(site, "navigate", "document") for site in ELSEWHERE),
        {},
        {"origin": "https://evil.example"},  # An old browser sends nothing to tell it by.
    ]

    for headers in answered:
        with subtests.test(headers=headers):
            assert (await ada.get("/gradio/", headers=headers)).status_code == 200


@pytest.mark.asvs("V3.5.8")
async def test_a_program_with_a_token_and_without_our_cookie_passes(door: Door) -> None:
    await door.has()
    made = await door.makes_token()
    headers = fetch("cross-site", "cors", "empty")

    async with door.program(made) as program:
        alone = await program.get("/gradio/", headers=headers)
        other = await program.get("/gradio/", headers={**headers, "cookie": "other=1"})
        beside = await program.get("/gradio/", headers={**headers, "cookie": f"{door.cookie}=x"})

    assert (alone.status_code, other.status_code, beside.status_code) == (200, 200, 403)


@pytest.mark.asvs("V3.4.6", "V3.5.8")
async def test_a_page_that_may_be_framed_cannot_be_loaded_in_any_other_way(
    door: Door,
) -> None:
    ada = await door.signed_in()

    statuses = {
        (mode, dest): (
            await ada.get("/gradio/framed", headers=fetch("same-site", mode, dest))
        ).status_code
        for mode, dest in LOADED
    }

    answered = {key for key, status in statuses.items() if status == 200}
    assert answered == {("navigate", "iframe"), ("navigate", "frame")}
    assert set(statuses.values()) == {200, 403}


@pytest.mark.asvs("V3.5.8")
async def test_an_anonymous_caller_gets_the_same_response_from_every_origin(door: Door) -> None:
    async with door.client() as anonymous:
        plain = [(await anonymous.get(address)).status_code for address in ADDRESSES]
        loaded = [
            (await anonymous.get(address, headers=fetch("cross-site"))).status_code
            for address in ADDRESSES
        ]

    assert plain == loaded == [401] * len(ADDRESSES)


@pytest.mark.asvs("V3.5.8", "V7.3.1")
async def test_a_request_of_another_site_keeps_no_session_awake(door: Door) -> None:
    ada = await door.signed_in()
    door.passes(minutes=20)
    assert (await ada.get("/gradio/", headers=fetch("same-site"))).status_code == 403
    door.passes(minutes=20)

    assert (await ada.get("/gradio/")).status_code == 401


async def test_open_addresses_can_be_loaded_from_every_origin(door: Door) -> None:
    async with door.client() as anonymous:
        answers = [
            await anonymous.get(address, headers=fetch("cross-site"))
            for address in ("/manifest.json", "/static/style.css", "/healthz")
        ]

    assert [answer.status_code for answer in answers] == [200] * 3


async def test_the_public_url_is_the_only_origin_in_prod(prod: Door) -> None:
    async with prod.client(base="https://app.example.org") as client:
        ours = await client.post("/gradio/size")
        other = await client.post("/gradio/size", headers={"origin": "http://localhost"})

    assert (ours.status_code, other.status_code) == (401, 403)


async def test_two_origin_headers_are_refused(door: Door) -> None:
    headers = [("origin", "http://localhost"), ("origin", "http://localhost")]
    async with program(door) as client:
        assert (await client.post("/login", headers=headers)).status_code == 403
