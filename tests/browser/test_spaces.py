"""Unchanged apps of public Spaces in a real browser, with a real provider: the button, the greeting, and the token."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import says
from tests.browser.sites import Mock, signs_in_at_corp
from tests.processes import Process

pytestmark = pytest.mark.browser

APPS: Final = Path(__file__).parents[1] / "apps"
PAGES: Final = """
from drive import demo

from gradioapp import Page

page = Page(demo, title="Drive", scopes={"corp": "profile"})
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[Mock]:
    mock = Mock(tmp_path)
    mock.knows("ada-1")
    yield mock
    mock.process.end()


@pytest.fixture
def address(mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("space.py", "drive.py"):
        shutil.copy(APPS / name, tmp_path)
    (tmp_path / "pages.py").write_text(PAGES)
    # The provider's own API, which takes the token that it gave.
    monkeypatch.setitem(os.environ, "DRIVE_API", f"{mock.issuer}/userinfo")
    process = Process(
        *(
            "entrypoints",
            "serve",
            "--port",
            "0",
            "--app",
            "space.py:demo",
            "--app",
            "pages.py:page",
        ),
        folder=tmp_path,
        OIDC_CORP_ISSUER=mock.issuer,
        OIDC_CORP_CLIENT_ID="gradioapp",
        OIDC_CORP_CLIENT_SECRET="hush",
        OIDC_CORP_DOMAINS="example.org",
        OIDC_CORP_CREATE="true",
    )
    yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    process.end()


@pytest.fixture
def page(chromium: Browser, address: str, mock: Mock) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    context.route(
        lambda url: not url.startswith((address, mock.issuer)), lambda route: route.abort()
    )
    yield context.new_page()
    context.close()


def test_a_space_greets_its_visitor_and_its_button_signs_out_after_a_confirmation(
    address: str, mock: Mock, page: Page
) -> None:
    # A stranger is asked to sign in first, and comes to the app.
    page.goto(f"{address}/gradio/space/?x=1")
    signs_in_at_corp(page, mock)
    page.wait_for_url(f"{address}/gradio/space/?x=1")
    says(page, "Hello Ada at Corp (ada@example.org)")

    # The button says who is signed in. Its click is asked once more, and may be taken back.
    button = page.get_by_role("button", name="Logout (ada@example.org)")
    expect(button).to_be_visible()
    button.click()
    page.wait_for_url(f"{address}/logout?next=%2Fgradio%2Fspace%2F%3Fx%3D1")
    page.get_by_role("link", name="Stay").click()
    page.wait_for_url(f"{address}/gradio/space/?x=1")

    # The other app acts with the token that the provider gave at this sign-in.
    page.goto(f"{address}/gradio/drive/")
    says(page, "Files of ada-1")
    page.get_by_label("Name").fill("a")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_label("Moved")).to_have_value(re.compile("^Ada at Corp moves a with "))

    page.get_by_role("button", name="Logout (ada@example.org)").click()
    page.get_by_role("button", name="Sign out").last.click()
    says(page, "You are signed out here")
