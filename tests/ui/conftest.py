"""A page of the test's own behind the real gate, on memory adapters; Gradio's queue runs, and no server does."""

import json
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
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
from domain.services.tokens import Made
from entrypoints import ui, web
from entrypoints.app import compose

PASSWORD: Final = "correct horse"
HERE: Final = "http://localhost"
LAPTOP: Final = Device(address="192.0.2.1", agent="Laptop")
GRADIO: Final = "/gradio"

Messages = list[dict[str, Any]]

_tabs = count(1)


class _NotServed:
    """In place of the applications that Gradio makes at the end of `with gr.Blocks()` and in `queue()`: a mount makes its
    own and puts it where these were, so that nobody ever asks them, and each takes longer than most tests."""

    @classmethod
    def create_app(cls, blocks: gr.Blocks, **_: Any) -> "_NotServed":
        return cls()


@pytest.fixture(autouse=True, scope="session")
def _makes_no_application_in_vain() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradio.blocks.App", _NotServed)
        yield


quiet_gradio(None)


@dataclass(frozen=True, slots=True)
class Browser:
    """Somebody's browser, signed in or not; every event comes from a tab of its own."""

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
        """Once it has ended."""
        address = f"{GRADIO}/gradio_api/queue/data"
        return (await self.http.get(address, params={"session_hash": tab})).text

    async def told(self, tab: str) -> Messages:
        lines = (await self.stream(tab)).splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line]

    async def runs(self, api_name: str, *data: Any) -> Messages:
        return await self.told(await self.start(api_name, *data))

    async def gets(self, api_name: str, *data: Any) -> Any:
        """The output of an event that has one."""
        last = completed(await self.runs(api_name, *data))
        assert last["success"], last
        return last["output"]["data"][0]


def completed(messages: Messages) -> dict[str, Any]:
    return next(m for m in messages if m["msg"] == "process_completed")


def steps(messages: Messages) -> list[Any]:
    """The first output of every step, in order; later steps are sent as differences to what came before."""
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
    def app(self) -> UseCases:
        app: UseCases = self.container.use_cases()
        return app

    @property
    def origin(self) -> str:
        return HERE

    def anonymous(self) -> Browser:
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.gate), base_url=HERE, headers={"origin": HERE}
        )
        return Browser(http, self.demo, None)

    async def has(self, email: str = "ada@example.org", name: str = "Ada", *roles: str) -> User:
        return await self.app.create_user(
            Caller.operator(), email=email, name=name, password=PASSWORD, roles=roles
        )

    async def makes_token(self, email: str = "ada@example.org", **wanted: Any) -> Made:
        opened = await self.app.log_in(email, PASSWORD, LAPTOP)
        me = await self.app.recognise(opened.token, activity=False)
        return await self.app.create_token(me.caller, **{"name": "Nightly", **wanted})

    def program(self, made: Made) -> Browser:
        """Without a cookie and an origin."""
        http = self.anonymous().http
        del http.headers["origin"]
        http.headers["authorization"] = f"Bearer {made.value}"
        return Browser(http, self.demo, None)

    async def signed_in(self, email: str = "ada@example.org") -> Browser:
        if not any(u.email == email for u in await self.app.list_users(Caller.operator())):
            await self.has(email)
        opened = await self.app.log_in(email, PASSWORD, LAPTOP)
        http = self.anonymous().http
        http.cookies.set("gradioapp-session", opened.token)
        return Browser(http, self.demo, opened.session)

    async def kept(self, browser: Browser) -> dict[str, Any]:
        """The session's data as the store has it."""
        signed_in = await self.app.recognise(
            browser.http.cookies["gradioapp-session"], activity=False
        )
        return {key: entry.value for key, entry in signed_in.data.items()}

    async def ends(self, browser: Browser) -> None:
        assert browser.session is not None
        await self.app.revoke_session(Caller.operator(), browser.session.id)

    def passes(self, **time: float) -> None:
        self.clock.forward(timedelta(**time))


@dataclass(frozen=True, slots=True)
class Mounts:
    """Makes houses, and closes them after the test."""

    closing: AsyncExitStack

    async def __call__(
        self,
        demo: gr.Blocks,
        *,
        title: str = "Home",
        roles: Collection[str] = frozenset(),
        others: Sequence[ui.Page] = (),
        **values: Any,
    ) -> House:
        settings = load(env_file=None, environment="test", **values)
        clock = StoppedClock()
        container = build(settings, clock=clock)
        service = compose(container, [ui.Page(demo=demo, title=title, roles=roles), *others])
        await self.closing.enter_async_context(service.running())
        return House(container, clock, settings, demo, service.pages, service.gate, service.api)


@pytest.fixture
async def mounted() -> AsyncIterator[Mounts]:
    async with AsyncExitStack() as closing:
        yield Mounts(closing)


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[Any]]:
    """What is logged, whatever other tests configured."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured
