"""Single sign-on with real providers in processes of their own, in a real browser, on each database."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, opens_tab, says, signs_in
from tests.browser.sites import (
    BOB,
    Site,
    browser_of,
    signs_in_at_corp,
    signs_in_at_lab,
    site,
)
from tests.servers import FreshDatabase

pytestmark = pytest.mark.browser

ROOT = "root@example.org"
OPS = "ops@example.org"
CAROL = "carol@example.org"
DAN = "dan@example.org"
FAY = "fay@example.org"
GUS, HAL = "gus@example.org", "hal@example.org"


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)]
)
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve all journeys of this file; only DATABASE_URL differs."""
    url = None
    if request.param == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
        url = fresh()
    with site(tmp_path_factory.mktemp("sso"), url) as one:
        yield one


@pytest.fixture
def context(chromium: Browser, one: Site) -> Iterator[BrowserContext]:
    with browser_of(chromium, one.address, one.mock.issuer, one.liar.issuer) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def as_new(page: Page) -> Page:
    """Close the page, forget who is signed in, and open another one."""
    context = page.context
    page.close()
    context.clear_cookies()
    return context.new_page()


def test_a_person_signs_in_at_the_provider_and_out_there_again(one: Site, page: Page) -> None:
    one.mock.knows("ada-1")

    # The first sign-in makes an account, and leads to the page that was wanted.
    page.goto(f"{one.address}/gradio/?tab=2")
    signs_in_at_corp(page, one.mock)
    page.wait_for_url(f"{one.address}/gradio/?tab=2")
    says(page, "Hello, Ada at Corp")
    expect(page.get_by_role("tab", name="Users")).to_have_count(0)

    # Signing out leads to the provider, by a link, and back.
    page.get_by_role("button", name="Ada at Corp").click()
    page.get_by_role("button", name="Sign out").click()
    says(page, "You are signed out here")
    page.get_by_role("link", name="Sign out of Corp").click()
    page.wait_for_url(f"{one.mock.issuer}/oauth2/end_session**")
    page.get_by_role("button").first.click()
    page.wait_for_url(f"{one.address}/login")

    # Roles that changed at the provider hold from the next sign-in on, in both directions.
    one.mock.knows("ada-1", "it")
    signs_in_at_corp(page, one.mock)
    page.wait_for_url(f"{one.address}/gradio/")
    opens_tab(page, "Users")
    says(page, "Who has an account here")
    one.has(CAROL, "admin")  # The last admin would keep the role.
    one.mock.knows("ada-1")
    page = as_new(page)
    page.goto(f"{one.address}/gradio/")
    signs_in_at_corp(page, one.mock)
    says(page, "Hello, Ada at Corp")
    expect(page.get_by_role("tab", name="Users")).to_have_count(0)


