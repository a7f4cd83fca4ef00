"""A session that began with a proxy's token belongs to its person, until they sign out."""

import pytest

from tests.identity_proxy import HEADER
from tests.web.behind_proxy.conftest import (
    ADA,
    BOB,
    SESSION,
    STRANGER,
    TRUSTED,
    House,
    MakeHouse,
)
from tests.web.conftest import HERE, Lines
from tests.web.pages import token_of

# Another person, and nobody


async def test_a_second_person_in_the_same_browser_sees_nothing_of_the_first(
    house: House, lines: Lines
) -> None:
    await house.door.has(ADA)
    bob = await house.door.has(BOB)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        first = browser.cookies[SESSION]
        browser.headers[HEADER] = house.token(BOB)
        script = await browser.get("/api/v1/me", headers={"accept": "application/json"})
        page = await browser.get("/gradio/")
        me = (await browser.get("/api/v1/me")).json()
        browser.headers[HEADER] = house.token()
        browser.cookies.clear()
        browser.cookies.set(SESSION, first)
        back = await browser.get("/api/v1/me", headers={"accept": "application/json"})

    assert (script.status_code, script.json()["reason"]) == (401, "replaced")
    assert ADA not in script.text
    assert page.json()["email"] == BOB
    assert me["id"] == str(bob.id)
    assert page.history[-1].headers["clear-site-data"] == '"cache", "storage"'
    assert back.status_code == 401
    ended = [line for line in lines if line["event"] == "session_expired"]
    assert [line["why"] for line in ended] == ["the proxy names another person"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/", "/login", "/logout", "/gradio/size", "/api/v1/me", "/gradio/"]
)
async def test_the_session_of_another_person_ends_at_every_address(
    house: House, path: str, method: str
) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        browser.follow_redirects = False
        answer = await browser.request(
            method, path, headers={HEADER: house.token(BOB), "accept": "application/json"}
        )

    assert answer.status_code < 500
    assert ADA not in answer.text
    assert await house.sessions() == 0


async def test_the_session_needs_its_header_at_every_request(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        token = browser.headers.pop(HEADER)
        without = await browser.get("/gradio/")
        script = await browser.get("/api/v1/me", headers={"accept": "application/json"})
        browser.headers[HEADER] = token
        again = await browser.get("/api/v1/me")

    assert str(without.url).startswith(f"{HERE}/login?next=")
    assert "Corp, which did not say who you are. Open this service through it." in without.text
    assert (script.status_code, script.json()["reason"]) == (401, "refused")
    assert script.json()["detail"].startswith("Corp did not say who you are.")
    assert again.status_code == 200


async def test_a_stolen_cookie_opens_nothing_past_the_proxy(house: House) -> None:
    await house.door.has(ADA)
    token = house.token()
    async with house.browser(token) as browser:
        await browser.get("/gradio/")
        cookie = browser.cookies[SESSION]
    async with house.browser(token, peer=STRANGER) as thief:
        thief.cookies.set(SESSION, cookie)
        page = await thief.get("/gradio/")

    assert str(page.url).startswith(f"{HERE}/login?next=")


async def test_a_password_still_opens_a_session_without_the_header(house: House) -> None:
    await house.door.has(ADA)
    async with await house.door.signed_in(ADA, peer=TRUSTED) as browser:
        without = await browser.get("/api/v1/me")
        unread = await browser.get("/api/v1/me", headers={HEADER: "a.b.c"})
        named = await browser.get("/api/v1/me", headers={HEADER: house.token()})
        gone = await browser.get("/api/v1/me")

    assert [each.status_code for each in (without, unread, named, gone)] == [200, 200, 401, 401]
    assert named.json()["reason"] == "replaced"


# Signing out


@pytest.mark.parametrize("address", ["", "/oauth2/sign_out", "https://corp.example.org/out"])
async def test_who_signs_out_stays_signed_out_until_they_want_to_sign_in_again(
    make_house: MakeHouse, address: str
) -> None:
    house = make_house(proxy_identity_sign_out_url=address)
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        asked = await browser.get("/logout")
        out = await browser.post("/logout", data={"csrf_token": token_of(asked)})
        tab = await browser.get("/gradio/?tab=2")
        sessions = await house.sessions()
        back = await browser.get("/login?again=yes&next=/gradio/%3Ftab%3D2")
        left = [name for name in browser.cookies if "left" in name]

    for page in (out, tab):
        assert "You are signed out here" in page.text
        assert (f'href="{address}"' in page.text) is bool(address)
        assert ("anybody at it can sign in as you" in page.text) is not bool(address)
    assert 'href="/login?again=yes&amp;next=%2Fgradio%2F%3Ftab%3D2"' in tab.text
    assert sessions == 0
    assert str(back.url) == f"{HERE}/gradio/?tab=2"
    assert left == []


async def test_a_frame_that_signs_out_gets_links_that_open_new_tabs_and_comes_back(
    make_house: MakeHouse,
) -> None:
    portal = "https://portal.example.org"
    house = make_house(framers=[portal], proxy_identity_sign_out_url="https://corp.example.org/out")
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        token = token_of(await browser.get("/logout"))
        browser.headers["sec-fetch-dest"] = "iframe"
        out = await browser.post("/logout?next=/gradio/a/", data={"csrf_token": token})

    assert out.status_code == 200
    assert f"frame-ancestors {portal}" in out.headers["content-security-policy"]
    assert "<form" not in out.text
    assert out.text.count('target="_blank"') == out.text.count("<a ") == 2
    assert 'href="/login?again=yes&amp;next=%2Fgradio%2Fa%2F"' in out.text
    assert 'data-back="/gradio/a/"' in out.text
