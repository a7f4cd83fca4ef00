"""One user's way through the service in a real browser, from the printed link to the end of the
session on another device."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, Service, opens_tab, says, signs_in, signs_in_again

pytestmark = pytest.mark.browser

SIGN_IN_AND_BACK = re.compile(r"/login\?next=")

NewBrowser = Callable[[], BrowserContext]


def sets_up(page: Page, service: Service) -> None:
    page.goto(service.setup_link)
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Name").fill("Ada <b>Lovelace</b>")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").click()
    page.wait_for_url("**/gradio/")


def keeps_a_note(page: Page, note: str) -> None:
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Keep").click()
    says(page, "Kept until you sign out.")


def test_a_user_sets_up_the_service_and_keeps_private_data(
    service: Service, new_browser: NewBrowser
) -> None:
    ada = new_browser().new_page()
    sets_up(ada, service)
    says(ada, "Hello, Ada <b>Lovelace</b>")
    says(ada, "This is your first visit.")
    keeps_a_note(ada, "buy milk")
    ada.reload()
    says(ada, "This is your first visit.")
    expect(ada.get_by_label("Note")).to_have_value("buy milk")

    # A restart in between keeps the session and all data.
    took = service.stops()
    service.starts()
    ada.reload()
    says(ada, "Hello, Ada")
    expect(ada.get_by_label("Note")).to_have_value("buy milk")
    assert took < 12

    # A second account in a second browser sees none of it.
    opens_tab(ada, "Users")
    ada.get_by_text("New account").click()
    ada.get_by_role("textbox", name="E-mail", exact=True).fill("Bob@Example.org")
    ada.get_by_label("First password").fill(PASSWORD)
    ada.get_by_role("button", name="Create").click()
    says(ada, "bob@example.org can sign in now.")
    bob = new_browser().new_page()
    bob.goto(service.address)
    signs_in(bob, "bob@example.org", "wrong horse")
    says(bob, "E-mail and password do not match.")
    signs_in(bob, "bob@example.org")
    says(bob, "Hello, bob")
    says(bob, "This is your first visit.")
    expect(bob.get_by_label("Note")).to_have_value("")
    expect(bob.get_by_role("tab", name="Sessions")).to_be_visible()
    expect(bob.get_by_role("tab", name="Users")).to_have_count(0)
    assert "milk" not in bob.content()


def test_a_changed_password_ends_the_session_of_the_other_device(
    service: Service, new_browser: NewBrowser
) -> None:
    laptop, phone = new_browser().new_page(), new_browser().new_page()
    sets_up(laptop, service)
    phone.goto(service.address)
    signs_in(phone, "ada@example.org")
    says(phone, "Hello, Ada")
    phone.get_by_label("Note").fill("x")

    opens_tab(laptop, "Account")
    laptop.get_by_label("Current password").fill(PASSWORD)
    laptop.get_by_label("New password").first.fill("battery staple")
    laptop.get_by_label("New password, again").fill("battery staple")
    laptop.get_by_role("button", name="Change password").click()
    says(laptop, "One other session was ended.")

    # The page's stream may have noticed the end already, and opened the dialog.
    phone.get_by_role("button", name="Keep").dispatch_event("click")
    signs_in_again(phone, "ada@example.org", "battery staple")
    says(phone, "You are signed in again")
    expect(phone.get_by_label("Note")).to_have_value("x")
    phone.get_by_role("button", name="Go on here").click()
    phone.get_by_role("button", name="Keep").click()
    says(phone, "Kept until you sign out.")
    laptop.reload()
    says(laptop, "Hello, Ada")


def test_a_session_ended_elsewhere_stops_its_stream_and_the_page_goes_on_after_sign_in(
    service: Service, new_browser: NewBrowser
) -> None:
    laptop, phone = new_browser().new_page(), new_browser().new_page()
    sets_up(laptop, service)
    phone.goto(f"{service.address}/gradio/countdown/")
    signs_in(phone, "ada@example.org")
    phone.wait_for_url("**/gradio/countdown/")
    phone.get_by_label("number input for Seconds").fill("60")
    phone.get_by_role("button", name="Start").click()
    says_in_box(phone, "hold on, Ada")

    opens_tab(laptop, "Sessions")
    laptop.get_by_role("button", name="Sign out all others").click()
    says(laptop, "Sign out on all other devices?")
    laptop.get_by_role("button", name="Sign out all others").last.click()
    says(laptop, "One session ended.")

    signs_in_again(phone, "ada@example.org")
    says(phone, "Your session ended while this was running, and the result is lost.")
    phone.get_by_role("button", name="Load the page anew").click()
    expect(phone.get_by_role("dialog")).to_have_count(0)
    phone.get_by_label("number input for Seconds").fill("1")
    phone.get_by_role("button", name="Start").click()
    says_in_box(phone, "Ada")


def says_in_box(page: Page, text: str) -> None:
    expect(page.get_by_label("Countdown")).to_have_value(re.compile(text))


def test_signing_out_ends_the_session_and_leaves_no_data_in_the_browser(
    service: Service, new_browser: NewBrowser
) -> None:
    context = new_browser()
    page = context.new_page()
    sets_up(page, service)
    keeps_a_note(page, "secret plan")
    cookies = context.cookies()

    page.get_by_role("button", name="Account menu").click()
    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url(re.compile(r"/login"))
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "secret plan" not in kept
    assert not [c for c in context.cookies() if c["name"] == "gradioapp-session"]
    stolen = next(c["value"] for c in cookies if c["name"] == "gradioapp-session")
    context.add_cookies([{"name": "gradioapp-session", "value": stolen, "url": service.address}])
    page.goto(f"{service.address}/gradio/")
    page.wait_for_url(SIGN_IN_AND_BACK)
