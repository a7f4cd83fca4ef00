"""The service with two identity providers, on SQLite or PostgreSQL: one that is real and shows pages, and one that says
what a test tells it to."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
from playwright.sync_api import Browser, BrowserContext, Page

from adapters.oidc.tokens import LOGOUT
from adapters.system.clock import SystemClock
from application.container import build
from application.running import running
from application.settings import load
from domain.model.caller import Caller
from tests.browser.conftest import PASSWORD, forgets_confirmations
from tests.lying_provider import CLIENT, SECRET, LyingProvider, lying_provider
from tests.processes import ROOT, Process
from tests.servers import run_apart

ADA, BOB = "ada@example.org", "bob@example.org"
IDLE: Final = timedelta(minutes=30)
APP: Final = """
import time
from pathlib import Path

import gradio as gr

from gradioapp import State, injected, remember

def counts():
    for number in range(1200):
        yield f"number {number}"
        time.sleep(0.1)

def keeps(text: str, *, state: State = injected):
    state["kept"] = text
    return text

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
    number = gr.Textbox(label="Number")
    gr.Button("Count").click(counts, None, number)
    kept = gr.Textbox(label="Kept")
    gr.Button("Keep").click(keeps, text, kept)
    note = gr.Textbox(label="Note")
    remember(note)
    browser = gr.BrowserState("", storage_key="task")
    gr.Button("Store").click(lambda text: text, text, browser)
