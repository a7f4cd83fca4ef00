"""Sign-in at a provider, from the link on the sign-in page and back, like a browser does it."""

import re
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from domain.model.caller import Caller
from entrypoints.web.next_page import safe_next
from tests.lying_provider import SECRET, LyingProvider, as_json, key
from tests.web.conftest import BROWSER, HERE, PASSWORD, Lines, MakeDoor
from tests.web.houses import House, begun, provider
from tests.web.pages import sign_in, token_of

ADA: Final = "ada@example.org"
SESSION: Final = "gradioapp-session"


async def is_signed_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/gradio/")).status_code == 200


def refusal_in(page: httpx.Response) -> str:
    found = re.search(r'role="alert">([^<]+)<', page.text)
    assert found, page.text
    return found[1]


async def test_a_person_signs_in_from_the_link_on_the_sign_in_page_to_the_wanted_page(
    house: House, lines: Lines
) -> None:
    ada = await house.door.has(ADA)
    house.liar.claims = {"groups": ["data"]}
    async with house.browser() as browser:
        page = await browser.get("/login", params={"next": "/gradio/?tab=2&x=ä"})
        link = re.search(r'href="(/login/corp[^"]*)">Sign in with Corp<', page.text)
        assert link, page.text
        sent = await browser.get(link[1].replace("&amp;", "&"))
        [kept] = begun(browser).values()
        back = house.comes_back(sent)
        answer = await browser.get(back)
        me = (await browser.get("/api/v1/me")).json()

    assert sent.status_code == 303
    assert sent.headers["location"].startswith(f"{house.liar.issuer}/authorize?")
    wanted = dict(httpx.URL(sent.headers["location"]).params)
    assert wanted["redirect_uri"] == f"{HERE}/login/corp/callback"
    assert sent.headers["set-cookie"].endswith("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax")
    assert (answer.status_code, answer.headers["location"]) == (303, "/gradio/?tab=2&x=%C3%A4")
    assert (me["id"], me["roles"]) == (str(ada.id), ["analyst"])
    assert not begun(browser)
    said = str(lines)
    assert "signed in" in said
    for secret in (kept, dict(httpx.URL(back).params)["code"], SECRET):
        assert secret not in said


