"""Our own pages in a real browser: the bar, the HomePage, confirmations, a new token, and the findings of axe-core."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import forgets_confirmations, opens_tab, says, signs_in
from tests.processes import Process

pytestmark = pytest.mark.browser

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()
SERIOUS: Final = frozenset({"serious", "critical"})
WIDTHS: Final = (1280, 375)

TITLES: Final = tuple(f"Number {n} of the apps" for n in range(1, 12))
LONG: Final = "Product descriptions for the international market place"

APP: Final = '''"""{about}

More of it, for whoever reads the code."""

import gradio as gr

with gr.Blocks(title="{title}") as demo:
    text = gr.Textbox(label="Text")
    gr.Button("Go").click(lambda text: text, text, text)
{more}
'''
ODD: Final = '''
CSS = """
* {{ color: rgb(1, 2, 3) !important; font-size: 30px !important; }}
header, a, button, form, gradioapp-bar {{ display: none !important; }}
gradioapp-bar {{ --ink: red; opacity: 0 !important; }}
"""
demo.launch(css=CSS)
'''

NewBrowser = Callable[[], BrowserContext]


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    setup_link: str | None


def serves(folder: Path, *options: str) -> tuple[Process, Served]:
    process = Process("entrypoints", "serve", "--port", "0", *options, folder=folder)
    origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    if "--sample-users" in options:
        return process, Served(origin, None)
    return process, Served(origin, process.hears(r"http://\S+/setup\?token=\S+").group(0))


def writes(folder: Path, titles: Sequence[str], *, about: str = "", more: str = "") -> list[str]:
    """Write an app for each title, and return the options that name the apps."""
    options = []
    for number, title in enumerate(titles):
        name = f"app_{number}.py"
        said = about or f"What {title} does."
        (folder / name).write_text(APP.format(title=title, about=said, more=more))
        options += ["--app", name]
    return options


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("twelve")
    process, served = serves(folder, "--sample-users", *writes(folder, [*TITLES, LONG]))
    yield served
    process.end()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Served]:
    process, served = serves(tmp_path, "--sample-users", *writes(tmp_path, ["Only one"]))
    yield served
    process.end()


@pytest.fixture
def none(tmp_path: Path) -> Iterator[Served]:
    process, served = serves(tmp_path)
    yield served
    process.end()


def arrives(page: Page, served: Served, email: str = "jane@test.com") -> None:
    page.goto(served.origin)
    signs_in(page, email, "secret")


def sets_up(page: Page, served: Served) -> None:
    assert served.setup_link
    page.goto(served.setup_link)
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button").click()
    says(page, "Hello, Ada")


def menu(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{name}")).click()


def is_within(page: Page, selector: str) -> None:
    box = page.locator(selector).bounding_box()
    size = page.viewport_size
    assert box
    assert size
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]


# The bar


@pytest.mark.parametrize("width", [1280, 320])
def test_the_menu_of_twelve_apps_fits_the_window_and_opens_each_app(
    width: int, twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    page.set_viewport_size({"width": width, "height": 480})
    arrives(page, twelve)
    says(page, "Hello, Jane")

    menu(page, "Pages")

    links = page.locator("#pages").get_by_role("link")
    expect(links).to_have_text(["Home", *TITLES, LONG])
    is_within(page, "#pages")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    links.last.click()
    page.wait_for_url("**/gradio/product-descriptions-**/")
    expect(page.get_by_role("button", name=f"Pages: {LONG}")).to_be_visible()
    menu(page, "Account menu")
    is_within(page, "#account")


def test_an_open_menu_stays_within_a_window_that_becomes_narrow(
    twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    page.set_viewport_size({"width": 1280, "height": 800})
    arrives(page, twelve)
    for name, place in (("Pages", "#pages"), ("Account menu", "#account")):
        menu(page, name)
        page.set_viewport_size({"width": 375, "height": 800})
        page.wait_for_timeout(300)
        is_within(page, place)
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 1280, "height": 800})


def test_the_account_menu_opens_the_tabs_of_the_account(
    twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, twelve)
    for tab in ("Account", "Sessions"):
        menu(page, "Account menu")
        page.locator("#account").get_by_role("link", name=tab).click()

        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")


def test_signing_out_is_one_click_in_the_account_menu(
    twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, twelve)
    page.goto(f"{twelve.origin}/gradio/number-1-of-the-apps/")
    menu(page, "Account menu")

    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/login")
    page.goto(f"{twelve.origin}/gradio/")
    page.wait_for_url("**/login?next=**")


def test_a_changed_name_is_shown_in_the_bars_of_all_tabs_at_once(
    none: Served, new_browser: NewBrowser
) -> None:
    context = new_browser()
    here, there = context.new_page(), context.new_page()
    sets_up(here, none)
    there.goto(f"{none.origin}/gradio/countdown/")
    expect(there.locator(".gradioapp-who")).to_have_text("Ada")
    opens_tab(here, "Account")
    name = here.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_have_value("Ada")
    here.wait_for_timeout(2_000)  # Gradio sets the values of a tab once more after drawing it.

    name.fill("Countess <Lovelace>")
    here.get_by_role("button", name="Change name").click()

    for page in (here, there):
        expect(page.locator(".gradioapp-who")).to_have_text("Countess <Lovelace>")
        expect(page.locator("[data-initial]")).to_have_text("C")
    opens_tab(here, "Home")
    says(here, "Hello, Countess <Lovelace>")


def test_styles_of_an_app_do_not_reach_the_bar_nor_the_other_way_round(
    tmp_path: Path, new_browser: NewBrowser
) -> None:
    options = [*writes(tmp_path, ["Odd", "Other"], more=ODD.format())]
    process, served = serves(tmp_path, "--sample-users", *options)
    try:
        page = new_browser().new_page()
        arrives(page, served)
        page.goto(f"{served.origin}/gradio/odd/")
        expect(page.get_by_label("Text")).to_be_visible()
        expect(page.get_by_role("button", name="Go")).to_have_count(0)  # Its own styles apply.

        who = page.locator(".gradioapp-who")
        expect(who).to_be_visible()
        expect(who).to_have_css("font-size", "15px")
        expect(who).to_have_css("color", "rgb(20, 22, 28)")
        expect(page.locator("gradioapp-bar")).to_have_css("opacity", "1")
        here = page.locator("gradio-app")
        assert here.evaluate("e => getComputedStyle(e).getPropertyValue('--ink')") == ""
    finally:
        process.end()


# The HomePage


def test_a_card_describes_its_app_and_says_when_it_was_last_used(
    twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, twelve, "john@test.com")
    card = page.locator(".apps li", has_text=TITLES[2])
    expect(card).to_contain_text(f"What {TITLES[2]} does.")
    expect(card).not_to_contain_text("More of it")
    expect(card).to_contain_text("Not used yet")
    expect(page.locator(".apps li")).to_have_count(12)

    card.get_by_role("link").click()
    page.get_by_role("button", name="Go").wait_for()
    page.get_by_role("link", name="gradioapp").click()

    expect(card).to_contain_text("Last used")
    expect(page.locator(".apps li", has_text="Not used yet")).to_have_count(11)


def test_an_account_with_one_app_starts_there_and_can_open_the_homepage(
    one: Served, new_browser: NewBrowser
) -> None:
    jane = new_browser().new_page()

    arrives(jane, one)

    jane.wait_for_url("**/gradio/only-one/")
    jane.goto(one.origin)
    jane.wait_for_url("**/gradio/only-one/")
    jane.get_by_role("link", name="gradioapp").click()
    says(jane, "Hello, Jane")


# Actions that cannot be undone


def test_disabling_an_account_asks_first_and_disables_only_that_account(
    none: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    sets_up(page, none)
    opens_tab(page, "Users")
    disable = page.get_by_role("button", name="Disable", exact=True)
    expect(disable).to_be_disabled()
    page.get_by_text("New account").click()
    page.get_by_role("textbox", name="E-mail", exact=True).fill("bob@example.org")
    page.get_by_label("First password").fill("correct horse")
    page.get_by_role("button", name="Create", exact=True).click()
    says(page, "bob@example.org can sign in now.")

    disable.click()
    says(page, "Disable bob@example.org?")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Disable bob@example.org?")).to_have_count(0)
    expect(disable).to_be_enabled()
    disable.click()
    page.get_by_role("button", name="Disable account").click()

    says(page, "bob@example.org is disabled and signed out everywhere.")
    expect(page.get_by_text("Disable bob@example.org?")).to_have_count(0)
    expect(disable).to_be_disabled()
    expect(page.get_by_role("button", name="Enable", exact=True)).to_be_enabled()


def test_the_buttons_for_other_sessions_are_disabled_when_there_are_none(
    none: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    sets_up(page, none)

    opens_tab(page, "Sessions")

    says(page, "Other devices: none")
    expect(page.get_by_role("button", name="Sign out there")).to_be_disabled()
    expect(page.get_by_role("button", name="Sign out all others")).to_be_disabled()


def test_a_window_made_narrow_shows_the_whole_text_about_this_device(
    twelve: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, twelve)
    opens_tab(page, "Sessions")
    here = page.get_by_label("This device")
    expect(here).to_have_value(re.compile("last used"))

    page.set_viewport_size({"width": 375, "height": 740})

    assert here.evaluate("e => e.scrollHeight - e.clientHeight") <= 1


def test_a_new_token_replaces_its_form_and_has_lines_to_copy(
    none: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    sets_up(page, none)
    opens_tab(page, "Account")
    page.get_by_label("Name of the program").fill("Nightly")
    create = page.get_by_role("button", name="Create access token")

    create.click()

    shown = page.locator(".new-token")
    token, client, curl = (shown.locator("textarea").nth(n) for n in range(3))
    expect(token).to_be_in_viewport()
    value = token.input_value()
    expect(create).to_have_count(0)
    expect(curl).to_have_value(f'curl -H "Authorization: Bearer {value}" {none.origin}/api/v1/me')
    expect(client).to_have_value(
        f'client = gradio_client.Client("{none.origin}/gradio/countdown/", '
        f'headers={{"Authorization": "Bearer {value}"}})'
    )
    expect(shown.get_by_role("button", name="Copy")).to_have_count(3)
    page.get_by_role("button", name="I have copied it").click()
    expect(create).to_be_visible()
    assert value not in page.content()


# Accessibility


@dataclass(frozen=True, slots=True)
class Watched:
    """A page that axe-core checks in full, at each width."""

    page: Page

    def must_be_fine(self, what: str) -> None:
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            self.page.wait_for_timeout(300)  # Waits for moving elements.
            self.page.evaluate(AXE)
            found: list[dict[str, Any]] = self.page.evaluate(
                "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
            )
            told = [
                f"{rule['id']}: {node['target']} {node['failureSummary']}"
                for rule in found
                if rule["impact"] in SERIOUS
                for node in rule["nodes"]
            ]
            assert not told, f"{what} at {width}:\n" + "\n".join(told)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, what
        self.page.set_viewport_size({"width": WIDTHS[0], "height": 800})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem_on_our_pages(
    scheme: Any, none: Served, twelve: Served, chromium: Browser, tmp_path: Path
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    watched = Watched(page)
    assert none.setup_link

    page.goto(f"{none.origin}/login")
    watched.must_be_fine("sign-in")
    signs_in(page, "ada@example.org", "wrong horse")
    says(page, "do not match")
    watched.must_be_fine("sign-in refused")
    page.goto(f"{none.origin}/setup")
    watched.must_be_fine("set-up without its link")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(none.setup_link)
    watched.must_be_fine("set-up")
    sets_up(page, none)
    expect(page.locator(".apps li")).to_have_count(1)
    watched.must_be_fine("Home after set-up")
    page.goto(none.setup_link)
    watched.must_be_fine("set-up closed")
    for path in ("/logout", "/nothing-here", "/api/v1/docs"):
        page.goto(none.origin + path)
        watched.must_be_fine(path)
    page.goto(f"{none.origin}/gradio/countdown/")
    page.get_by_role("button", name="Start").wait_for()
    watched.must_be_fine("Countdown")

    page.goto(f"{none.origin}/gradio/?tab=account")
    page.get_by_label("Name of the program").fill("Nightly")
    page.get_by_role("button", name="Create access token").click()
    page.locator(".new-token").wait_for()
    watched.must_be_fine("Account with a new token")
    menu(page, "Account menu")
    watched.must_be_fine("account menu")
    page.goto(f"{none.origin}/gradio/?tab=sessions")
    says(page, "Other devices: none")
    watched.must_be_fine("Sessions")
    page.goto(f"{none.origin}/gradio/")
    opens_tab(page, "Users")
    says(page, "1 account")
    page.get_by_text("New account").click()
    page.get_by_label("First password").wait_for()
    watched.must_be_fine("Users")
    page.get_by_label("Account", exact=True).last.click()
    page.get_by_role("option", name="ada@example.org").click()
    page.get_by_role("button", name="End everything").click()
    says(page, "End everything of ada@example.org?")
    watched.must_be_fine("Users asking")
    page.get_by_role("button", name="Access tokens").click()
    says(page, "Access tokens of ada@example.org")
    forgets_confirmations(tmp_path)
    page.get_by_label("Role", exact=True).fill("analyst")
    page.get_by_role("button", name="Grant role").click()
    says(page, "Confirm that it is you.")
    watched.must_be_fine("Users confirming")

    context.clear_cookies()
    arrives(page, twelve)
    expect(page.locator(".apps li")).to_have_count(12)
    watched.must_be_fine("Home with twelve apps")
    page.set_viewport_size({"width": 1280, "height": 800})
    menu(page, "Pages")
    watched.must_be_fine("menu of twelve apps")
    context.close()


def test_axe_finds_text_with_too_little_contrast(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content("<html lang=en><title>x</title><p style='color: #bbbbc2'>Hardly to be read")

    with pytest.raises(AssertionError, match="color-contrast"):
        Watched(page).must_be_fine("a faint page")

    page.close()