"""


class Mock:
    """oidc-provider-mock, which is told its people by HTTP."""

    def __init__(self, folder: Path) -> None:
        self.process = Process("oidc_provider_mock", "--port", "0", folder=folder)
        self.issuer = self.process.hears(r"http://127\.0\.0\.1:\d+").group(0)

    def knows(
        self, subject: str, *groups: str, email: str = ADA, name: str = "Ada at Corp"
    ) -> None:
        """Replace what the provider says of a person."""
        said = {"email": email, "email_verified": True, "name": name, "groups": groups}
        request = urllib.request.Request(
            f"{self.issuer}/users/{subject}",
            data=json.dumps(said).encode(),
            headers={"content-type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 204


@dataclass
class Site:
    folder: Path
    database_url: str | None
    """None: SQLite in the folder."""
    mock: Mock
    liar: LyingProvider
    address: str = ""
    _processes: list[Process] = field(default_factory=list)

    @property
    def app(self) -> str:
        return f"{self.address}/gradio/task/"

    @property
    def settings(self) -> dict[str, str]:
        database = {} if self.database_url is None else {"DATABASE_URL": self.database_url}
        return database | {
            "SESSION_CACHE_SECONDS": "0",
            "OIDC_CORP_ISSUER": self.mock.issuer,
            "OIDC_CORP_CLIENT_ID": "gradioapp",
            "OIDC_CORP_CLIENT_SECRET": "hush",
            "OIDC_CORP_DOMAINS": "example.org",
            "OIDC_CORP_ROLES": "groups:it=admin",
            "OIDC_CORP_CREATE": "true",
            "OIDC_LAB_ISSUER": self.liar.issuer,
            "OIDC_LAB_CLIENT_ID": CLIENT,
            "OIDC_LAB_CLIENT_SECRET": SECRET,
            "OIDC_LAB_DOMAINS": "example.org",
            "OIDC_LAB_CREATE": "true",
        }

    def serves(self, **settings: str) -> str:
        """Start a process of the service and return its address."""
        command = ("entrypoints", "serve", "--port", "0", "--app", "work.py")
        all_of_them: Any = self.settings | settings
        process = Process(*command, folder=self.folder, **all_of_them)
        self._processes.append(process)
        return process.hears(r"http://127\.0\.0\.1:\d+").group(0)

    def has(self, email: str, *roles: str) -> None:
        """Make an account with a password in the database."""
        run_apart(self._make(email, roles))

    async def _make(self, email: str, roles: tuple[str, ...]) -> None:
        url = {} if self.database_url is None else {"database_url": self.database_url}
        settings = load(env_file=None, data_dir=self.folder / "gradioapp-data", **url)
        container = build(settings)
        async with running(container, serves=False):
            await container.use_cases().create_user(
                Caller.operator(), email=email, name="", password=PASSWORD, roles=roles
            )

    def types(self, *words: str) -> str:
        """Run a command as an operator does, and return its output."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        env |= {f"GRADIOAPP_{name}": value for name, value in self.settings.items()}
        done = subprocess.run(
            [sys.executable, "-m", "entrypoints", *words],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def expires(self, *, ago: timedelta = timedelta(seconds=5)) -> None:
        """Let all sessions have expired some time ago, like after half an hour without activity."""
        seen = datetime.now(UTC) - IDLE - ago
        if self.database_url is not None:
            run_apart(self._execute("UPDATE sessions SET seen_at = $1", seen))
            return
        file = self.folder / "gradioapp-data" / "gradioapp.sqlite3"
        with closing(sqlite3.connect(file, timeout=10)) as database, database:
            text = seen.strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute("UPDATE sessions SET seen_at = ?", (text,))

    def forgets_confirmations(self) -> None:
        """Let ten minutes pass for the confirmations of all sessions."""
        if self.database_url is None:
            forgets_confirmations(self.folder)
            return
        earlier = "UPDATE sessions SET confirmed_at = confirmed_at - interval '10 minutes'"
        run_apart(self._execute(earlier))

    async def _execute(self, statement: str, *values: datetime) -> None:
        assert self.database_url is not None
        url = self.database_url.replace("postgresql+asyncpg", "postgresql")
        database = await asyncio.wait_for(asyncpg.connect(url), 10)
        try:
            await database.execute(statement, *values)
        finally:
            await database.close()

    def signs_out_at_provider(self, subject: str) -> int:
        """Post the provider's logout token, as its server does, and return the status."""
        said: dict[str, Any] = {"sub": subject, "jti": uuid4().hex, "events": {LOGOUT: {}}}
        before, self.liar.claims = self.liar.claims, {}
        form = urllib.parse.urlencode({"logout_token": self.liar.token(**said)})
        self.liar.claims = before
        address = f"{self.address}/login/lab/backchannel"
        with urllib.request.urlopen(address, data=form.encode(), timeout=10) as response:
            return int(response.status)

    def ends(self) -> None:
        for process in (*self._processes, self.mock.process):
            process.end()


@contextmanager
def site(folder: Path, database_url: str | None) -> Iterator[Site]:
    (folder / "work.py").write_text(APP)
    with ExitStack() as stack:
        liar = stack.enter_context(lying_provider(SystemClock()))
        one = Site(folder, database_url, Mock(folder), liar)
        stack.callback(one.ends)
        one.address = one.serves()
        yield one


@contextmanager
def browser_of(chromium: Browser, *addresses: str) -> Iterator[BrowserContext]:
    """Open a browser that reaches only these addresses: the real provider's pages name a style sheet of another host."""
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    context.route(
        lambda url: not url.startswith(("blob:", "data:", *addresses)), lambda route: route.abort()
    )
    yield context
    context.close()


def signs_in_at_corp(page: Page, mock: Mock, subject: str = "ada-1") -> None:
    page.get_by_role("link", name="Sign in with Corp").click()
    page.wait_for_url(f"{mock.issuer}/**")
    page.get_by_role("textbox").first.fill(subject)
    page.get_by_role("button", name=re.compile("authorize", re.IGNORECASE)).click()


def signs_in_at_lab(page: Page, one: Site, email: str = ADA, name: str = "Ada at Lab") -> None:
    """Sign in as the person with this e-mail, whose subject is the same."""
    one.liar.claims = {"sub": email, "email": email, "name": name}
    page.get_by_role("link", name="Sign in with Lab").click()
    page.wait_for_url(f"{one.liar.issuer}/**")
    page.get_by_role("link", name="Go on").click()
