"""Setting up the first admin."""

import httpx
import pytest

from tests.web.conftest import PASSWORD, Door, Lines
from tests.web.pages import token_of

ADA = "ada@example.org"


@pytest.fixture
async def link(door: Door) -> str:
    token = await door.use_cases.offer_setup()
    assert token
    return token


async def fill_in(browser: httpx.AsyncClient, link: str, **form: str) -> httpx.Response:
    page = await browser.get("/setup", params={"token": link})
    filled = {"csrf_token": token_of(page), "token": link, "email": ADA, "password": PASSWORD}
    return await browser.post("/setup", data={**filled, **form})


async def test_the_link_makes_the_first_admin_and_signs_them_in(
    door: Door, browser: httpx.AsyncClient, link: str
) -> None:
    await browser.get("/setup", params={"token": link})
    answer = await fill_in(browser, link)

    assert (answer.status_code, answer.headers["location"]) == (303, "/gradio/")
    me = (await browser.get("/api/v1/me", headers={"accept": "*/*"})).json()
    assert (me["email"], me["name"], me["roles"]) == (ADA, "ada", ["admin"])
    assert answer.headers["clear-site-data"] == '"cache", "storage"'  # Like at every first sign-in.
    assert browser.cookies["gradioapp-last"]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"password": "short"}, "A password has at least 8 characters."),
        ({"password": "x" * 4096}, "A password has at most 256 characters."),
        ({"password": f"{PASSWORD}\0"}, "The password contains a character that cannot be typed again."),
        ({"email": "nonsense"}, "This is not an e-mail address."),
        ({"email": "x" * 9000}, "This is not an e-mail address."),
        ({"email": "a\0@example.org"}, "This is not an e-mail address."),
        ({"password": "Iloveyou"}, "This password is one of the most common ones"),
        ({"name": "a\0b"}, "A name has 1 to 200 characters, and no control characters."),
        ({"name": "x" * 201}, "A name has 1 to 200 characters, and no control characters."),
    ],
)  # fmt: skip
async def test_an_invalid_field_is_named_and_the_other_fields_are_kept(
    browser: httpx.AsyncClient, link: str, form: dict[str, str], sentence: str
) -> None:
    answer = await fill_in(browser, link, **form)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert f'value="{link}"' in answer.text
    assert PASSWORD not in answer.text
    again = {"csrf_token": token_of(answer), "token": link, "email": ADA, "password": PASSWORD}
    assert (await browser.post("/setup", data=again)).status_code == 303


async def test_an_invalid_link_is_refused(
    browser: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for link in ["", "x", "a.b.c", "x" * 5000, "\0"]:
        with subtests.test(link=link):
            answer = await browser.get("/setup", params={"token": link})

            assert answer.status_code == 403
            assert "gradioapp users create" in answer.text


@pytest.mark.asvs("V2.3.1")
async def test_a_link_is_valid_for_15_minutes(
    door: Door, browser: httpx.AsyncClient, link: str
) -> None:
    page = await browser.get("/setup", params={"token": link})
    door.passes(minutes=16)

    form = {"csrf_token": token_of(page), "token": link, "email": ADA, "password": PASSWORD}
    answer = await browser.post("/setup", data=form)

    assert answer.status_code == 403
    assert await door.use_cases.offer_setup()


@pytest.mark.asvs("V2.3.4")
async def test_a_link_is_refused_once_there_is_an_admin(
    door: Door, browser: httpx.AsyncClient, link: str
) -> None:
    async with door.client() as other:
        page = await other.get("/setup", params={"token": link})
        first = await fill_in(browser, link)
        form = {"csrf_token": token_of(page), "token": link, "email": "eve@example.org"}
        second = await other.post("/setup", data={**form, "password": PASSWORD})
        third = await other.get("/setup", params={"token": link})

    assert [first.status_code, second.status_code, third.status_code] == [303, 410, 410]
    assert 'href="/login"' in third.text


async def test_a_forged_form_makes_no_admin(
    door: Door, browser: httpx.AsyncClient, link: str
) -> None:
    form = {"csrf_token": "x", "token": link, "email": ADA, "password": PASSWORD}

    answer = await browser.post("/setup", data=form)

    assert answer.status_code == 403
    assert f'value="{ADA}"' in answer.text
    assert await door.use_cases.offer_setup()


@pytest.mark.asvs("V14.2.1")
async def test_the_link_is_not_logged(browser: httpx.AsyncClient, link: str, lines: Lines) -> None:
    await fill_in(browser, link)

    assert link not in str(lines)
    requests = [line for line in lines if line["event"] == "request"]
    assert {line["path"] for line in requests} == {"/setup"}


async def test_the_setup_page_without_its_token_asks_for_the_whole_link(door: Door) -> None:
    async with door.client() as client:
        page = await client.get("/setup", headers={"accept": "text/html"})
        old = await client.get("/setup?token=old", headers={"accept": "text/html"})

    assert "Open the whole link" in page.text
    assert "users create you@example.org --role admin" in page.text
    assert "This link has expired" in old.text
