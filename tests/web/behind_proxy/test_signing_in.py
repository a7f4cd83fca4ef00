"""Sign-in by a proxy in front: whose account it opens, and in company of which other ways to sign in."""

from typing import Any

import pytest

from domain.model.identity import PROXY
from tests.identity_proxy import HEADER
from tests.web.behind_proxy.conftest import (
    ADA,
    BOB,
    OPERATOR,
    SESSION,
    STRANGER,
    TRUSTED,
    House,
    MakeHouse,
)
from tests.web.conftest import BROWSER, HERE, PASSWORD, Lines
from tests.web.pages import token_of
from tests.web.test_single_sign_on import refusal_in


async def test_the_first_page_opens_signed_in(house: House, lines: Lines) -> None:
    ada = await house.door.has(ADA)
    token = house.token()
    async with house.browser(token) as browser:
        page = await browser.get("/gradio/?tab=2")
        me = (await browser.get("/api/v1/me")).json()

    assert (page.status_code, str(page.url)) == (200, f"{HERE}/gradio/?tab=2")
    assert [step.headers.get("location") for step in page.history] == [
        "/login?next=/gradio/%3Ftab%3D2",
        "/gradio/?tab=2",
    ]
    assert me["id"] == str(ada.id)
    assert await house.sessions() == 1
    said = str(lines)
    assert "signed in" in said
    assert "authn_login_success" in said
    assert token not in said


