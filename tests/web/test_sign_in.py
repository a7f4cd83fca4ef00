"""Sign-in and sign-out, like a browser does them."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import httpx
import pytest

from adapters.memory.limiter import MemoryAttemptLimiter
from application.use_cases import UseCases
from domain.errors import StoreUnavailable
from domain.model.caller import Caller
from domain.ports.security import Limit, LimitReached
from entrypoints.web.next_page import safe_next
from tests.web.conftest import BROWSER, PASSWORD, Door, Lines, MakeDoor
from tests.web.pages import sign_in, token_of

ADA = "ada@example.org"


async def test_the_root_redirects_to_sign_in_or_to_the_ui(door: Door) -> None:
    async with door.client() as anonymous, await door.signed_in() as ada:
        answers = [await client.get("/") for client in (anonymous, ada)]

    assert [a.headers["location"] for a in answers] == ["/login", "/gradio/"]
    assert {a.status_code for a in answers} == {303}


@pytest.mark.asvs("V3.3.2", "V3.3.4")
async def test_the_right_password_opens_a_session(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()

    answer = await sign_in(browser, " ADA@example.org", PASSWORD, next="/gradio/?tab=2#here")

    assert (answer.status_code, answer.headers["location"]) == (303, "/gradio/?tab=2#here")
    session, last, device = answer.headers.get_list("set-cookie")
    assert session.startswith("gradioapp-session=")
    assert session.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert last.startswith("gradioapp-last=")
    assert last.endswith("; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax")
    assert device.startswith("gradioapp-device=")
    assert device.endswith("; Max-Age=31536000; Path=/; HttpOnly; SameSite=Strict")
    assert max(len(session), len(last), len(device)) < 1024
    assert browser.cookies["gradioapp-session"] not in answer.text
    assert (await browser.get("/gradio/")).json()["email"] == ADA


@pytest.mark.asvs("V3.3.1", "V3.3.3", "V3.3.5")
async def test_all_cookies_are_bound_to_the_host_over_https(prod: Door) -> None:
    await prod.has()
    async with prod.client(base="https://app.example.org", **BROWSER) as browser:
        page = await browser.get("/login")
        answer = await sign_in(browser, ADA, PASSWORD)

    assert page.headers["set-cookie"].startswith("__Host-gradioapp-form=")
    assert page.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    session, last, device = answer.headers.get_list("set-cookie")
    assert device.startswith("__Host-gradioapp-device=")
    assert device.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    assert session.startswith("__Host-gradioapp-session=")
    assert session.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert last.startswith("__Host-gradioapp-last=")
    assert last.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


async def test_a_sign_in_in_a_second_window_ends_on_a_page_that_tells_the_first(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    stranger = await browser.get("/login/done")

    answer = await sign_in(browser, ADA, PASSWORD, next="/login/done")
    page = await browser.get("/login/done")

    assert stranger.headers["location"] == "/login?next=/login/done"
    assert answer.headers["location"] == "/login/done"
    assert ADA in page.text
    (script,) = re.findall("<script>(.*)</script>", page.text)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert [part for part in policy.split("; ") if "script" in part] == [
        f"script-src 'sha256-{digest}'"
    ]
    assert "frame-ancestors 'none'" in policy
    assert "postMessage({ signedIn: true })" in script


async def test_a_user_stays_signed_in_on_a_device_only_by_choice(make_door: MakeDoor) -> None:
    door = make_door(remember_days=30)
    await door.has()
    async with door.client() as chosen, door.client() as usual:
        page = (await chosen.get("/login")).text
        wrong = await sign_in(chosen, ADA, "wrong", remember="yes")
        cookies = [
            (await sign_in(chosen, ADA, PASSWORD, remember="yes")).headers["set-cookie"],
            (await sign_in(usual, ADA, PASSWORD)).headers["set-cookie"],
        ]
        listed = (await chosen.get("/api/v1/me/sessions")).json()["items"]
        door.passes(days=30, seconds=-1)
        statuses = [(await client.get("/api/v1/me")).status_code for client in (chosen, usual)]
        session = (await chosen.get("/api/v1/me")).json()["session"]
        door.passes(seconds=1)
        statuses.append((await chosen.get("/api/v1/me")).status_code)

    assert "Keep me signed in on this device for 30\xa0days" in page
    assert 'name="remember" value="yes" checked' in wrong.text
    assert f"; Max-Age={30 * 86400 + 900}; " in cookies[0].partition("gradioapp-last")[0]
    assert "Max-Age" not in cookies[1].partition("gradioapp-last")[0]
    assert sorted(one["is_remembered"] for one in listed) == [False, True]
    assert statuses == [200, 401, 401]
    assert session["idle_at"] == session["ends_at"] == "2026-02-01T12:00:00Z"


async def test_nobody_stays_signed_in_unless_the_operator_allows_it(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()

    page = await browser.get("/login")
    answer = await sign_in(browser, ADA, PASSWORD, remember="yes")
    door.passes(minutes=30)

    assert "Keep me signed in" not in page.text
    assert "Max-Age" not in answer.headers.get_list("set-cookie")[0]
    assert (await browser.get("/gradio/")).headers["location"] == "/login?next=/gradio/"


@pytest.mark.asvs("V6.3.8")
async def test_every_refusal_looks_the_same_and_leaves_the_form_usable(
    door: Door, subtests: pytest.Subtests
) -> None:
    await door.has()
    closed = await door.has("closed@example.org")
    await door.use_cases.disable_user(Caller.operator(), closed.id)

    for email, password in [
        (ADA, "wrong password"),
        ("nobody@example.org", PASSWORD),
        ("closed@example.org", PASSWORD),
        ("", ""),
        ("no address", PASSWORD),
        (ADA, ""),
        (ADA, "x" * 4096),
        (ADA, "x" * 73),
        (ADA, f"{PASSWORD}\0"),
        ("ada\0@example.org", PASSWORD),
        ("x" * 5000, PASSWORD),
        ("<script>alert(1)</script>", PASSWORD),
    ]:
        with subtests.test(email=email[:30], password=password[:30], length=len(password)):
            async with door.client(**BROWSER) as browser:
                answer = await sign_in(browser, email, password, next="/gradio/?tab=2")
                form = {"csrf_token": token_of(answer), "username": ADA, "password": PASSWORD}
                again = await browser.post("/login", data=form)

            assert answer.status_code == 401
            assert 'role="alert">E-mail and password do not match.<' in answer.text
            assert 'value="/gradio/?tab=2"' in answer.text
            assert "<script" not in answer.text
            assert password == "" or password not in answer.text
            assert again.status_code == 303


@pytest.mark.asvs("V6.2.9")
async def test_a_password_of_73_bytes_works(door: Door, browser: httpx.AsyncClient) -> None:
    long = "päss" * 14 + "abc"
    await door.use_cases.create_user(Caller.operator(), email=ADA, password=long)

    assert (await sign_in(browser, ADA, long)).status_code == 303


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_too_many_attempts_are_refused_for_a_while(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    for _ in range(10):
        await sign_in(browser, ADA, "wrong password")

    refused = await sign_in(browser, ADA, PASSWORD)
    door.passes(seconds=int(refused.headers["retry-after"]))
    passed = await sign_in(browser, ADA, PASSWORD)

    assert (refused.status_code, passed.status_code) == (429, 303)
    assert "Too many attempts" in refused.text


@pytest.mark.asvs("V6.3.1")
async def test_wrong_passwords_of_others_keep_nobody_out_of_a_browser_that_has_signed_in(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    await sign_in(browser, ADA, PASSWORD)
    await signs_out(browser)
    async with door.client(**BROWSER) as stranger:
        statuses = [(await sign_in(stranger, ADA, "wrong password")).status_code for _ in range(11)]
        guessed = await sign_in(stranger, ADA, PASSWORD)

    passed = await sign_in(browser, ADA, PASSWORD)

    assert statuses == [401] * 10 + [429]
    assert (guessed.status_code, passed.status_code) == (429, 303)


async def test_a_refused_sign_in_sets_no_device_cookie(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()

    await sign_in(browser, ADA, "wrong password")

    assert "gradioapp-device" not in browser.cookies


class Down(MemoryAttemptLimiter):
    """A limiter whose store does not respond."""

    async def take(self, limits: Sequence[Limit], now: datetime) -> LimitReached | None:
        raise StoreUnavailable


@pytest.mark.asvs("V16.5.3")
async def test_nobody_signs_in_while_attempts_cannot_be_counted(make_door: MakeDoor) -> None:
    def without_counting(use_cases: UseCases) -> UseCases:
        log_in = use_cases.log_in
        return replace(use_cases, log_in=replace(log_in, auth=replace(log_in.auth, limiter=Down())))

    door = make_door(without_counting)
    await door.has()
    async with door.client(**BROWSER) as browser:
        answers = [await sign_in(browser, ADA, text) for text in (PASSWORD, "wrong password")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert [answer.headers["retry-after"] for answer in answers] == ["5", "5"]


@pytest.mark.asvs("V3.5.1")
@pytest.mark.parametrize("token", ["", "x", "a.b.c", "other"])
async def test_a_forged_form_signs_nobody_in(
    door: Door, browser: httpx.AsyncClient, token: str
) -> None:
    await door.has()
    async with door.client() as other:
        foreign = token_of(await other.get("/login"))
    await browser.get("/login")
    form = {"csrf_token": foreign if token == "other" else token, "username": ADA}

    answer = await browser.post("/login", data={**form, "password": PASSWORD})

    assert answer.status_code == 403
    assert f'value="{ADA}"' in answer.text
    assert PASSWORD not in answer.text
    assert "gradioapp-session" not in browser.cookies
    again = {**form, "csrf_token": token_of(answer), "password": PASSWORD}
    assert (await browser.post("/login", data=again)).status_code == 303


@pytest.mark.asvs("V3.5.1")
async def test_a_form_without_its_cookie_or_after_its_lifetime_signs_nobody_in(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    form = {
        "username": ADA,
        "password": PASSWORD,
        "csrf_token": token_of(await browser.get("/login")),
    }
    door.passes(hours=13)
    late = await browser.post("/login", data=form)
    form["csrf_token"] = token_of(late)
    browser.cookies.delete("gradioapp-form")
    bare = await browser.post("/login", data=form)

    assert (late.status_code, bare.status_code) == (403, 403)


async def test_a_second_tab_does_not_invalidate_the_form(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    token = token_of(await browser.get("/login"))
    await browser.get("/login")

    form = {"username": ADA, "password": PASSWORD, "csrf_token": token}

    assert (await browser.post("/login", data=form)).status_code == 303


@pytest.mark.asvs("V1.1.1", "V1.3.3")
async def test_an_unreadable_form_is_refused_and_offered_again(
    browser: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    for body in [
        b"username=a&username=b",
        b"password=%ED%A0%80",
        b"password=%FF",
        b"username=\xff\xfe",
        b"password=%zz",
        b"password=%",
        b"&".join(b"f%d=1" % n for n in range(50)),
    ]:
        with subtests.test(body=body):
            answer = await browser.post("/login", content=body, headers=headers)

            assert answer.status_code == 400
            assert token_of(answer)


@pytest.mark.asvs("V4.1.1")
async def test_a_form_with_another_content_type_is_refused(
    browser: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for content_type in ["multipart/form-data; boundary=x", "application/json", "text/plain", ""]:
        with subtests.test(content_type=content_type):
            answer = await browser.post(
                "/login", content=b"x", headers={"content-type": content_type}
            )

            assert answer.status_code == 415


@pytest.mark.asvs("V7.2.4")
async def test_signing_in_again_ends_the_earlier_session(door: Door) -> None:
    async with await door.signed_in() as browser, door.client() as thief:
        old = browser.cookies["gradioapp-session"]
        await door.has("eve@example.org")
        async with door.client(**BROWSER) as fresh:
            page = await fresh.get("/login")
            fresh.cookies.set("gradioapp-session", old)
            form = {
                "csrf_token": token_of(page),
                "username": "eve@example.org",
                "password": PASSWORD,
            }
            answer = await fresh.post("/login", data=form)
        gone = await thief.get("/gradio/", headers={"cookie": f"gradioapp-session={old}"})

    assert answer.status_code == 303
    assert gone.status_code == 401


async def test_a_signed_in_browser_is_redirected_from_the_form(door: Door) -> None:
    async with await door.signed_in() as ada:
        answers = [await ada.get("/login"), await ada.get("/login?next=/gradio/x")]

    assert [answer.headers["location"] for answer in answers] == ["/gradio/", "/gradio/x"]


async def test_the_page_says_how_to_make_an_admin_when_there_is_none(
    door: Door, browser: httpx.AsyncClient
) -> None:
    before = await browser.get("/login")
    await door.has(ADA, "admin")
    after = await browser.get("/login")

    assert "There is no admin yet." in before.text
    assert "gradioapp users create EMAIL --role admin" in before.text
    assert "There is no admin yet." not in after.text


@pytest.mark.asvs("V7.4.1", "V7.4.4")
async def test_signing_out_ends_the_session(door: Door) -> None:
    async with await door.signed_in() as ada:
        token = ada.cookies["gradioapp-session"]
        page = await ada.get("/logout?next=/gradio/x")
        answer = await ada.post("/logout", data={"csrf_token": token_of(page)})
        ada.cookies.set("gradioapp-session", token)
        gone = await ada.get("/gradio/")

    assert 'href="/gradio/x"' in page.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (
        "clear-site-data" not in answer.headers
    )  # The remaining data is accessible only to its owner.
    assert "gradioapp-session=; Max-Age=0" in answer.headers["set-cookie"]
    assert gone.status_code == 401


async def signs_out(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logout")
    await browser.post("/logout", data={"csrf_token": token_of(page)})


@pytest.mark.asvs("V14.3.1")
@pytest.mark.parametrize("leaves", ["by signing out", "without a word"])
async def test_stored_data_is_cleared_when_another_account_signs_in(
    door: Door, browser: httpx.AsyncClient, leaves: str
) -> None:
    await door.has()
    await door.has("bob@example.org")
    cleared = []

    for email in (ADA, ADA, "bob@example.org", "bob@example.org", ADA):
        answer = await sign_in(browser, email, PASSWORD)
        assert answer.status_code == 303
        cleared.append(answer.headers.get("clear-site-data"))
        if leaves == "by signing out":
            await signs_out(browser)
        else:
            browser.cookies.delete("gradioapp-session")

    everything = '"cache", "storage"'
    assert cleared == [everything, None, everything, None, everything]


@pytest.mark.asvs("V14.3.1")
async def test_stored_data_is_cleared_for_another_account_over_https(prod: Door) -> None:
    await prod.has()
    await prod.has("bob@example.org")
    async with prod.client(base="https://app.example.org", **BROWSER) as browser:
        answers = []
        for email in (ADA, ADA, "bob@example.org"):
            answers.append(await sign_in(browser, email, PASSWORD))
            browser.cookies.delete("__Host-gradioapp-session")

    cleared = [answer.headers.get("clear-site-data") for answer in answers]
    assert cleared == ['"cache", "storage"', None, '"cache", "storage"']


@pytest.mark.asvs("V14.3.1")
async def test_signing_in_over_the_session_of_another_account_clears_stored_data(
    door: Door, browser: httpx.AsyncClient
) -> None:
    """This happens in two tabs: the form was open before the other account signed in."""
    await door.has()
    await door.has("bob@example.org")
    page = await browser.get("/login")
    await sign_in(browser, ADA, PASSWORD)

    form = {"csrf_token": token_of(page), "username": "bob@example.org", "password": PASSWORD}
    answer = await browser.post("/login", data=form)

    assert answer.headers["clear-site-data"] == '"cache", "storage"'


@pytest.mark.asvs("V14.3.1")
async def test_a_forged_cookie_does_not_name_the_last_account(
    door: Door, subtests: pytest.Subtests
) -> None:
    ada = await door.has()
    bob = await door.has("bob@example.org")
    storage = door.use_cases.browser_storage

    for value, is_last in [
        (storage.last(ada.id), True),
        (storage.last(bob.id), False),
        (storage.owner(ada.id), False),
        (str(ada.id), False),
        (storage.last(ada.id).lower(), False),
        ("x" * 5000, False),
        ("", False),
        (f"{storage.last(bob.id)}; gradioapp-last={storage.last(ada.id)}", False),
    ]:
        with subtests.test(value=value[:60]):
            async with door.client(**BROWSER) as browser:
                page = await browser.get("/login")
                form = {"csrf_token": token_of(page), "username": ADA, "password": PASSWORD}
                cookie = (
                    f"gradioapp-form={browser.cookies['gradioapp-form']}; gradioapp-last={value}"
                )
                answer = await browser.post("/login", data=form, headers={"cookie": cookie})

            assert answer.status_code == 303
            assert ("clear-site-data" not in answer.headers) == is_last


async def test_the_cookie_of_the_last_account_does_not_reveal_its_id(
    door: Door, browser: httpx.AsyncClient
) -> None:
    ada = await door.has()

    await sign_in(browser, ADA, PASSWORD)

    value = browser.cookies["gradioapp-last"]
    assert value == door.use_cases.browser_storage.last(ada.id)
    assert ada.id.hex not in value
    assert len(value) == 43


@pytest.mark.asvs("V14.3.1")
async def test_a_refused_sign_in_clears_no_data_and_keeps_the_last_account(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()
    await door.has("bob@example.org")
    await sign_in(browser, ADA, PASSWORD)
    await signs_out(browser)

    refused = await sign_in(browser, "bob@example.org", "wrong password")
    again = await sign_in(browser, ADA, PASSWORD)

    assert refused.status_code == 401
    for answer in (refused, again):
        assert "clear-site-data" not in answer.headers


@pytest.mark.asvs("V3.5.3", "V3.5.1")
async def test_neither_a_link_nor_a_forged_form_signs_out(door: Door) -> None:
    async with await door.signed_in() as ada:
        asked = await ada.get("/logout")
        forged = await ada.post("/logout", data={"csrf_token": "x"})
        still = await ada.get("/gradio/")

    assert (asked.status_code, forged.status_code, still.status_code) == (200, 403, 200)
    assert token_of(forged)


@pytest.mark.asvs("V3.5.1")
@pytest.mark.parametrize("issued", ["before sign-in", "in an ended session", "in another browser"])
async def test_a_form_of_another_time_or_session_does_not_sign_out(
    door: Door, browser: httpx.AsyncClient, issued: str
) -> None:
    await door.has()
    before = token_of(await browser.get("/login"))
    await sign_in(browser, ADA, PASSWORD)
    ended = token_of(await browser.get("/logout"))
    await signs_out(browser)
    await sign_in(browser, ADA, PASSWORD)
    async with await door.signed_in() as other:
        foreign = token_of(await other.get("/logout"))
    token = {"before sign-in": before, "in an ended session": ended}.get(issued, foreign)

    answer = await browser.post("/logout", data={"csrf_token": token})

    assert answer.status_code == 403
    assert "This page has expired." in answer.text
    assert (await browser.get("/gradio/")).status_code == 200
    again = await browser.post("/logout", data={"csrf_token": token_of(answer)})
    assert again.status_code == 303


@pytest.mark.asvs("V3.5.1")
async def test_a_form_of_a_session_does_not_sign_in(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()
    await sign_in(browser, ADA, PASSWORD)
    token = token_of(await browser.get("/logout"))
    await signs_out(browser)

    form = {"csrf_token": token, "username": ADA, "password": PASSWORD}
    answer = await browser.post("/login", data=form)

    assert answer.status_code == 403
    assert "This form has expired." in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_signed_out_browser_is_redirected_from_sign_out_to_sign_in(
    door: Door, method: str
) -> None:
    async with door.client() as client:
        answer = await client.request(method, "/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.mark.asvs("V16.2.1", "V16.3.1")
async def test_each_attempt_is_logged_without_its_input(
    door: Door, browser: httpx.AsyncClient, lines: Lines
) -> None:
    user = await door.has()
    await sign_in(browser, ADA, "wrong password")
    await sign_in(browser, ADA, PASSWORD)

    attempts = [line for line in lines if line.get("method") == "POST"]
    assert [line["outcome"] for line in attempts] == ["sign-in-refused", "signed in"]
    assert attempts[1]["user_id"] == str(user.id)


@pytest.mark.asvs("V1.2.2", "V3.7.2")
def test_an_address_of_our_own_is_a_safe_next(subtests: pytest.Subtests) -> None:
    for text in [
        "/gradio/",
        "/gradio/?a=b&c=/d",
        "/",
        "/a#b",
        "/gradio/?next=https://x",
        "/%C3%A4",
        "/a:b@c",
        "/x" * 1024,
    ]:
        with subtests.test(text=text):
            assert safe_next(text) == text


@pytest.mark.asvs("V1.2.2", "V3.7.2")
@pytest.mark.parametrize(
    ("typed", "encoded"),
    [
        ("/gradio/?q=é", "/gradio/?q=%C3%A9"),
        ("/gradio/日本/?a=b#c", "/gradio/%E6%97%A5%E6%9C%AC/?a=b#c"),
        ("/gradio/?q=%C3%A9", "/gradio/?q=%C3%A9"),
    ],
)
def test_a_next_with_other_letters_is_followed_encoded(typed: str, encoded: str) -> None:
    assert safe_next(typed) == encoded


def test_any_other_address_is_not_a_safe_next(subtests: pytest.Subtests) -> None:
    for text in [
        None,
        "",
        "gradio",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil",
        "/\t/evil.example",
        "/\n/evil.example",
        " /x",
        "/x y",
        "javascript:alert(1)",
        "/%2fevil.example",
        "/%5cevil.example",
        "/%2F%2Fevil.example",
        "/%00",
        "/%0d%0aset-cookie:x",
        "/x\0",
        "/login",
        "/login/",
        "/login?next=/x",
        "/logout",
        "/setup?token=x",
        "/%6cogin",
        "/\u2028/evil.example",
        "//ä.example",
        "/../x",
        "/x/../../y",
        "/./x",
        "/%2e%2e/x",
        "/x" * 1025,
        "/\ud800",
        "http:/x",
        "?x",
        "#x",
    ]:
        with subtests.test(text=text):
            assert safe_next(text) is None


@pytest.mark.asvs("V3.7.2")
async def test_signing_in_never_redirects_to_another_site(
    door: Door, browser: httpx.AsyncClient
) -> None:
    await door.has()

    answer = await sign_in(browser, ADA, PASSWORD, next="//evil.example")

    assert answer.headers["location"] == "/gradio/"
