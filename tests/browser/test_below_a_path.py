"""Two services below paths of one host, behind a real nginx, in one browser."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.nginx import side_by_side

pytestmark = [pytest.mark.browser, pytest.mark.server]

OpenOne = Callable[[], BrowserContext]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with side_by_side(tmp_path_factory.mktemp("host")) as urls:
        yield urls


def signs_in(browser: BrowserContext, url: str, email: str, asked: list[str] | None = None) -> Page:
    page = browser.new_page()
    if asked is not None:
        page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/gradio/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your apps")).to_be_visible()
    return page


def stored(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("Object.fromEntries(Object.entries(localStorage))")
    return found


def test_a_visit_stays_below_the_path_and_beside_the_other_service(
    new_browser: OpenOne, services: Mapping[str, str], tmp_path: Path
) -> None:
    browser = new_browser()
    (tmp_path / "a.txt").write_text("hello")

    for url in services.values():
        asked: list[str] = []  # By this page: the other service's page goes on asking its own.
        page = signs_in(browser, url, "jane@test.com", asked)
        page.get_by_role("link", name="Shout").click()
        page.get_by_label("Text").fill("hi")
        page.locator("input[type=file]").first.set_input_files(tmp_path / "a.txt")
        file = page.locator("a[download='a.txt']")
        expect(file.first).to_be_visible()
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_label("Out")).to_have_value("HI!")
        expect(file).to_have_count(2)
        address = file.last.get_attribute("href")
        assert page.request.get(address or "").text() == "hello"
        assert asked
        assert [one for one in asked if "/assets/" in one] == []
        assert [one for one in asked if not one.startswith((f"{url}/", "data:", "blob:"))] == []

    bases = [urlsplit(url).path for url in services.values()]
    assert {cookie["path"] for cookie in browser.cookies()} == set(bases)
    kept, removed = (browser.pages[number] for number in (0, 1))
    kept.get_by_role("button", name="Account menu").click()
    kept.get_by_role("button", name="Sign out").click()
    expect(kept).to_have_url(f"{services['kept']}/login")
    removed.reload()
    expect(removed.get_by_label("Text")).to_be_visible()


def test_another_account_takes_away_what_this_services_pages_have_stored_and_nothing_else(
    new_browser: OpenOne, services: Mapping[str, str]
) -> None:
    browser = new_browser()
    there = signs_in(browser, services["removed"], "john@test.com")
    there.evaluate("localStorage.setItem('of-the-other', '1')")
    here = signs_in(browser, services["kept"], "john@test.com")
    here.evaluate("localStorage.setItem('of-john', '1'); sessionStorage.setItem('of-john', '1')")
    here.evaluate("new Promise((end) => { indexedDB.open('of-john').onsuccess = end; })")
    assert {"of-the-other", "of-john"} <= set(stored(here))
    here.get_by_role("button", name="Account menu").click()
    here.get_by_role("button", name="Sign out").click()
    expect(here).to_have_url(f"{services['kept']}/login")

    jane = signs_in(browser, services["kept"], "jane@test.com")

    assert "of-john" not in stored(jane)
    assert stored(jane)["of-the-other"] == "1"
    jane.wait_for_function(
        "indexedDB.databases().then((all) => !all.some((one) => one.name === 'of-john'))"
    )
    there.reload()
    assert stored(there)["of-the-other"] == "1"
    expect(there.get_by_role("heading", name="Your apps")).to_be_visible()
