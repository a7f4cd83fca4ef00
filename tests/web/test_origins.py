"""Unsafe requests come from our own pages, or from a program without our cookie."""

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
async def test_a_request_of_another_site_is_refused(door: Door, subtests: pytest.Subtests) -> None:
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
                assert (await client.get("/login", headers=headers)).status_code == 200


async def test_in_prod_the_origin_is_the_public_url(prod: Door) -> None:
    async with prod.client(base="https://app.example.org") as client:
        ours = await client.post("/gradio/size")
        other = await client.post("/gradio/size", headers={"origin": "http://localhost"})

    assert (ours.status_code, other.status_code) == (401, 403)


async def test_two_origins_are_none_of_ours(door: Door) -> None:
    headers = [("origin", "http://localhost"), ("origin", "http://localhost")]
    async with program(door) as client:
        assert (await client.post("/login", headers=headers)).status_code == 403
