"""Mount a test's own page behind the real gate, on memory adapters. Gradio's queue runs; no server does."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from adapters.system.clock import StoppedClock
from application.container import Composition, build
from application.settings import Settings, load, quiet_gradio
from application.use_cases import UseCases
from domain.model.caller import Caller
from domain.model.session import Device, Session
from domain.model.user import User
from domain.services.access_tokens import Made
from entrypoints import ui, web
from entrypoints.app import compose
from entrypoints.tracing import OFF, Tracing
from entrypoints.ui.apps import launches

PASSWORD: Final = "correct horse"
HERE: Final = "http://localhost"
LAPTOP: Final = Device(address="192.0.2.1", agent="Laptop")
GRADIO: Final = "/gradio"

Messages = list[dict[str, Any]]

_tabs = count(1)


class _NotServed:
    """Replace the applications that Gradio makes at the end of `with gr.Blocks()` and in `queue()`.
    A mount makes its own application and puts it in their place, so these are never called, and
    making one takes longer than most tests."""

    @classmethod
    def create_app(cls, blocks: gr.Blocks, **_: Any) -> "_NotServed":
        return cls()


@pytest.fixture(autouse=True, scope="session")
def _skips_unused_applications() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradio.blocks.App", _NotServed)
        yield


quiet_gradio(None)


@pytest.fixture(autouse=True)
def _lets_files_end() -> Iterator[None]:
    """Let the files of apps end that a test has loaded and not served."""
    yield
    for one in list(launches.RECORDING):
        one.let_end()
        one.held.close()


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser, signed in or not. Every event comes from a new tab."""

    http: httpx.AsyncClient
    demo: gr.Blocks
    session: Session | None

    async def start(self, api_name: str, *data: Any, tab: str | None = None) -> str:
        tab = tab or f"tab{next(_tabs)}"
        index = next(i for i, fn in self.demo.fns.items() if fn.api_name == api_name)
        joined = await self.http.post(
            f"{GRADIO}/gradio_api/queue/join",
            json={"data": data, "fn_index": index, "session_hash": tab},
        )
        assert joined.status_code == 200, joined.text
        return tab

    async def stream(self, tab: str) -> str:
        """Return the text of the stream once it has ended."""
        address = f"{GRADIO}/gradio_api/queue/data"
        return (await self.http.get(address, params={"session_hash": tab})).text

    async def told(self, tab: str) -> Messages:
        lines = (await self.stream(tab)).splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line]

    async def runs(self, api_name: str, *data: Any) -> Messages:
        return await self.told(await self.start(api_name, *data))

    async def gets(self, api_name: str, *data: Any) -> Any:
        """Return the output of an event that has one output."""
        last = completed(await self.runs(api_name, *data))
        assert last["success"], last
        return last["output"]["data"][0]


def completed(messages: Messages) -> dict[str, Any]:
    return next(m for m in messages if m["msg"] == "process_completed")


def steps(messages: Messages) -> list[Any]:
    """Return the first output of every step, in order. Later steps are sent as differences to the step before."""
    value: Any = None
    shown = []
    for message in messages:
        if message["msg"] == "process_generating":
            value = message["output"]["data"][0]
            if isinstance(value, list):
                value = value[0][2]
            shown.append(value)
    return shown


@dataclass(frozen=True, slots=True)
class House:
    container: Composition
    clock: StoppedClock
    settings: Settings
    demo: gr.Blocks
    pages: ui.UI
    gate: web.Gate
    api: FastAPI

    @property
    def use_cases(self) -> UseCases:
        use_cases: UseCases = self.container.use_cases()
        return use_cases

    @property
    def origin(self) -> str:
        return HERE

    def anonymous(self) -> Browser:
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.gate), base_url=HERE, headers={"origin": HERE}
        )
        return Browser(http, self.demo, None)

    async def has(self, email: str = "ada@example.org", name: str = "Ada", *roles: str) -> User:
        return await self.use_cases.create_user(
            Caller.operator(), email=email, name=name, password=PASSWORD, roles=roles
        )

    async def makes_token(self, email: str = "ada@example.org", **wanted: Any) -> Made:
        opened = await self.use_cases.log_in(email, PASSWORD, LAPTOP)
        me = await self.use_cases.recognise(opened.signed_token, activity=False)
        return await self.use_cases.create_token(me.caller, **{"name": "Nightly", **wanted})

    def program(self, made: Made) -> Browser:
        """Return a client with an access token, and without cookie and origin."""
        http = self.anonymous().http
        del http.headers["origin"]
        http.headers["authorization"] = f"Bearer {made.value}"
        return Browser(http, self.demo, None)

    async def signed_in(self, email: str = "ada@example.org") -> Browser:
        if not any(u.email == email for u in await self.use_cases.list_users(Caller.operator())):
            await self.has(email)
        opened = await self.use_cases.log_in(email, PASSWORD, LAPTOP)
        http = self.anonymous().http
        http.cookies.set("gradioapp-session", opened.signed_token)
        return Browser(http, self.demo, opened.session)

    async def kept(self, browser: Browser) -> dict[str, Any]:
        """Return the session's data from the store."""
        signed_in = await self.use_cases.recognise(
            browser.http.cookies["gradioapp-session"], activity=False
        )
        return {key: entry.value for key, entry in signed_in.data.items()}

    async def ends(self, browser: Browser) -> None:
        assert browser.session is not None
        await self.use_cases.revoke_session(Caller.operator(), browser.session.id)

    async def settles(self) -> None:
        """Return once no account has events or streams. Both end a little later than their client is told."""
        async with asyncio.timeout(20):
            while any(each.is_in_use() for each in self.pages.accounts.all()):  # noqa: ASYNC110 -- Gradio has no event to wait for.
                await asyncio.sleep(0.005)

    async def forgets(self) -> None:
        """Forget ended sessions and access tokens, like the service does every half minute."""
        accounts = self.pages.accounts
        await accounts.forget(await self.use_cases.ended_sessions(accounts.sessions()))

    def passes(self, **time: float) -> None:
        self.clock.forward(timedelta(**time))


@dataclass(frozen=True, slots=True)
class Mounts:
    """Mount apps, and close them after the test."""

    closing: AsyncExitStack

    async def __call__(
        self,
        demo: gr.Blocks,
        *,
        title: str = "Home",
        roles: Collection[str] = frozenset(),
        scopes: Mapping[str, Collection[str]] = MappingProxyType({}),
        others: Sequence[ui.Page] = (),
        tracing: Tracing = OFF,
        **values: Any,
    ) -> House:
        settings = load(env_file=None, environment="test", **values)
        clock = StoppedClock()
        container = build(settings, clock=clock)
        home = ui.Page(demo=demo, title=title, roles=roles, scopes=scopes)
        service = compose(container, [home, *others], tracing)
        await self.closing.enter_async_context(service.running())
        return House(container, clock, settings, demo, service.pages, service.gate, service.api)


@pytest.fixture
async def mounted() -> AsyncIterator[Mounts]:
    async with AsyncExitStack() as closing:
        yield Mounts(closing)


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[Any]]:
    """Capture the log, however other tests configured it."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured
