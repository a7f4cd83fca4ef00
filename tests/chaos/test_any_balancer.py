"""Fifty people and twenty browser tabs at once, over three replicas whose balancer sends each request to the next one."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from gradio_client import Client, handle_file  # type: ignore[import-untyped]
from playwright.sync_api import BrowserContext, Page, expect

from application.container import build
from application.running import running
from application.settings import load
from domain.model.caller import Caller
from tests.browser.conftest import chromium, chromium_options, new_browser  # noqa: F401 -- Fixtures.
from tests.browser.test_apps import NewBrowser
from tests.replicas import KEY, round_robin
from tests.servers import FreshDatabase, run_apart, session_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

PEOPLE: Final = 50
ROUNDS: Final = 5
"""Each has four calls: a thousand in all."""
AT_ONCE: Final = 12
"""People whose calls run at once, beside the tabs. Two cores answer them within the five seconds that the client waits."""
TABS: Final = 20
SOON: Final = 60
PASSWORD: Final = "correct horse battery"

APP: Final = """
import time
from pathlib import Path

import gradio as gr


def counts(kept):
    return kept + 1, kept + 1


def measures(file):
    return f"{len(Path(file).read_bytes())} bytes"


def streams():
    for number in range(5):
        yield number
        time.sleep(0.05)


def answers(message, history):
    for end in range(1, len(message) + 1):
        yield message[:end].upper()


with gr.Blocks(title="All") as demo:
    kept, number = gr.State(0), gr.Number(label="Number")
    gr.Button("Count").click(counts, kept, [number, kept], api_name="counts")
    file, size = gr.File(label="File", type="filepath"), gr.Textbox(label="Size")
    file.upload(measures, file, size, api_name="measures")
    step = gr.Textbox(label="Step")
    gr.Button("Stream").click(streams, None, step, api_name="streams")

    @gr.render(inputs=number)
    def shows(number):
        gr.Textbox(f"rendered {number}", label="Rendered")

    gr.ChatInterface(answers, api_name="chat")
"""


@dataclass(frozen=True, slots=True)
class Person:
    email: str
    session: str


@dataclass(frozen=True, slots=True)
class Crowd:
    origin: str
    people: Sequence[Person]
    folder: Path


def add_people(database: str, folder: Path, emails: Sequence[str]) -> None:
    async def add() -> None:
        settings = load(
            env_file=None, database_url=database, data_dir=folder / "gradioapp-data", secret_key=KEY
        )
        container = build(settings)
        async with running(container, serves=False):
            for email in emails:
                await container.use_cases().create_user(
                    Caller.operator(), email=email, password=PASSWORD
                )

    run_apart(add())


@pytest.fixture(scope="module")
def crowd(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[Crowd]:
    folder: Path = tmp_path_factory.mktemp("crowd")
    (folder / "app.py").write_text(APP)
    database = fresh_postgres()
    with round_robin(3, database, folder, "--app", "app.py") as site:
        emails = [f"person{number}@example.org" for number in range(PEOPLE)]
        add_people(database, folder, emails)
        people = [Person(email, session_of(site.origin, email, PASSWORD)) for email in emails]
        yield Crowd(site.origin, people, folder)


def uses(crowd: Crowd, number: int) -> list[str]:
    """Use the app as one of the people by Gradio's own client. Return what was wrong."""
    person, wrong = crowd.people[number], []
    file = crowd.folder / f"file{number}"
    file.write_bytes(b"x" * (1000 + number))
    client = Client(
        f"{crowd.origin}/gradio/all/",
        headers={"cookie": f"gradioapp-session={person.session}", "origin": crowd.origin},
        verbose=False,
        analytics_enabled=False,
    )

    def call(name: str, wanted: Any, *data: Any) -> None:
        try:
            got = client.submit(*data, api_name=f"/{name}").result(timeout=SOON)
        except Exception as error:
            got = repr(error)
        if got != wanted:
            wrong.append(f"{person.email} {name}: {got!r} instead of {wanted!r}")

    try:
        for turn in range(1, ROUNDS + 1):
            call("counts", turn)
            call("measures", f"{1000 + number} bytes", handle_file(str(file)))
            call("streams", "4")
            call("chat", "HELLO", "hello")
    finally:
        client.close()
    return wrong


def opened(crowd: Crowd, person: Person, context: BrowserContext) -> Page:
    context.set_default_timeout(SOON * 1000)
    context.add_cookies(
        [{"name": "gradioapp-session", "value": person.session, "url": crowd.origin}]
    )
    tab = context.new_page()
    tab.goto(f"{crowd.origin}/gradio/all/")
    return tab


def clicks(crowd: Crowd, tab: Page, turn: int) -> None:
    within = SOON * 1000
    tab.get_by_role("button", name="Count", exact=True).click()
    expect(tab.get_by_label("Number")).to_have_value(str(turn), timeout=within)
    expect(tab.get_by_label("Rendered")).to_have_value(f"rendered {turn}", timeout=within)
    tab.get_by_role("button", name="Stream", exact=True).click()
    expect(tab.get_by_label("Step")).to_have_value("4", timeout=within)


def uploads_and_chats(crowd: Crowd, tab: Page, number: int) -> None:
    within = SOON * 1000
    file = crowd.folder / f"of-tab-{number}"
    file.write_bytes(b"y" * (2000 + number))
    tab.locator("input[type=file]").first.set_input_files(str(file))
    expect(tab.get_by_label("Size")).to_have_value(f"{2000 + number} bytes", timeout=within)
    message = tab.get_by_placeholder("Type a message...")
    message.fill("from a tab")
    message.press("Enter")
    expect(tab.get_by_text("FROM A TAB", exact=True)).to_be_visible(timeout=within)


def test_a_thousand_calls_and_twenty_tabs_go_right_under_strict_round_robin(
    crowd: Crowd,
    new_browser: NewBrowser,  # noqa: F811 -- The fixture.
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        calling = [pool.submit(uses, crowd, number) for number in range(PEOPLE)]
        tabs = [opened(crowd, person, new_browser()) for person in crowd.people[:TABS]]
        for turn in (1, 2):
            for tab in tabs:
                clicks(crowd, tab, turn)
        for number, tab in enumerate(tabs):
            uploads_and_chats(crowd, tab, number)
        wrong = [text for each in calling for text in each.result()]

    assert not wrong, "\n".join(wrong[:20])
