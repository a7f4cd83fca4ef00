"""The work of a session stops when the session is ended elsewhere, and its tab is told."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import gradio as gr
import httpx
import pytest
from pydantic import SecretStr

from adapters.oidc.tokens import LOGOUT
from adapters.system.clock import StoppedClock
from application.settings import ProviderSettings
from domain.model.caller import Caller
from entrypoints.ui.delivery.streams import SESSION_EXPIRED
from tests.identity_proxy import HEADER, settings_of, token_for
from tests.lying_provider import CLIENT, SECRET, lying_provider
from tests.ui.conftest import GRADIO, Browser, Mounts

STEP = 0.1
"""Seconds between two steps of the app's work."""


class Work:
    """A hundred steps, and the time of each."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.is_under_way = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def step(self) -> int:
        self.taken.append(time.monotonic())
        if len(self.taken) == 5:
            self._loop.call_soon_threadsafe(self.is_under_way.set)
        return len(self.taken)

    def sync(self) -> Iterator[int]:
        for _ in range(100):
            yield self.step()
            threading.Event().wait(STEP)

    async def asynchronous(self) -> AsyncIterator[int]:
        for _ in range(100):
            yield self.step()
            await asyncio.sleep(STEP)


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
async def test_an_ended_session_takes_no_step_after_one_second(mounted: Mounts, kind: str) -> None:
    work = Work()
    demo = gr.Blocks()
    with demo:
        gr.Button().click(getattr(work, kind), None, gr.Number(), api_name="work")
    house = await mounted(demo)
    ada = await house.signed_in()
    tab = await ada.start("work")
    told = asyncio.create_task(ada.stream(tab))
    await asyncio.wait_for(work.is_under_way.wait(), 20)

    assert ada.session is not None
    await house.use_cases.revoke_session(Caller.operator(), ada.session.id)
    ended = time.monotonic()
    said = await asyncio.wait_for(told, 20)

    assert said.encode().endswith(SESSION_EXPIRED)
    assert max(work.taken) - ended < 1
    assert len(work.taken) < 20


async def test_a_logout_token_of_the_provider_cuts_an_open_stream(mounted: Mounts) -> None:
    work = Work()
    demo = gr.Blocks()
    with demo:
        gr.Button().click(work.asynchronous, None, gr.Number(), api_name="work")
    with lying_provider(StoppedClock()) as provider:
        corp = ProviderSettings(
            name="corp",
            issuer=provider.issuer,
            client_id=CLIENT,
            client_secret=SecretStr(SECRET),
            domains="example.org",
        )
        house = await mounted(demo, oidc=(corp,))
        provider.clock = house.clock
        await house.has()
        ada = Browser(house.anonymous().http, demo, None)
        sent = (await ada.http.get("/login/corp")).headers["location"]
        query = {"code": provider.signs_in(sent), "state": httpx.URL(sent).params["state"]}
        await ada.http.get("/login/corp/callback", params=query)
        tab = await ada.start("work")
        told = asyncio.create_task(ada.stream(tab))
        await asyncio.wait_for(work.is_under_way.wait(), 20)

        token = provider.token(sub="1", jti="1", events={LOGOUT: {}})
        server = house.anonymous().http
        answer = await server.post("/login/corp/backchannel", data={"logout_token": token})
        ended = time.monotonic()
        said = await asyncio.wait_for(told, 20)

    assert answer.status_code == 200
    assert said.encode().endswith(SESSION_EXPIRED)
    assert max(work.taken) - ended < 1
    assert len(work.taken) < 20


async def test_another_person_at_the_proxy_cuts_the_open_stream_of_the_first(
    mounted: Mounts,
) -> None:
    work = Work()
    demo = gr.Blocks()
    with demo:
        gr.Button().click(work.asynchronous, None, gr.Number(), api_name="work")
    with lying_provider(StoppedClock()) as provider:
        house = await mounted(demo, **settings_of(provider, proxy_identity_create=True))
        provider.clock = house.clock
        ada = Browser(house.anonymous().http, demo, None)
        ada.http.headers[HEADER] = token_for(provider, "ada")
        await ada.http.get("/login")
        tab = await ada.start("work")
        told = asyncio.create_task(ada.stream(tab))
        await asyncio.wait_for(work.is_under_way.wait(), 20)

        ada.http.headers[HEADER] = token_for(provider, "bob")
        answer = await ada.http.get(f"{GRADIO}/config")
        ended = time.monotonic()
        said = await asyncio.wait_for(told, 20)

    assert (answer.status_code, answer.json()["reason"]) == (401, "replaced")
    assert said.encode().endswith(SESSION_EXPIRED)
    assert max(work.taken) - ended < 1
    assert len(work.taken) < 20