async def test_the_keys_are_asked_for_once(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        for _ in range(3):
            await browser.get("/gradio/")

    assert house.liar.asked == ["/keys"]


async def test_an_account_is_made_only_if_the_setting_allows_it(make_house: MakeHouse) -> None:
    closed, open_ = make_house(), make_house(proxy_identity_create=True)

    async with closed.browser(closed.token()) as browser:
        refused = await browser.get("/gradio/")
    async with open_.browser(open_.token()) as browser:
        made = await browser.get("/gradio/")
    [user] = await open_.door.use_cases.list_users(OPERATOR)

    assert refused.status_code == 401
    assert refusal_in(refused).startswith("There is no account for ada@example.org here.")
    assert made.status_code == 200
    assert (user.email, user.name) == (ADA, "Ada at Corp")


async def test_the_roles_of_the_mapping_are_given_and_taken_at_each_sign_in(
    make_house: MakeHouse,
) -> None:
    house = make_house(proxy_identity_roles="groups:data=analyst")
    await house.door.has(ADA, "trainer")
    roles = []
    for groups in (["data"], []):
        async with house.browser(house.token(groups=groups)) as browser:
            await browser.get("/gradio/")
            roles.append((await browser.get("/api/v1/me")).json()["roles"])

    assert roles == [["analyst", "trainer"], ["trainer"]]


async def test_an_admin_types_the_password_once(house: House) -> None:
    await house.door.has(ADA, "admin")
    async with house.browser(house.token()) as browser:
        asked = await browser.get("/gradio/")
        form = {"csrf_token": token_of(asked), "password": "wrong"}
        wrong = await browser.post("/login/proxy/link", data=form)
        form = {"csrf_token": token_of(wrong), "password": PASSWORD}
        right = await browser.post("/login/proxy/link", data=form)
    async with house.browser(house.token()) as other:
        again = await other.get("/gradio/")

    assert "Confirm it is you" in asked.text
    assert "Sign in another way" not in asked.text
    assert refusal_in(wrong) == "This is not the password of the account."
    assert (right.status_code, str(right.url)) == (200, f"{HERE}/gradio/")
    assert str(again.url) == f"{HERE}/gradio/"


async def test_a_disabled_account_is_refused(house: House) -> None:
    ada = await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        await house.door.use_cases.disable_user(OPERATOR, ada.id)
        page = await browser.get("/gradio/")

    assert refusal_in(page) == "Your account is disabled. Ask an admin."


async def test_a_request_of_a_script_opens_no_session(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        del browser.headers["accept"]
        answers = [await browser.get("/api/v1/me"), await browser.post("/gradio/size")]
        head = await browser.head("/login", headers=BROWSER)

    assert [answer.status_code for answer in answers] == [401, 401]
    assert {answer.json()["login"] for answer in answers} == {"/login"}
    assert "set-cookie" not in head.headers or SESSION not in head.headers["set-cookie"]
    assert await house.sessions() == 0


@pytest.mark.parametrize(
    ("claims", "settings", "sentence"),
    [
        ({"email_verified": None}, {}, "has not verified your e-mail address"),
        ({"email_verified": None}, {"proxy_identity_trust_email": True}, ""),
        (
            {"email_verified": False},
            {"proxy_identity_trust_email": True},
            "has not verified your e-mail address",
        ),
        # email_verified speaks of the claim email only.
        (
            {"email": "eve@example.org", "mail": ADA},
            {"proxy_identity_email_claim": "mail"},
            "has not verified your e-mail address ada@example.org",
        ),
        (
            {"email": "eve@example.org", "mail": ADA},
            {"proxy_identity_email_claim": "mail", "proxy_identity_trust_email": True},
            "",
        ),
        ({"email": 7}, {}, "did not say your e-mail address"),
        ({"email": "ada@example.com"}, {}, "Nobody with the e-mail address"),
    ],
)
async def test_a_first_sign_in_needs_an_email_for_which_the_proxy_may_vouch(
    make_house: MakeHouse, claims: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    house = make_house(**settings)
    await house.door.has(ADA)
    async with house.browser(house.token(**claims)) as browser:
        page = await browser.get("/gradio/")

    if sentence:
        assert sentence in refusal_in(page)
    else:
        assert str(page.url) == f"{HERE}/gradio/"


# Programs


async def test_an_access_token_decides_for_a_program(house: House) -> None:
    await house.door.has(ADA)
    made = await house.door.makes_token(ADA)
    async with house.door.program(made, peer=TRUSTED) as program:
        answers = [
            await program.get("/api/v1/me", headers={HEADER: token})
            for token in (house.token(BOB), "nonsense", house.token(sub=""))
        ]

    assert [answer.json()["email"] for answer in answers] == [ADA] * 3
    assert house.liar.asked == []


async def test_the_token_may_come_as_bearer(make_house: MakeHouse) -> None:
    house = make_house(proxy_identity_header="Authorization")
    await house.door.has(ADA)
    made = await house.door.makes_token(ADA)
    bearer = f"Bearer {house.token()}"
    async with house.browser(authorization=bearer) as browser:
        page = await browser.get("/gradio/")
    async with house.browser(peer=STRANGER, authorization=bearer) as stranger:
        refused = await stranger.get("/api/v1/me")
    async with house.door.program(made, peer=TRUSTED) as program:
        me = await program.get("/api/v1/me")
    both = f"Bearer {house.token()}, Bearer {made.value}"
    async with house.browser(authorization=both) as doubled:
        neither = await doubled.get("/api/v1/me", headers={"accept": "application/json"})

    assert page.json()["email"] == ADA
    assert "authorization" not in page.json()["headers"]
    assert refused.status_code == 401
    assert me.json()["email"] == ADA
    assert neither.status_code == 401


async def test_a_page_of_another_site_does_not_embed_a_page_because_of_the_bearer(
    make_house: MakeHouse,
) -> None:
    house = make_house(proxy_identity_header="Authorization")
    await house.door.has(ADA)
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    async with house.browser(authorization=f"Bearer {house.token()}") as browser:
        await browser.get("/gradio/")
        answer = await browser.get("/gradio/", headers=cross)

    assert answer.status_code == 403


# With other ways to sign in


async def test_without_passwords_the_break_glass_account_signs_in_past_the_proxy(
    make_house: MakeHouse,
) -> None:
    house = make_house(password_sign_in=False)
    admin = await house.door.has("admin@example.org", "admin")
    await house.door.use_cases.mark_break_glass(OPERATOR, admin.id, is_marked=True)
    async with house.browser() as browser:
        form = await browser.get("/login?with=password")
        data = {"csrf_token": token_of(form), "username": admin.email, "password": PASSWORD}
        page = await browser.post("/login", data=data)

    assert page.status_code == 200
    assert page.json()["email"] == admin.email


async def test_the_proxy_is_no_provider_to_which_people_are_sent(house: House) -> None:
    async with house.browser() as browser:
        answers = [
            await browser.get(f"/login/{PROXY}"),
            await browser.get(f"/login/{PROXY}/callback"),
            await browser.post(f"/login/{PROXY}/backchannel", data={"logout_token": "a.b.c"}),
        ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert house.liar.asked == []


async def test_an_expired_session_is_taken_over_by_the_next_sign_in(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser(house.token()) as browser:
        await browser.get("/gradio/")
        first = browser.cookies[SESSION]
        house.door.passes(minutes=31)
        browser.headers[HEADER] = house.token()
        script = await browser.get("/api/v1/me", headers={"accept": "application/json"})
        await browser.get("/login?next=/login/done")
        me = await browser.get("/api/v1/me")

    assert script.json()["reason"] == "expired"
    assert me.status_code == 200
    assert browser.cookies[SESSION] != first