async def test_the_policy_of_the_sign_in_page_stays(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/login")

    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert 'href="/login/corp"' in page.text


async def test_any_replica_finishes_what_another_began(house: House, make_door: MakeDoor) -> None:
    key = {"secret_key": "a-key-of-our-own-for-prod-0123456789abcdef"}
    corp = (provider(house.liar, "corp"),)
    one, other = make_door(oidc=corp, **key), make_door(oidc=corp, **key)
    await other.has(ADA)
    async with one.client(**BROWSER) as browser, other.client(**BROWSER) as elsewhere:
        back = house.comes_back(await browser.get("/login/corp"))
        elsewhere.cookies = browser.cookies
        answer = await elsewhere.get(back)

    assert answer.status_code == 303
    assert SESSION in answer.headers["set-cookie"]


async def test_a_new_session_replaces_the_browsers_previous_one(house: House) -> None:
    await house.door.has("bob@example.org")
    await house.door.has(ADA)
    async with house.browser() as browser:
        await sign_in(browser, "bob@example.org", PASSWORD)
        before = browser.cookies[SESSION]
        answer = await house.signs_in(browser)
        after = browser.cookies[SESSION]
        email = (await browser.get("/gradio/")).json()["email"]
        browser.cookies.set(SESSION, before, domain="localhost.local", path="/")

    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert before != after
    assert email == ADA
    assert len(await house.door.use_cases.list_all_sessions(Caller.operator())) == 1


async def test_the_list_of_sessions_names_the_provider_of_each(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser, house.browser() as other:
        await house.signs_in(browser)
        await sign_in(other, ADA, PASSWORD)
        listed = (await browser.get("/api/v1/me/sessions")).json()["items"]

    issuers = {one["is_current"]: one["issuer"] for one in listed}
    assert issuers == {True: house.liar.issuer, False: None}


async def test_the_same_account_keeps_the_storage_of_its_browser(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        await house.signs_in(browser)
        again = await house.signs_in(browser)

    assert again.status_code == 303
    assert "clear-site-data" not in again.headers


def minutes(count: float) -> Callable[[House], int]:
    return lambda house: int(house.door.clock.now().timestamp() + count * 60)


LIES: Final[dict[str, dict[str, Any]]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "them"},
    "another nonce": {"nonce": "x"},
    "another at_hash": {"at_hash": "x"},
    "expired": {"exp": minutes(-2)},
    "of the future": {"iat": minutes(2)},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_refused_in_one_sentence_on_the_sign_in_page(house: House, lie: str) -> None:
    await house.door.has(ADA)
    house.liar.claims = {
        name: value(house) if callable(value) else value for name, value in LIES[lie].items()
    }
    async with house.browser() as browser:
        answer = await house.signs_in(browser)

        assert answer.status_code == 401
        assert refusal_in(answer) == (
            "The response of Corp could not be verified. Start again. If it happens again, tell an admin."
        )
        assert 'href="/login/corp"' in answer.text
        assert not begun(browser)
        assert not await is_signed_in(browser)


@pytest.mark.parametrize("state", ["another", None, "", "%ED%A0%80", "ä"])
async def test_another_state_is_refused(house: House, state: str | None) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        answer = await house.signs_in(browser, state=state)

        assert answer.status_code == 401
        assert refusal_in(answer).startswith("This sign-in was started in another browser")
        assert not await is_signed_in(browser)


async def test_a_return_without_the_cookie_or_in_another_browser_is_refused(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser, house.browser() as attacker:
        theirs = house.comes_back(await attacker.get("/login/corp"))
        without = await browser.get(theirs)
        await browser.get("/login/corp")
        with_own = await browser.get(theirs)

        assert [without.status_code, with_own.status_code] == [401, 401]
        assert not await is_signed_in(browser)


async def test_a_return_after_ten_minutes_is_refused(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        back = house.comes_back(await browser.get("/login/corp"))
        [(name, kept)] = begun(browser).items()
        house.door.passes(minutes=10)
        browser.cookies.set(name, kept)
        answer = await browser.get(back)

    assert answer.status_code == 401
    assert "more than 10 minutes ago" in refusal_in(answer)


async def test_a_replayed_return_is_refused_with_and_without_its_cookie(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser, house.browser() as thief:
        back = house.comes_back(await browser.get("/login/corp"))
        [(name, kept)] = begun(browser).items()
        await browser.get(back)
        again = await browser.get(back)
        thief.cookies.set(name, kept)
        stolen = await thief.get(back)

        assert refusal_in(again).startswith("This sign-in was started in another browser")
        assert refusal_in(stolen) == "This sign-in was used already or took too long. Start again."
        assert not await is_signed_in(thief)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("access_denied", "You did not sign in with Corp. Start again, or choose another way."),
        (
            "server_error",
            "Corp did not sign you in. Start again. If it happens again, tell an admin.",
        ),
        ("<script>", "Corp did not sign you in. Start again. If it happens again, tell an admin."),
    ],
)
async def test_an_error_of_the_provider_is_one_sentence(
    house: House, error: str, sentence: str, lines: Lines
) -> None:
    async with house.browser() as browser:
        answer = await house.signs_in(
            browser, code=None, error=error, error_description="<b>Call 555</b>"
        )

    assert (answer.status_code, refusal_in(answer)) == (401, sentence)
    assert "555" not in answer.text
    assert "555" not in str(lines)


def too_slow() -> Any:
    time.sleep(0.5)
    return as_json({})


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
@pytest.mark.parametrize("said", ["nonsense", "down", "slow"])
async def test_a_provider_that_is_slow_down_or_answers_nonsense_lets_nobody_in(
    house: House, path: str, said: str
) -> None:
    await house.door.has(ADA)
    house.door.container.identity_providers()._limit = 0.3
    house.liar.replies[path] = {
        "nonsense": lambda: (200, {}, b"<html>"),
        "down": lambda: (503, {}, b""),
        "slow": too_slow,
    }[said]
    async with house.browser() as browser:
        sent = await browser.get("/login/corp?next=/gradio/x")
        is_sent = sent.status_code == 303
        answer = await browser.get(house.comes_back(sent)) if is_sent else sent

        assert is_sent == (path != "/.well-known/openid-configuration")
        assert answer.status_code == 424
        assert refusal_in(answer) == "Corp cannot be used at the moment. Try again in a minute."
        assert not await is_signed_in(browser)


async def test_the_page_of_a_refusal_keeps_the_wanted_address(house: House) -> None:
    house.liar.claims = {"email": "eve@example.com"}
    async with house.browser() as browser:
        answer = await house.signs_in(browser, start="/login/corp?next=/gradio/x")

    assert refusal_in(answer) == (
        "Nobody with the e-mail address eve@example.com can sign in with Corp here. Ask an admin."
    )
    assert 'href="/login/corp?next=/gradio/x"' in answer.text


async def test_a_second_person_with_the_email_of_an_account_is_refused(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser, house.browser() as other:
        await house.signs_in(browser)
        house.liar.claims = {"sub": "2"}
        answer = await house.signs_in(other)

        assert answer.status_code == 409
        assert not await is_signed_in(other)


async def test_what_the_provider_says_is_escaped(house: House) -> None:
    house.liar.claims = {"email": "<b>@example.org"}
    async with house.browser() as browser:
        answer = await house.signs_in(browser)

    assert answer.status_code == 401
    assert "<b>" not in answer.text


async def test_an_unknown_provider_is_not_found(house: House) -> None:
    async with house.browser() as browser:
        answers = [
            await browser.get(path)
            for path in (
                *("/login/other", "/login/other/callback?state=x", "/login/CORP"),
                *("/login/corp/nothing", "/login/corp/"),
            )
        ]
        posted = await browser.post("/login/other/link")

    assert {answer.status_code for answer in [*answers, posted]} == {404}


async def test_an_unsafe_next_is_dropped(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        answer = await house.signs_in(browser, start="/login/corp?next=https://evil.example/")

    assert answer.headers["location"] == "/gradio/"


@pytest.mark.parametrize("path", ["/login/corp", "/login/corp/callback?code=x", "/login/%63orp"])
def test_sign_in_does_not_lead_back_to_a_sign_in_at_a_provider(path: str) -> None:
    assert safe_next(path) is None


async def test_an_admin_types_the_password_once(house: House) -> None:
    await house.door.has(ADA, "admin")
    async with house.browser() as browser:
        page = await house.signs_in(browser, start="/login/corp?next=/gradio/x")
        before = await is_signed_in(browser)
        form = {"csrf_token": token_of(page), "password": "wrong horse"}
        wrong = await browser.post("/login/corp/link", data=form)
        form = {"csrf_token": token_of(wrong), "password": PASSWORD}
        right = await browser.post("/login/corp/link", data=form)
        again = await house.signs_in(browser)

    assert page.status_code == 200
    assert "Type its password once" in page.text
    assert not before
    assert (wrong.status_code, refusal_in(wrong)) == (
        401,
        "This is not the password of the account.",
    )
    assert (right.status_code, right.headers["location"]) == (303, "/gradio/x")
    assert again.status_code == 303


async def test_strangers_do_not_keep_an_admin_from_typing_it_in_a_known_browser(
    house: House,
) -> None:
    await house.door.has(ADA, "admin")
    async with house.browser() as known, house.browser() as unknown:
        await sign_in(known, ADA, PASSWORD)
        known.cookies.delete(SESSION)
        codes = []
        for browser in (unknown, known):
            page = await house.signs_in(browser)
            for password in ["wrong horse"] * 10 if browser is unknown else []:
                form = {"csrf_token": token_of(page), "password": password}
                page = await browser.post("/login/corp/link", data=form)
            form = {"csrf_token": token_of(page), "password": PASSWORD}
            codes.append((await browser.post("/login/corp/link", data=form)).status_code)

    assert codes == [429, 303]


async def test_the_form_for_the_password_needs_its_token_its_cookie_and_the_sign_in(
    house: House,
) -> None:
    await house.door.has(ADA, "admin")
    async with house.browser() as browser, house.browser() as other:
        page = await house.signs_in(browser)
        form = {"csrf_token": token_of(page), "password": PASSWORD}
        forged = await browser.post("/login/corp/link", data={"password": PASSWORD})
        elsewhere = await other.post("/login/corp/link", data=form)
        unreadable = await browser.post("/login/corp/link", content=b"password=%")
        plain = await browser.post("/login/corp/link", json=form)
        house.door.passes(minutes=10)
        late = await browser.post("/login/corp/link", data=form)

        codes = [answer.status_code for answer in (forged, elsewhere, unreadable, plain, late)]
        assert codes == [403, 401, 415, 415, 401]
        assert not await is_signed_in(browser)
        assert not await is_signed_in(other)


async def test_signing_out_shows_a_link_to_the_provider_and_no_redirect(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        await house.signs_in(browser)
        page = await browser.get("/logout")
        out = await browser.post("/logout", data={"csrf_token": token_of(page)})

        assert out.status_code == 200
        leave = f"{house.liar.issuer}/leave?client_id=us&amp;post_logout_redirect_uri=http%3A%2F%2Flocalhost%2Flogin"
        assert f'href="{leave}"' in out.text
        assert "form-action 'self'" in out.headers["content-security-policy"]
        assert not await is_signed_in(browser)


@pytest.mark.parametrize("case", ["password", "no endpoint", "down"])
async def test_signing_out_leads_to_sign_in_where_there_is_nothing_to_leave(
    house: House, case: str
) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        if case == "password":
            await sign_in(browser, ADA, PASSWORD)
        else:
            await house.signs_in(browser)
        house.door.passes(minutes=20)
        page = await browser.get("/logout")
        house.door.container.identity_providers()._known.clear()
        house.liar.document = {"end_session_endpoint": None}
        if case == "down":
            house.liar.replies["/.well-known/openid-configuration"] = lambda: (500, {}, b"")
        out = await browser.post("/logout", data={"csrf_token": token_of(page)})

        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert not await is_signed_in(browser)


async def test_the_addresses_of_a_service_below_a_path_have_the_path(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "corp"),), public_url="http://localhost/app")
    async with door.client(**BROWSER) as browser:
        page = await browser.get("/app/login")
        sent = await browser.get("/app/login/corp")

    assert 'href="/app/login/corp"' in page.text
    assert dict(httpx.URL(sent.headers["location"]).params)["redirect_uri"] == (
        "http://localhost/app/login/corp/callback"
    )
    assert "Path=/app;" in sent.headers["set-cookie"]


async def test_without_passwords_the_form_is_hidden_and_only_the_break_glass_admin_signs_in(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "corp"),), password_sign_in=False)
    await door.has("bob@example.org")
    admin = await door.has(ADA, "admin")
    await door.use_cases.mark_break_glass(Caller.operator(), admin.id, is_marked=True)
    async with door.client(**BROWSER) as browser:
        page = await browser.get("/login")
        token = token_of(await browser.get("/login?with=password"))
        form = {"csrf_token": token, "password": PASSWORD}
        refused = await browser.post("/login", data={**form, "username": "bob@example.org"})
        let_in = await browser.post("/login", data={**form, "username": ADA})

    assert "<form" not in page.text
    assert '<a class="button" href="/login/corp">' in page.text
    assert refused.status_code == 403
    assert refusal_in(refused) == "Passwords are switched off here. Use single sign-on instead."
    assert "<form" in refused.text
    assert let_in.status_code == 303


async def test_without_passwords_a_refusal_of_the_provider_does_not_show_the_form(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "corp"),), password_sign_in=False)
    async with door.client(**BROWSER) as browser:
        answer = await browser.get("/login/corp/callback?code=x&state=y")

    assert answer.status_code == 401
    assert "<form" not in answer.text


async def told(house: House, form: Any, path: str = "/login/corp/backchannel") -> httpx.Response:
    """Post as the provider's server does: without cookies and without an origin."""
    async with house.door.client() as server:
        del server.headers["origin"]
        return await server.post(path, data=form)


async def test_a_logout_token_ends_the_sessions_of_its_person_and_no_others(house: House) -> None:
    await house.door.has(ADA)
    await house.door.has("bob@example.org")
    async with (
        house.browser() as laptop,
        house.browser() as phone,
        house.browser() as by_password,
        house.browser() as bob,
    ):
        await house.signs_in(laptop)
        await house.signs_in(phone)
        await sign_in(by_password, ADA, PASSWORD)
        house.liar.claims = {"sub": "2", "email": "bob@example.org"}
        await house.signs_in(bob)
        house.liar.claims = {}
        browsers = (laptop, phone, by_password, bob)
        before = [await is_signed_in(browser) for browser in browsers]
        answer = await told(house, house.logout_token())
        after = [await is_signed_in(browser) for browser in browsers]

    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["cache-control"] == "no-store"
    assert before == [True] * 4
    assert after == [False, False, True, True]


async def test_a_logout_token_with_sid_ends_that_session_alone(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as laptop, house.browser() as phone:
        house.liar.claims = {"sid": "one"}
        await house.signs_in(laptop)
        house.liar.claims = {"sid": "two"}
        await house.signs_in(phone)
        house.liar.claims = {}
        answer = await told(house, house.logout_token(sub=None, sid="one"))

        assert answer.status_code == 200
        assert [await is_signed_in(browser) for browser in (laptop, phone)] == [False, True]


async def test_a_logout_token_works_once_and_is_forgotten_when_it_has_expired(
    house: House,
) -> None:
    await house.door.has(ADA)
    form = house.logout_token()
    async with house.browser() as browser:
        first = await told(house, form)
        await house.signs_in(browser)
        again = await told(house, form)
        still = await is_signed_in(browser)
    await house.door.use_cases.purge_sessions()
    kept = len(house.door.container.store().tables.spent_logout_tokens)
    house.door.passes(minutes=7)
    expired = await told(house, form)
    await house.door.use_cases.purge_sessions()

    assert [first.status_code, again.status_code, expired.status_code] == [200, 400, 400]
    assert again.json()["error_description"] == "This logout token was used before."
    assert still
    assert kept == 1
    assert not house.door.container.store().tables.spent_logout_tokens


async def test_what_is_no_logout_token_of_the_provider_ends_nothing(house: House) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        await house.signs_in(browser)
        good = house.logout_token()
        house.liar.signs_with = key("another")
        forged = house.logout_token()
        answers = [
            await told(house, form)
            for form in ({"x": "y"}, {"logout_token": ""}, {"logout_token": "x.y.z"}, forged)
        ]
        unknown = await told(house, good, "/login/other/backchannel")
        async with house.door.client(**BROWSER) as client:
            got = await client.get("/login/corp/backchannel")
            foreign = await client.post(
                "/login/corp/backchannel", data=good, headers={"origin": "https://evil.example"}
            )
            as_json = await client.post("/login/corp/backchannel", json=good)

        assert {answer.status_code for answer in answers} == {400}
        assert {answer.json()["error"] for answer in answers} == {"invalid_request"}
        codes = [one.status_code for one in (unknown, got, foreign, as_json)]
        assert codes == [404, 405, 403, 415]
        assert await is_signed_in(browser)


async def test_a_logout_token_is_refused_while_the_keys_of_the_provider_are_unknown(
    house: House,
) -> None:
    house.liar.replies["/keys"] = lambda: (503, {}, b"")

    answer = await told(house, house.logout_token())

    assert answer.status_code == 400
    assert answer.json()["error_description"].startswith("Corp cannot be used at the moment")


@pytest.mark.parametrize(
    "target", ["/gradio/?x=1", "//evil.example", "https://evil.example", "/login"]
)
async def test_the_sign_in_address_of_a_space_leads_to_our_sign_in(
    house: House, target: str
) -> None:
    async with house.browser() as browser:
        answer = await browser.get("/login/huggingface", params={"_target_url": target})

    wanted = "?next=/gradio/%3Fx%3D1" if target.startswith("/gradio") else ""
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login{wanted}")


async def test_a_person_who_is_signed_in_comes_from_a_spaces_sign_in_straight_back(
    house: House,
) -> None:
    await house.door.has(ADA)
    async with house.browser() as browser:
        await house.signs_in(browser)
        sent = await browser.get("/login/huggingface?_target_url=/gradio/")
        back = await browser.get(sent.headers["location"])

    assert (back.status_code, back.headers["location"]) == (303, "/gradio/")


async def test_a_provider_of_that_name_keeps_its_address(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "huggingface"),))
    liar.clock = door.clock
    await door.has(ADA)
    house = House(door, liar)
    async with house.browser() as browser:
        answer = await house.signs_in(browser, start="/login/huggingface?_target_url=/gradio/?x=1")

    assert answer.headers["location"] == "/gradio/?x=1"


async def test_what_the_pages_need_is_asked_at_sign_in_and_kept_encrypted_with_the_session(
    make_door: MakeDoor, liar: LyingProvider
) -> None:
    door = make_door(oidc=(provider(liar, "corp"),), scopes=["files", "offline_access"])
    liar.clock = door.clock
    liar.grants = {"access_token": "secret-token", "refresh_token": "secret-too"}
    liar.claims = {"at_hash": None}
    await door.has(ADA)
    await door.has("admin@example.org", "admin")
    house = House(door, liar)
    async with house.browser() as browser:
        signed_in = await house.signs_in(browser)
        cookies = dict(browser.cookies)
    async with house.browser() as browser:
        liar.claims |= {"email": "admin@example.org", "sub": "2"}
        asked = await house.signs_in(browser)
        cookies |= dict(browser.cookies)

    kept = door.container.store().tables.provider_tokens
    assert liar.scopes == ["openid profile email files offline_access"] * 2
    assert signed_in.status_code == 303
    assert asked.status_code == 200
    assert len(kept) == 1
    assert "secret" not in f"{kept} {cookies} {asked.text}"
