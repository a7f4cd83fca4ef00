"""Data that apps keep in a browser with several users: saved chats, `gr.BrowserState` and data of
scripts.

On a local address a browser obeys Clear-Site-Data, like over https. Under another name over http it
does not, and a script of the page has to clear the data.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import NAMED, PASSWORD, signs_in
from tests.processes import ROOT, Process

pytestmark = pytest.mark.browser

ADA, BOB = "ada@example.org", "bob@example.org"
WORDS: Final = "a secret of Ada's"
OTHERS: Final = "something of Bob's"
APPS: Final = ROOT / "tests" / "apps"
RENDERED: Final = """
import gradio as gr

with gr.Blocks() as demo:
    @gr.render()
    def show():
        text, shown = gr.Textbox(label="Note"), gr.Textbox("...", label="Last time")
        kept = gr.BrowserState("", storage_key="note")
        gr.Button("Keep").click(lambda text: (text, text), text, [kept, shown])
        gr.on(None, lambda kept: kept or "nothing", kept, shown)
"""
STORED: Final = """
async () => JSON.stringify({
  local: {...localStorage},
  session: {...sessionStorage},
  databases: (await indexedDB.databases()).map(({name}) => name),
})
"""
STORES: Final = """
(text) => new Promise(done => {
  localStorage.setItem("of a script", text);
  sessionStorage.setItem("of a script", text);
  indexedDB.open("of a script").onsuccess = opened => done(opened.target.result.close());
})
"""
"""Store values like a script of the app's author might."""
DATABASES_LEFT: Final = """
async () => {
  let left = await indexedDB.databases();
  for (let asked = 0; left.length && asked < 100; asked++) {
    await new Promise(done => setTimeout(done, 50));
    left = await indexedDB.databases();
  }
  return left.length;
}
"""
"""Databases are removed while the page stays open."""

NewBrowser = Callable[[], BrowserContext]


@dataclass(slots=True)
class Served:
    """The service. It can be stopped and started again at the same address."""

    folder: Path
    host: str
    port: int
    process: Process | None = None

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    def address(self, app: str) -> str:
        return f"{self.origin}/gradio/{app}/"

    def starts(self) -> None:
        apps = [APPS / "chat.py", APPS / "states.py", self.folder / "rendered_state.py"]
        named = [part for app in apps for part in ("--app", str(app))]
        command = ("entrypoints", "serve", "--port", str(self.port), *named)
        if self.host == NAMED:
            self.process = Process(
                *command, folder=self.folder, ALLOW_HTTP="true", PUBLIC_URL=self.origin
            )
        else:
            self.process = Process(*command, folder=self.folder)
        self.process.hears(r"http://\S+:\d+")

    def stops(self) -> None:
        assert self.process is not None
        self.process.stops(within=12)
        self.process.end()

    def has(self, email: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "entrypoints", "users", "create", email],
            input=f"{PASSWORD}\n",
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )

    @contextmanager
    def signed_in(self, email: str) -> Iterator[httpx.Client]:
        """Sign in on another device."""
        headers = {"origin": self.origin, "host": f"{self.host}:{self.port}"}
        at = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=at, headers=headers, timeout=20) as http:
            form = re.search(r'name="csrf_token" value="([^"]+)"', http.get("/login").text)
            assert form
            who = {"username": email, "password": PASSWORD, "csrf_token": form[1]}
            answer = http.post("/login", data=who)
            assert answer.status_code == 303, answer.text
            yield http

    def ends_elsewhere(self, email: str) -> None:
        with self.signed_in(email) as http:
            assert http.delete("/api/v1/me/sessions").is_success


@pytest.fixture(scope="module", params=["127.0.0.1", NAMED])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = Served(tmp_path_factory.mktemp("storage"), request.param, port)
    (served.folder / "rendered_state.py").write_text(RENDERED)
    for email in (ADA, BOB):
        served.has(email)
    try:
        served.starts()
        yield served
    finally:
        if served.process is not None:
            served.process.end()


# Actions of users


def arrives(page: Page, served: Served, email: str, app: str = "chat") -> None:
    """Open the sign-in page, sign in, and wait for the app."""
    page.goto(served.address(app))
    page.wait_for_url("**/login?next=**")
    signs_in(page, email)
    page.wait_for_url(served.address(app))
    is_theirs(page, email)


def is_theirs(page: Page, email: str) -> None:
    expect(page.locator(".gradioapp-who")).to_have_attribute("title", email)


def leaves(page: Page, served: Served) -> None:
    page.goto(f"{served.origin}/logout")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")


def message(page: Page) -> Locator:
    return page.locator("textarea").nth(1)  # The first is the greeting.


def chats(page: Page, words: str = WORDS) -> None:
    message(page).fill(words)
    message(page).press("Enter")
    expect(page.get_by_text(f"You said {words}")).to_be_visible()
    expect(in_list(page).filter(has_text=words)).to_be_visible()


def in_list(page: Page) -> Locator:
    """The list of saved chats."""
    return page.locator(".table-wrap td.textbox")


def lists(page: Page, served: Served, *words: str) -> None:
    """Check that the chat's page lists exactly these saved chats."""
    page.goto(served.address("chat"))
    expect(in_list(page)).to_have_text([*words])


def stored(page: Page) -> Any:
    return json.loads(page.evaluate(STORED))


def owner(page: Page) -> str:
    name = page.evaluate("document.querySelector('script[data-owner]').dataset.owner")
    assert name
    return str(name)


def only_this_accounts_values_are_stored(page: Page) -> None:
    found, prefix = stored(page), f"gradioapp.{owner(page)}."
    for area in ("local", "session"):
        assert found[area].pop("gradioapp.owner") == owner(page)
        assert [key for key in found[area] if not key.startswith(prefix)] == []
    assert page.evaluate(DATABASES_LEFT) == 0


