"""A session that ends while somebody works costs them nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import signs_in, signs_in_again
from tests.processes import Process

pytestmark = pytest.mark.browser

APP: Final = """
from pathlib import Path

import gradio as gr

with gr.Blocks(title="Task") as demo:
    text = gr.Textbox(label="Text")
    runs = gr.State(0)
    count = gr.Textbox(label="Runs")
    gr.Button("Run").click(lambda runs: (runs + 1, runs + 1), runs, [runs, count])

    @gr.render(inputs=runs)
    def parts(runs):
        shown = gr.Textbox(label="Chosen")
        for each in range(runs):
            gr.Button(f"Part {each}").click(lambda text, each=each: f"{text} {each}", text, shown)

    file, content = gr.File(label="File"), gr.Textbox(label="Content")
    gr.Button("Read").click(lambda path: Path(path).read_text(), file, content)
"""
JOHN, JANE = "john@test.com", "jane@test.com"
IDLE: Final = timedelta(minutes=30)

NewBrowser = Callable[[], BrowserContext]


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    database: Path

    @property
    def app(self) -> str:
        return f"{self.origin}/gradio/task/"

    def expires(self, *, ago: timedelta = timedelta(seconds=5)) -> None:
        """Let all sessions have expired some time ago, like after half an hour without activity."""
        seen = (datetime.now(UTC) - IDLE - ago).strftime("%Y-%m-%d %H:%M:%S.%f")
        with closing(sqlite3.connect(self.database, timeout=10)) as database, database:
            database.execute("UPDATE sessions SET seen_at = ?", (seen,))

    def was_used_ago(self) -> timedelta:
        """Return how long ago the session that was used last was used."""
        with closing(sqlite3.connect(self.database, timeout=10)) as database:
            (seen,) = database.execute("SELECT max(seen_at) FROM sessions").fetchone()
        return datetime.now(UTC) - datetime.fromisoformat(seen).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ending")
    (folder / "work.py").write_text(APP)
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", "--app", "work.py")
    process = Process(*command, folder=folder, SESSION_CACHE_SECONDS="0")
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        yield Served(origin, folder / "gradioapp-data" / "gradioapp.sqlite3")
    finally:
        process.end()


def arrives(page: Page, served: Served, email: str = JOHN) -> None:
    page.goto(served.app)
    signs_in(page, email, "secret")
    expect(page.get_by_role("button", name="Run")).to_be_visible()


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Your session has ended")


def types(page: Page, text: str) -> None:
    page.get_by_label("Text").press_sequentially(text)


def runs(page: Page) -> None:
    """Press the button, also below the dialog, which a stream of the page may have opened before."""
    page.get_by_role("button", name="Run").dispatch_event("click")


def test_a_session_that_expires_while_typing_costs_nothing(
    served: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, served)
    runs(page)
    expect(page.get_by_label("Runs")).to_have_value("1")
    # Gradio drops a click while the event of the last one has not ended.
    expect(page.get_by_role("button", name="Part 0")).to_be_visible()
    runs(page)
    expect(page.get_by_label("Runs")).to_have_value("2")
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"what I wrote"}
    )
    expect(page.locator("a[download='notes.txt']")).to_be_visible()

    types(page, "typed before")
    served.expires()
    runs(page)
    expect(dialog(page)).to_be_visible()
    for key in ("Escape", "Escape", "Enter", "Space", "x"):
        page.keyboard.press(key)
    expect(dialog(page)).to_be_visible()
    page.keyboard.press("Tab")
    expect(dialog(page).get_by_role("button", name="Sign in")).to_be_focused()
    signs_in_again(page, JOHN, "secret")

    # The click that met the end of the session is made up for, and the next ones work.
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Text")).to_be_focused()
    expect(page.get_by_label("Text")).to_have_value("typed before")
    expect(page.get_by_label("Runs")).to_have_value("3")
    # The parts have been made anew: a click on a button that is about to go would be lost.
    expect(page.get_by_role("button", name="Part 2")).to_be_visible()
    page.get_by_role("button", name="Part 1").click()
    expect(page.get_by_label("Chosen")).to_have_value("typed before 1")
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_label("Content")).to_have_value("what I wrote")
    assert page.url == served.app


def test_a_page_whose_memory_is_gone_says_what_is_lost_and_keeps_what_was_typed(
    served: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, served)
    runs(page)
    expect(page.get_by_label("Runs")).to_have_value("1")
    types(page, "typed before")
    served.expires(ago=timedelta(hours=1))

    runs(page)
    signs_in_again(page, JOHN, "secret")

    expect(page.get_by_role("dialog", name="You are signed in again")).to_contain_text(
        "the app no longer remembers this page"
    )
    with page.expect_response(
        "**/api/v1/me"
    ):  # Whatever the page asks meanwhile, the user decides.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Go on here").click()
    expect(page.locator("#gradioapp-toast, .toast-body").first).to_contain_text("was not run")
    expect(page.get_by_label("Text")).to_have_value("typed before")
    runs(page)
    expect(page.get_by_label("Runs")).to_have_value("1")


def test_signing_in_again_in_a_second_tab_costs_the_first_one_nothing(
    served: Served, new_browser: NewBrowser
) -> None:
    browser = new_browser()
    first, second = browser.new_page(), browser.new_page()
    second.goto(f"{served.origin}/login?next=/gradio/task/")
    arrives(first, served)
    runs(first)
    expect(first.get_by_label("Runs")).to_have_value("1")
    types(first, "typed before")

    signs_in(second, JOHN, "secret")
    expect(second.get_by_role("button", name="Run")).to_be_visible()
    first.wait_for_timeout(3_000)  # The heartbeat has come back with the next session.
    expect(first.get_by_role("dialog")).to_have_count(0)
    runs(first)

    expect(first.get_by_label("Runs")).to_have_value("2")
    first.get_by_role("button", name="Part 1").click()
    expect(first.get_by_label("Chosen")).to_have_value("typed before 1")


def test_another_account_sees_nothing_of_the_page(served: Served, new_browser: NewBrowser) -> None:
    page = new_browser().new_page()
    arrives(page, served)
    runs(page)
    types(page, "a secret")
    served.expires()

    runs(page)
    with page.expect_navigation():
        signs_in_again(page, JANE, "secret")

    expect(page.locator(".gradioapp-who")).to_have_attribute("title", JANE)
    expect(page.get_by_label("Text")).to_have_value("")
    expect(page.get_by_label("Runs")).to_have_value("")
    assert "a secret" not in page.content()
    runs(page)
    expect(page.get_by_label("Runs")).to_have_value("1")


def test_a_stopped_window_is_replaced_by_a_link(served: Served, new_browser: NewBrowser) -> None:
    context = new_browser()
    page = context.new_page()
    page.add_init_script("window.open = () => null")
    arrives(page, served)
    types(page, "typed before")
    served.expires()

    runs(page)
    dialog(page).get_by_role("button", name="Sign in").click()
    link = dialog(page).get_by_role("link", name="Sign in in a new tab")
    expect(link).to_be_focused()
    with context.expect_page() as opened:
        link.click()
    signs_in(opened.value, JOHN, "secret")

    expect(dialog(page)).to_have_count(0)
    expect(page.get_by_label("Text")).to_have_value("typed before")
    assert opened.value.is_closed() or opened.value.url == f"{served.origin}/login/done"


def test_a_page_of_a_user_who_has_signed_out_goes_to_the_sign_in_page_by_itself(
    served: Served, new_browser: NewBrowser
) -> None:
    context = new_browser()
    page, other = context.new_page(), context.new_page()
    arrives(page, served)
    types(page, "a secret")
    other.goto(f"{served.origin}/logout")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/login")

    # Nobody presses anything: the page's stream ends with the session.
    page.wait_for_url("**/login?next=**")
    assert "a secret" not in page.content()


def test_typing_is_activity_at_most_once_a_minute(served: Served, new_browser: NewBrowser) -> None:
    page = new_browser().new_page()
    page.clock.install()
    with page.expect_response("**/api/v1/me"):
        arrives(page, served)
    asked: list[dict[str, str]] = []
    page.on("request", lambda one: asked.append(one.headers) if "/api/v1/me" in one.url else None)
    served.expires(ago=-timedelta(minutes=10))

    with page.expect_response("**/api/v1/me"):
        types(page, "typed")
    at_once = served.was_used_ago()
    types(page, " and typed")
    with page.expect_response("**/api/v1/me"):
        page.clock.fast_forward(60_000)
    page.clock.fast_forward(180_000)

    assert at_once < timedelta(minutes=1)
    assert ["x-gradioapp-passive" in headers for headers in asked] == [False, False]


def test_a_user_who_does_nothing_may_stay_signed_in(
    served: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    page.clock.install()
    with page.expect_response("**/api/v1/me"):
        arrives(page, served)
    offer = page.get_by_text("You will be signed out in 2 minutes")

    # Activity elsewhere has extended the session: the page asks before it shows the offer.
    with page.expect_response("**/api/v1/me"):
        page.clock.fast_forward(28 * 60_000)
    expect(offer).to_have_count(0)

    # Activity elsewhere hides the offer.
    served.expires(ago=-timedelta(seconds=110))
    page.clock.fast_forward(28 * 60_000)
    expect(offer).to_be_visible()
    served.expires(ago=-timedelta(minutes=20))
    page.clock.fast_forward(10_000)
    expect(offer).to_be_hidden()

    served.expires(ago=-timedelta(seconds=110))
    page.clock.fast_forward(28 * 60_000)
    with page.expect_response("**/api/v1/me"):
        page.get_by_role("button", name="Stay signed in").click()
    expect(offer).to_be_hidden()
    assert served.was_used_ago() < timedelta(minutes=1)
