"""A user confirms who they are before an access token is made, in a real browser."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import PASSWORD, forgets_confirmations, opens_tab, says
from tests.processes import Process

pytestmark = pytest.mark.browser

ADA = "ada@example.org"

NewBrowser = Callable[[], BrowserContext]


class Service:
    """The service on SQLite, whose database the test can change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = Process("entrypoints", "serve", "--port", "0", folder=folder)
        self.setup_link = self.process.hears(r"http://\S+/setup\?token=\S+").group(0)

    def forgets_confirmations(self) -> None:
        forgets_confirmations(self.folder)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.process.end()


@pytest.fixture
def page(service: Service, new_browser: NewBrowser) -> Page:
    """Return the Account tab of an admin who has just set up the service."""
    page = new_browser().new_page()
    page.goto(service.setup_link)
    page.get_by_label("E-mail").fill(ADA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").click()
    says(page, "Hello, ada")
    return page


def form(page: Page) -> Locator:
    return page.locator(".confirmation").filter(has_text="Confirm that it is you")


def confirms(page: Page, password: str) -> None:
    form(page).get_by_label("Your password").fill(password)
    form(page).get_by_role("button", name="Confirm").click()


def test_a_user_confirms_with_the_password_and_the_token_is_made(
    service: Service, page: Page
) -> None:
    opens_tab(page, "Account")
    name = page.get_by_label("Name of the program")
    name.fill("Nightly")
    service.forgets_confirmations()
    create = page.get_by_role("button", name="Create access token")

    # What was typed stays, also after a change of mind.
    create.click()
    expect(form(page).get_by_label("Your password")).to_be_focused()
    form(page).get_by_role("button", name="Cancel").click()
    expect(form(page)).to_have_count(0)
    expect(name).to_have_value("Nightly")

    # A wrong password is said, and the form stays.
    create.click()
    confirms(page, "wrong horse")
    says(page, "The current password is wrong.")
    expect(form(page)).to_be_visible()
    expect(page.locator(".new-token textarea")).to_have_count(0)

    # The right one makes the token, without another click.
    confirms(page, PASSWORD)
    expect(page.locator(".new-token textarea").first).to_have_value(re.compile("^gapp_"))
    expect(form(page)).to_have_count(0)

    # For ten minutes nothing is asked; then it is too late.
    page.get_by_role("button", name="I have copied it").click()
    name.fill("Second")
    create.click()
    expect(page.locator(".new-token textarea").first).to_have_value(re.compile("^gapp_"))
    page.get_by_role("button", name="I have copied it").click()
    service.forgets_confirmations()
    name.fill("Third")
    name.press("Enter")
    expect(form(page)).to_be_visible()
    form(page).get_by_label("Your password").fill(PASSWORD)
    form(page).get_by_label("Your password").press("Enter")
    expect(page.locator(".new-token textarea").first).to_have_value(re.compile("^gapp_"))
    says(page, "3 of at most 50")


def test_an_admin_confirms_before_a_role_is_granted_and_revokes_a_token(
    service: Service, page: Page
) -> None:
    opens_tab(page, "Account")
    page.get_by_label("Name of the program").fill("Nightly")
    page.get_by_role("button", name="Create access token").click()
    expect(page.locator(".new-token textarea").first).to_have_value(re.compile("^gapp_"))
    opens_tab(page, "Users")
    says(page, "1 account")
    page.get_by_label("Account", exact=True).last.click()
    page.get_by_role("option", name=ADA).click()
    page.get_by_label("Role", exact=True).fill("analyst")
    service.forgets_confirmations()

    page.get_by_role("button", name="Grant role").click()
    confirms(page, PASSWORD)
    says(page, f"{ADA} has the role analyst.")
    expect(page.get_by_label("Role", exact=True)).to_have_value("analyst")

    page.get_by_role("button", name="Access tokens").click()
    says(page, f"Access tokens of {ADA}")
    page.get_by_label("Token", exact=True).click()
    page.get_by_role("option", name="Nightly").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    says(page, "Revoke this access token?")
    page.get_by_role("button", name="Revoke token").last.click()
    says(page, "This account has no access token.")
