"""A proxy that signs people in, in front of the real service, in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from adapters.system.clock import SystemClock
from tests.browser.conftest import says
from tests.identity_proxy import (
    SIGN_OUT,
    IdentityProxy,
    as_environment,
    identity_proxy,
    settings_of,
)
from tests.lying_provider import lying_provider
from tests.processes import Process

pytestmark = pytest.mark.browser

APP: Final = """
import gradio as gr


def run(text, request: gr.Request):
    return f"{text} of {request.username}"


with gr.Blocks(title="Notes") as demo:
    text, shown = gr.Textbox(label="Text"), gr.Textbox(label="Shown")
    gr.Button("Run").click(run, text, shown)
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[IdentityProxy]:
    (tmp_path / "notes.py").write_text(APP)
    with lying_provider(SystemClock()) as provider, identity_proxy(provider) as proxy:
        settings = settings_of(
            provider, proxy_identity_create=True, proxy_identity_sign_out_url=SIGN_OUT
        )
        command = ("entrypoints", "serve", "--port", "0", "--app", "notes.py")
        process = Process(*command, folder=tmp_path, **as_environment(settings))
        try:
            proxy.to = int(process.hears(r"http://127\.0\.0\.1:(\d+)").group(1))
            yield proxy
        finally:
            process.end()


def runs(page: Page, text: str, email: str) -> None:
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Shown")).to_have_value(f"{text} of {email}")


def test_a_person_is_signed_in_by_the_proxy_and_the_next_one_sees_nothing_of_the_first(
    proxy: IdentityProxy, new_browser: Callable[[], BrowserContext]
) -> None:
    context = new_browser()
    page, other = context.new_page(), context.new_page()
    notes = f"{proxy.address}/gradio/notes/"

    # The page opens signed in.
    proxy.person = "ada"
    page.goto(notes)
    runs(page, "secret plans", "ada@example.org")
    expect(page.get_by_role("button", name="Ada")).to_be_visible()

    # Another person signs in at the proxy. The open page loads anew, and shows nothing of the first person.
    proxy.person = "bob"
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("button", name="Bob")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("")
    assert "secret plans" not in page.content()
    assert "Ada" not in page.content()
    runs(page, "lunch", "bob@example.org")

    # Signing out here lasts, also in the other tab, until Bob wants to sign in again.
    other.goto(notes)
    page.get_by_role("button", name="Bob").click()
    page.get_by_role("button", name="Sign out").click()
    says(page, "You are signed out here")
    other.bring_to_front()
    other.reload()
    says(other, "You are signed out here")
    other.get_by_role("link", name="Sign in again").click()
    other.wait_for_url(notes)
    expect(other.get_by_role("button", name="Bob")).to_be_visible()

    # Signing out of the proxy ends what the browser may see.
    other.get_by_role("button", name="Bob").click()
    other.get_by_role("button", name="Sign out").click()
    other.get_by_role("link", name="Sign out of Corp").click()
    says(other, "You are signed out of Corp")
    other.goto(notes)
    says(other, "You are signed out of Corp")