def test_an_existing_account_is_linked_and_an_admins_after_its_password(
    one: Site, page: Page
) -> None:
    one.has(BOB)
    one.has(ROOT, "admin")
    one.mock.knows("bob-1", email=BOB, name="Bob at Corp")
    one.mock.knows("root-1", "it", email=ROOT, name="Root at Corp")

    # A person without the role is linked at once, and keeps the account's name.
    page.goto(f"{one.address}/gradio/")
    signs_in_at_corp(page, one.mock, "bob-1")
    says(page, "Hello, bob")

    # An admin types the password, once.
    page = as_new(page)
    page.goto(f"{one.address}/gradio/?tab=2")
    signs_in_at_corp(page, one.mock, "root-1")
    says(page, f"The account {ROOT} is an admin's.")
    page.get_by_label("Password").fill("wrong horse")
    page.get_by_role("button", name="Confirm").click()
    says(page, "This is not the password of the account.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"{one.address}/gradio/?tab=2")
    expect(page.get_by_role("tab", name="Users")).to_be_visible()
    page = as_new(page)
    page.goto(f"{one.address}/gradio/")
    signs_in_at_corp(page, one.mock, "root-1")
    page.wait_for_url(f"{one.address}/gradio/")

    # The command line ends the link: the next sign-in asks again.
    one.types("users", "unlink", ROOT)
    page = as_new(page)
    page.goto(f"{one.address}/gradio/")
    signs_in_at_corp(page, one.mock, "root-1")
    says(page, "Confirm it is you")


def test_two_tabs_finish_the_sign_ins_that_they_have_begun(
    one: Site, context: BrowserContext
) -> None:
    one.liar.claims = {"sub": "eve", "email": "eve@example.org", "name": "Eve"}
    first, second = context.new_page(), context.new_page()
    for page, tab in ((first, 1), (second, 2)):
        page.goto(f"{one.address}/gradio/?tab={tab}")
        page.get_by_role("link", name="Sign in with Lab").click()
        page.wait_for_url(f"{one.liar.issuer}/**")

    for page, tab in ((first, 1), (second, 2)):
        page.get_by_role("link", name="Go on").click()
        page.wait_for_url(f"{one.address}/gradio/?tab={tab}")
        says(page, "Hello, Eve")


def test_without_passwords_only_the_break_glass_admin_uses_one(
    one: Site, chromium: Browser
) -> None:
    one.has(OPS, "admin")
    one.has(DAN)
    said = one.types("users", "break-glass", OPS)
    one.mock.knows("dan-1", email=DAN, name="Dan")
    address = one.serves(PASSWORD_SIGN_IN="off")
    with browser_of(chromium, address, one.mock.issuer) as context:
        page = context.new_page()

        page.goto(f"{address}/gradio/")
        expect(page.get_by_role("link", name="Sign in with Corp")).to_be_visible()
        expect(page.get_by_label("Password")).to_have_count(0)
        signs_in_at_corp(page, one.mock, "dan-1")
        says(page, "Hello, dan")

        page = as_new(page)
        page.goto(f"{address}/login?with=password")
        signs_in(page, DAN)
        says(page, "Passwords are switched off here.")
        signs_in(page, OPS)
        page.wait_for_url(f"{address}/gradio/**")
        page.goto(f"{address}/gradio/")
        expect(page.get_by_role("tab", name="Users")).to_be_visible()
    assert OPS in said


def test_a_sign_out_at_the_provider_cuts_an_open_stream(one: Site, page: Page) -> None:
    page.goto(one.app)
    signs_in_at_lab(page, one, FAY, "Fay")
    page.get_by_role("button", name="Count", exact=True).click()
    expect(page.get_by_label("Number")).to_have_value(re.compile(r"number [1-9]"))

    assert one.signs_out_at_provider(FAY) == 200

    expect(page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    number = page.get_by_label("Number").input_value()
    page.wait_for_timeout(1000)
    assert page.get_by_label("Number").input_value() == number
    page.goto(one.app)
    page.wait_for_url(f"{one.address}/login?next=**")


def test_a_session_that_expires_while_typing_goes_on_after_single_sign_on_in_a_second_window(
    one: Site, page: Page
) -> None:
    page.goto(one.app)
    signs_in_at_lab(page, one, FAY, "Fay")
    for count in ("1", "2"):
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_label("Runs")).to_have_value(count)
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"what I wrote"}
    )
    expect(page.locator("a[download='notes.txt']")).to_be_visible()
    page.get_by_label("Text").press_sequentially("typed before")

    one.expires()
    page.get_by_role("button", name="Run").dispatch_event("click")
    ended = page.get_by_role("dialog", name="Your session has ended")
    with page.expect_popup() as popup:
        ended.get_by_role("button", name="Sign in").click()
    with popup.value.expect_event("close"):
        signs_in_at_lab(popup.value, one, FAY, "Fay")

    # The click that met the end of the session is made up for, and the next ones work.
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Text")).to_have_value("typed before")
    expect(page.get_by_label("Runs")).to_have_value("3")
    expect(page.get_by_role("button", name="Part 2")).to_be_visible()
    page.get_by_role("button", name="Part 1").click()
    expect(page.get_by_label("Chosen")).to_have_value("typed before 1")
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_label("Content")).to_have_value("what I wrote")
    assert page.url == one.app


