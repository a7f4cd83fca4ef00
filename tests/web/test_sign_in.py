"""Signing in and out, as a browser does it."""

import httpx
import pytest

from domain.model.caller import Caller
from entrypoints.web.next_page import safe_next
from tests.web.conftest import BROWSER, PASSWORD, Door, Lines
from tests.web.pages import sign_in, token_of

ADA = "ada@example.org"


async def test_the_start_leads_to_sign_in_or_to_the_ui(door: Door) -> None:
    async with door.client() as anonymous, await door.signed_in() as ada:
        answers = [await client.get("/") for client in (anonymous, ada)]

    assert [a.headers["location"] for a in answers] == ["/login", "/gradio/"]
    assert {a.status_code for a in answers} == {303}


@pytest.mark.asvs("V3.3.2", "V3.3.4")
async def test_the_right_password_opens_a_session(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()

    answer = await sign_in(browser, " ADA@example.org", PASSWORD, next="/gradio/?tab=2#here")

    assert (answer.status_code, answer.headers["location"]) == (303, "/gradio/?tab=2#here")
    session, last = answer.headers.get_list("set-cookie")
    assert session.startswith("gradioapp-session=")
    assert session.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert last.startswith("gradioapp-last=")
    assert last.endswith("; Max-Age=34560000; Path=/; HttpOnly; SameSite=Strict")
    assert max(len(session), len(last)) < 1024
    assert browser.cookies["gradioapp-session"] not in answer.text
    assert (await browser.get("/gradio/")).json()["email"] == ADA


@pytest.mark.asvs("V3.3.1", "V3.3.3", "V3.3.5")
async def test_over_https_all_cookies_are_bound_to_this_host(prod: Door) -> None:
    await prod.has()
    async with prod.client(base="https://app.example.org", **BROWSER) as browser:
        page = await browser.get("/login")
        answer = await sign_in(browser, ADA, PASSWORD)

    assert page.headers["set-cookie"].startswith("__Host-gradioapp-form=")
    assert page.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    session, last = answer.headers.get_list("set-cookie")
    assert session.startswith("__Host-gradioapp-session=")
    assert session.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert last.startswith("__Host-gradioapp-last=")
    assert last.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


@pytest.mark.asvs("V6.3.8")
async def test_every_refusal_looks_the_same_and_leaves_the_form_usable(
    door: Door, subtests: pytest.Subtests
) -> None:
    await door.has()
    closed = await door.has("closed@example.org")
    await door.app.disable_user(Caller.operator(), closed.id)

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
    await door.app.create_user(Caller.operator(), email=ADA, password=long)

    assert (await sign_in(browser, ADA, long)).status_code == 303


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_too_many_attempts_have_to_wait(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()
    for _ in range(10):
        await sign_in(browser, ADA, "wrong password")

    refused = await sign_in(browser, ADA, PASSWORD)
    door.passes(seconds=int(refused.headers["retry-after"]))
    passed = await sign_in(browser, ADA, PASSWORD)

    assert (refused.status_code, passed.status_code) == (429, 303)
    assert "Too many attempts" in refused.text


@pytest.mark.asvs("V3.5.1")
@pytest.mark.parametrize("token", ["", "x", "a.b.c", "other"])
async def test_a_form_that_is_not_ours_signs_nobody_in(
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
async def test_a_form_without_its_cookie_or_too_late_signs_nobody_in(
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


async def test_another_tab_does_not_spoil_the_form(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()
    token = token_of(await browser.get("/login"))
    await browser.get("/login")

    form = {"username": ADA, "password": PASSWORD, "csrf_token": token}

    assert (await browser.post("/login", data=form)).status_code == 303


@pytest.mark.asvs("V1.1.1", "V1.3.3")
async def test_a_form_that_cannot_be_read_is_refused_and_offered_again(
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
async def test_a_form_comes_as_a_form(
    browser: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for content_type in ["multipart/form-data; boundary=x", "application/json", "text/plain", ""]:
        with subtests.test(content_type=content_type):
            answer = await browser.post(
                "/login", content=b"x", headers={"content-type": content_type}
            )

            assert answer.status_code == 415


@pytest.mark.asvs("V7.2.4")
async def test_signing_in_again_ends_the_session_before(door: Door) -> None:
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


async def test_who_is_signed_in_needs_no_form(door: Door) -> None:
    async with await door.signed_in() as ada:
        answers = [await ada.get("/login"), await ada.get("/login?next=/gradio/x")]

    assert [answer.headers["location"] for answer in answers] == ["/gradio/", "/gradio/x"]


async def test_without_an_admin_the_page_says_how_to_make_one(
    door: Door, browser: httpx.AsyncClient
) -> None:
    before = await browser.get("/login")
    await door.has(ADA, "admin")
    after = await browser.get("/login")

    assert "There is no admin yet." in before.text
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
    assert "clear-site-data" not in answer.headers  # What is left opens for its owner alone.
    assert "gradioapp-session=; Max-Age=0" in answer.headers["set-cookie"]
    assert gone.status_code == 401


async def signs_out(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logout")
    await browser.post("/logout", data={"csrf_token": token_of(page)})


@pytest.mark.asvs("V14.3.1")
@pytest.mark.parametrize("leaves", ["by signing out", "without a word"])
async def test_what_is_stored_is_cleared_when_another_account_signs_in(
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
async def test_over_https_too_another_account_clears_what_is_stored(prod: Door) -> None:
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
async def test_signing_in_over_the_session_of_another_account_clears_what_is_stored(
    door: Door, browser: httpx.AsyncClient
) -> None:
    """In two tabs: the form was open before the other signed in."""
    await door.has()
    await door.has("bob@example.org")
    page = await browser.get("/login")
    await sign_in(browser, ADA, PASSWORD)

    form = {"csrf_token": token_of(page), "username": "bob@example.org", "password": PASSWORD}
    answer = await browser.post("/login", data=form)

    assert answer.headers["clear-site-data"] == '"cache", "storage"'


@pytest.mark.asvs("V14.3.1")
async def test_a_cookie_that_is_not_ours_makes_nobody_the_last_account(
    door: Door, subtests: pytest.Subtests
) -> None:
    ada = await door.has()
    bob = await door.has("bob@example.org")
    storage = door.app.browser_storage

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


async def test_the_cookie_of_the_last_account_does_not_tell_which(
    door: Door, browser: httpx.AsyncClient
) -> None:
    ada = await door.has()

    await sign_in(browser, ADA, PASSWORD)

    value = browser.cookies["gradioapp-last"]
    assert value == door.app.browser_storage.last(ada.id)
    assert ada.id.hex not in value
    assert len(value) == 43


@pytest.mark.asvs("V14.3.1")
async def test_a_refused_sign_in_clears_nothing_and_leaves_the_last_account(
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
async def test_neither_a_link_nor_a_foreign_form_signs_anybody_out(door: Door) -> None:
    async with await door.signed_in() as ada:
        asked = await ada.get("/logout")
        forged = await ada.post("/logout", data={"csrf_token": "x"})
        still = await ada.get("/gradio/")

    assert (asked.status_code, forged.status_code, still.status_code) == (200, 403, 200)
    assert token_of(forged)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_is_signed_out_already_gets_to_sign_in(door: Door, method: str) -> None:
    async with door.client() as client:
        answer = await client.request(method, "/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.mark.asvs("V16.2.1", "V16.3.1")
async def test_each_attempt_is_logged_without_what_was_typed(
    door: Door, browser: httpx.AsyncClient, lines: Lines
) -> None:
    user = await door.has()
    await sign_in(browser, ADA, "wrong password")
    await sign_in(browser, ADA, PASSWORD)

    attempts = [line for line in lines if line["method"] == "POST"]
    assert [line["outcome"] for line in attempts] == ["sign-in-refused", "signed in"]
    assert attempts[1]["user_id"] == str(user.id)


@pytest.mark.asvs("V1.2.2", "V3.7.2")
def test_an_address_of_ours_is_safe_to_go_to(subtests: pytest.Subtests) -> None:
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
def test_any_other_address_is_not(subtests: pytest.Subtests) -> None:
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
        "/ä",
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
async def test_signing_in_never_leads_off_site(door: Door, browser: httpx.AsyncClient) -> None:
    await door.has()

    answer = await sign_in(browser, ADA, PASSWORD, next="//evil.example")

    assert answer.headers["location"] == "/gradio/"
