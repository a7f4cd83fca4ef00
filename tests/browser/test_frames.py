"""An app in frames of other pages, signed out and signed in, in a real Chromium."""

import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from tests.browser.conftest import signs_in
from tests.processes import Process

pytestmark = pytest.mark.browser

APP: Final = """
import gradio as gr

from gradioapp import Page, redirect

with gr.Blocks() as demo:
    text = gr.Textbox(label="Text")
    gr.Button("Shout").click(str.upper, text, text)

def leads(title):
    with gr.Blocks() as demo:
        gr.Button("Lead on").click(lambda: redirect("/gradio/alone/"))
        gr.Button("Lead back").click(lambda: redirect("/gradio/shouting/"))
    return demo

page = Page(demo=demo, title="Shouting", csp={"frame-ancestors": PARENTS})
leading = Page(demo=leads("Leading"), title="Leading", csp={"frame-ancestors": PARENTS})
alone = Page(demo=gr.Blocks(), title="Alone")
"""


@dataclass(frozen=True, slots=True)
class Portal:
    """A page with a frame that shows the app."""

    port: int
    app: str

    def opened(self, browser: BrowserContext, host: str) -> Page:
        page = browser.new_page()
        page.goto(f"http://{host}:{self.port}/portal.html")
        return page

    def shown(self, browser: BrowserContext, address: str = "") -> FrameLocator:
        """Return a frame of the same site with the address below the app, for somebody who is signed in."""
        tab = browser.new_page()
        tab.goto(self.app)
        signs_in(tab, "john@test.com", "secret")
        expect(tab.get_by_label("Text")).to_be_visible()
        tab.close()
        parent = self.opened(browser, "127.0.0.1")
        parent.locator("iframe").evaluate("(frame, to) => { frame.src = to }", self.at(address))
        return parent.frame_locator("iframe")

    def at(self, address: str) -> str:
        return urljoin(self.app, address)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    static = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), static)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    parents = [f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost")]
    (tmp_path / "app.py").write_text(APP.replace("PARENTS", repr(parents)))
    apps = [f"--app=app.py:{name}" for name in ("page", "leading", "alone")]
    command = ("entrypoints", "serve", "--port", "0", "--sample-users", *apps)
    process = Process(*command, folder=tmp_path)
    try:
        origin = process.hears(r"http://127\.0\.0\.1:\d+").group(0)
        app = f"{origin}/gradio/shouting/"
        (tmp_path / "portal.html").write_text(
            f'<!doctype html><iframe src="{app}" width="800" height="600"></iframe>'
        )
        (tmp_path / "outer.html").write_text(
            f'<!doctype html><iframe src="{parents[0]}/portal.html" width="900" height="700"></iframe>'
        )
        yield Portal(server.server_port, app)
    finally:
        process.end()
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_a_signed_out_frame_shows_the_app_after_sign_in_in_a_new_tab(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    parent = portal.opened(browser, "127.0.0.1")
    frame = parent.frame_locator("iframe")

    with browser.expect_page() as opened:
        frame.get_by_role("link", name="Sign in").click()
    tab = opened.value
    signs_in(tab, "john@test.com", "secret")

    expect(tab).to_have_url(portal.app)
    frame.get_by_label("Text").fill("hello")
    frame.get_by_role("button", name="Shout", exact=True).click()
    expect(frame.get_by_label("Text")).to_have_value("HELLO")

    tab.get_by_role("button", name="Account menu").click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("Password")).to_be_visible()
    frame.get_by_role("button", name="Shout", exact=True).click()
    expect(frame.get_by_role("heading", name="You are not signed in here")).to_be_visible()


def test_a_frame_on_another_site_leads_to_the_app_in_a_new_tab(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    frame = portal.opened(browser, "localhost").frame_locator("iframe")

    with browser.expect_page() as opened:
        frame.get_by_role("link", name="Open in a new tab").click()
    signs_in(opened.value, "john@test.com", "secret")

    expect(opened.value).to_have_url(portal.app)
    expect(opened.value.get_by_label("Text")).to_be_visible()
    expect(frame.get_by_role("link", name="Open in a new tab")).to_be_visible()


def opens_tab(browser: BrowserContext, frame: FrameLocator, menu: str, link: str) -> str:
    """Click a link in one of the bar's menus, and return the address of the new tab."""
    frame.get_by_role("button", name=menu).click()
    with browser.expect_page() as opened:
        frame.get_by_role("link", name=link, exact=True).click()
    tab = opened.value
    tab.wait_for_load_state()
    address = tab.url
    tab.close()
    return address


def test_the_bar_in_a_frame_opens_pages_that_may_not_be_framed_in_a_new_tab(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    frame = portal.shown(browser)
    expect(frame.get_by_label("Text")).to_be_visible()

    assert opens_tab(browser, frame, "Pages:", "Home") == portal.at("../")
    assert opens_tab(browser, frame, "Pages:", "Alone") == portal.at("../alone/")
    assert opens_tab(browser, frame, "Account menu", "Account") == portal.at("../?tab=account")
    assert opens_tab(browser, frame, "Account menu", "Sessions") == portal.at("../?tab=sessions")
    frame.get_by_role("button", name="Pages:").click()
    frame.get_by_role("link", name="Leading", exact=True).click()
    expect(frame.get_by_role("button", name="Lead on")).to_be_visible()


def test_a_redirect_in_a_frame_opens_a_page_that_may_not_be_framed_in_a_new_tab(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    frame = portal.shown(browser, "../leading/")

    with browser.expect_page() as opened:
        frame.get_by_role("button", name="Lead on").click()
    expect(opened.value).to_have_url(portal.at("../alone/"))
    frame.get_by_role("button", name="Lead back").click()
    expect(frame.get_by_label("Text")).to_be_visible()


def test_a_frame_comes_back_to_its_app_after_sign_out_and_sign_in(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    frame = portal.shown(browser, "../leading/")

    frame.get_by_role("button", name="Account menu").click()
    frame.get_by_role("button", name="Sign out").click()
    with browser.expect_page() as opened:
        frame.get_by_role("link", name="Sign in").click()
    signs_in(opened.value, "john@test.com", "secret")

    expect(opened.value.get_by_role("button", name="Lead on")).to_be_visible()
    expect(frame.get_by_role("button", name="Lead on")).to_be_visible()


def test_a_frame_shows_the_app_without_the_final_slash_and_its_error_pages(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    frame = portal.shown(browser, "../shouting")
    expect(frame.get_by_label("Text")).to_be_visible()

    for address in ("?deep_link=nope", "nope"):
        parent = portal.opened(browser, "127.0.0.1")
        parent.locator("iframe").evaluate("(one, to) => { one.src = to }", portal.at(address))
        link = parent.frame_locator("iframe").get_by_role("link", name="Go to the start page")
        expect(link).to_have_attribute("target", "_blank")


def test_a_frame_below_a_page_of_another_site_leads_a_signed_in_person_to_the_app(
    portal: Portal, new_browser: Callable[[], BrowserContext]
) -> None:
    browser = new_browser()
    portal.shown(browser)
    outer = browser.new_page()
    outer.goto(f"http://localhost:{portal.port}/outer.html")
    frame = outer.frame_locator("iframe").frame_locator("iframe")

    with browser.expect_page() as opened:
        frame.get_by_role("link", name="Open in a new tab").click()

    expect(opened.value).to_have_url(portal.app)
    expect(opened.value.get_by_label("Text")).to_be_visible()
    expect(frame.get_by_text("If this text stays")).to_be_visible()