def works(page: Page) -> str:
    """Leave everything that a person can leave in a browser, and return the address of the upload."""
    page.get_by_label("Text").fill("a plover of Gus")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_label("Kept")).to_have_value("a plover of Gus")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Runs")).to_have_value("1")
    page.get_by_label("Note").fill("a plover of Gus")
    page.get_by_label("Text").focus()
    page.get_by_role("button", name="Store").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "plover.txt", "mimeType": "text/plain", "buffer": b"a plover of Gus"}
    )
    upload = page.locator("a[href*='gradio_api/file=']").first.get_attribute("href")
    assert upload is not None
    return upload


STORED = """async () => JSON.stringify({
    local: Object.entries(localStorage),
    session: Object.entries(sessionStorage),
    databases: (await indexedDB.databases()).map(one => one.name),
    caches: await caches.keys(),
    cookies: document.cookie,
    name: window.name,
})"""


@pytest.mark.parametrize("leaves", ["signs out", "expires", "is cut off"])
def test_of_two_people_one_after_the_other_the_second_finds_nothing_of_the_first(
    one: Site, context: BrowserContext, leaves: str
) -> None:
    page = context.new_page()
    page.goto(one.app)
    signs_in_at_lab(page, one, GUS, "Gus at Lab")
    upload = works(page)
    before = {cookie["name"]: cookie["value"] for cookie in context.cookies(one.address)}
    mark = page.evaluate("localStorage.getItem('gradioapp.owner')")
    assert mark

    if leaves == "signs out":
        page.goto(f"{one.address}/logout")
        page.get_by_role("button", name="Sign out").click()
        says(page, "You are signed out here")
    elif leaves == "expires":
        one.expires(ago=timedelta(hours=1))
    else:
        one.signs_out_at_provider(GUS)

    page.goto(one.app)
    page.wait_for_url(f"{one.address}/login?next=**")
    assert "Gus" not in page.content()
    signs_in_at_lab(page, one, HAL, "Hal at Lab")
    page.wait_for_url(one.app)
    for label in ("Text", "Runs", "Kept", "Note", "Number"):
        expect(page.get_by_label(label, exact=True)).to_have_value("")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Runs")).to_have_value("1")
    for gone in ("plover", "Gus", GUS, mark):
        assert gone not in page.content()
        assert gone not in page.evaluate(STORED)
    after = {cookie["name"]: cookie["value"] for cookie in context.cookies(one.address)}
    assert not {"gradioapp-session", "gradioapp-last"} & {
        name for name, value in after.items() if before.get(name) == value
    }
    assert page.request.get(upload).status == 404

    # Nor by the button that leads back.
    for _ in range(8):
        page.go_back(wait_until="commit")
        assert "plover" not in page.content()


def test_a_person_without_a_password_confirms_with_a_new_sign_in_and_makes_a_token(
    one: Site, page: Page
) -> None:
    one.mock.knows("ivy-1", email="ivy@example.org", name="Ivy at Corp")
    page.goto(f"{one.address}/gradio/?tab=account")
    signs_in_at_corp(page, one.mock, "ivy-1")
    page.get_by_label("Name of the program").fill("Nightly")
    one.forgets_confirmations()

    page.get_by_role("button", name="Create access token").click()
    link = page.get_by_role("link", name="Sign in again at Corp")
    expect(link).to_be_visible()
    expect(page.get_by_label("Your password")).to_have_count(0)
    page.get_by_role("button", name="Confirm").click()
    says(page, "This is not confirmed yet.")
    with page.expect_popup() as popup:
        link.click()
    there = popup.value
    there.wait_for_url(f"{one.mock.issuer}/**prompt=login**", wait_until="commit")
    there.get_by_role("textbox").first.fill("ivy-1")
    with there.expect_event("close"):
        there.get_by_role("button", name=re.compile("authorize", re.IGNORECASE)).click()

    expect(page.get_by_label("Name of the program")).to_have_value("Nightly")
    page.get_by_role("button", name="Confirm").click()
    token = page.locator(".new-token textarea").first
    expect(token).to_have_value(re.compile("^gapp_"))