# Stored data


@pytest.mark.asvs("14.3.1", "14.3.3")
def test_stored_data_of_one_account_is_removed_for_the_next(
    served: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, served, ADA)
    chats(page)
    lists(page, served, WORDS)
    page.evaluate(STORES, WORDS)
    of_ada = stored(page)
    served.ends_elsewhere(ADA)

    arrives(page, served, BOB)
    only_this_accounts_values_are_stored(page)
    chats(page, OTHERS)
    lists(page, served, OTHERS)
    of_bob = stored(page)
    only_this_accounts_values_are_stored(page)

    assert of_ada["databases"] == ["of a script"]
    assert WORDS in of_ada["local"].values()
    assert set(of_ada["local"]) & set(of_bob["local"]) == {"gradioapp.owner"}
    assert set(of_ada["local"].values()).isdisjoint(of_bob["local"].values())
    assert WORDS not in json.dumps(of_bob)

    # A browser keeps values for one account at a time, however they were cleared.
    leaves(page, served)
    arrives(page, served, ADA)
    only_this_accounts_values_are_stored(page)
    chats(page, "anew")
    lists(page, served, "anew")


def test_stored_data_of_an_account_is_kept_until_it_returns(
    served: Served, new_browser: NewBrowser
) -> None:
    context = new_browser()
    page = context.new_page()
    arrives(page, served, ADA)
    chats(page)
    page.evaluate(STORES, WORDS)
    leaves(page, served)

    arrives(page, served, ADA)
    lists(page, served, WORDS)
    assert stored(page)["local"]["of a script"] == WORDS

    served.ends_elsewhere(ADA)
    arrives(page, served, ADA)
    lists(page, served, WORDS)

    served.stops()
    served.starts()
    page.reload()
    lists(page, served, WORDS)

    again = context.new_page()
    lists(again, served, WORDS)
    page.get_by_text(WORDS).first.click()
    expect(page.get_by_text(f"You said {WORDS}")).to_be_visible()
    assert stored(page)["databases"] == ["of a script"]


@pytest.mark.parametrize(
    ("app", "label", "button"), [("states", "Item", "Add"), ("rendered-state", "Note", "Keep")]
)
def test_a_browser_state_belongs_to_its_account(
    served: Served, new_browser: NewBrowser, app: str, label: str, button: str
) -> None:
    page = new_browser().new_page()
    arrives(page, served, ADA, app)
    expect(page.get_by_label("Last time")).to_have_value("nothing")
    page.get_by_label(label, exact=True).fill(WORDS)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_label("Last time")).to_have_value(WORDS)

    page.reload()
    expect(page.get_by_label("Last time")).to_have_value(WORDS)
    leaves(page, served)
    arrives(page, served, ADA, app)
    expect(page.get_by_label("Last time")).to_have_value(WORDS)
    leaves(page, served)
    arrives(page, served, BOB, app)
    expect(page.get_by_label("Last time")).to_have_value("nothing")


@pytest.mark.asvs("14.3.1")
def test_an_open_tab_of_the_earlier_account_becomes_one_of_the_next(
    served: Served, new_browser: NewBrowser
) -> None:
    context = new_browser()
    before, page = context.new_page(), context.new_page()
    arrives(before, served, ADA)
    chats(before)
    before.evaluate(STORES, WORDS)
    message(before).fill("not yet sent")
    leaves(page, served)
    before.wait_for_url("**/login?next=**")  # Its stream has noticed the sign-out.

    arrives(page, served, BOB)
    before.reload()

    is_theirs(before, BOB)
    expect(message(before)).to_have_value("")
    expect(before.get_by_text(WORDS)).to_have_count(0)
    only_this_accounts_values_are_stored(before)
    only_this_accounts_values_are_stored(page)


@pytest.mark.asvs("14.3.1")
@pytest.mark.parametrize(
    "looked_at",
    [
        "document.dispatchEvent(new Event('visibilitychange'))",
        "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))",
    ],
)
def test_a_tab_that_missed_a_change_of_accounts_notices_when_it_is_shown(
    served: Served, new_browser: NewBrowser, looked_at: str
) -> None:
    context = new_browser()
    page = context.new_page()
    arrives(page, served, ADA)
    with served.signed_in(BOB) as http:
        token = http.cookies["gradioapp-session"]
    context.add_cookies([{"name": "gradioapp-session", "value": token, "url": served.origin}])
    is_theirs(page, ADA)

    page.evaluate(looked_at)

    is_theirs(page, BOB)
    only_this_accounts_values_are_stored(page)


@pytest.mark.asvs("14.3.1")
def test_a_value_that_a_tab_of_the_earlier_account_writes_is_hidden_and_removed(
    served: Served, new_browser: NewBrowser
) -> None:
    page = new_browser().new_page()
    arrives(page, served, ADA)
    chats(page)
    of_ada, prefix = stored(page)["local"], f"gradioapp.{owner(page)}."
    (key,) = (key for key in of_ada if key.startswith(prefix))
    leaves(page, served)
    arrives(page, served, BOB)
    chats(page, OTHERS)
    found = stored(page)["local"]
    (own,) = (key for key in found if key.startswith(f"gradioapp.{owner(page)}."))

    # Written under Ada's key and under Bob's: Bob sees neither.
    page.evaluate(
        "([keys, value]) => keys.forEach(key => localStorage.setItem(key, value))",
        [[key, own], of_ada[key]],
    )
    page.evaluate("key => sessionStorage.setItem(key, 'x')", key)
    page.goto(served.address("chat"))
    chats(page, "anew")
    lists(page, served, "anew")

    only_this_accounts_values_are_stored(page)
