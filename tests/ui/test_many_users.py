"""Forty users of one app at once, on a real database: no data is mixed up or lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from application.container import Composition, build
from application.running import running
from application.settings import load
from domain.model.caller import Caller
from domain.model.session import Device
from entrypoints.app import create_app
from tests.servers import FreshDatabase

PEOPLE: Final = 40
LAPTOP: Final = Device(address="192.0.2.1", agent="Laptop")

APP: Final = """
import gradio as gr

from gradioapp import State, User, current_session, injected


def keep(value, *, user: User = injected, state: State = injected):
    before, state["mine"] = state.get("mine"), value
    state.update("runs", lambda runs: (runs or 0) + 1)
    data = current_session().data
    data["runs"] = data.get("runs", 0) + 1
    return [user.email, before, data["runs"]]


def kept(*, user: User = injected, state: State = injected):
    return [user.email, state["mine"], state["runs"]]


with gr.Blocks() as demo:
    value, out = gr.Textbox(), gr.JSON()
    gr.Button().click(keep, value, out, api_name="keep")
    gr.Button().click(kept, None, out, api_name="kept")
"""


@asynccontextmanager
async def served(folder: Path, url: str | None) -> AsyncIterator[tuple[Composition, Any]]:
    app = folder / "my_demo.py"
    app.write_text(APP)
    settings = load(env_file=None, data_dir=folder / "data", database_url=url, apps=(str(app),))
    container = build(settings)
    service = create_app(container)
    async with running(container), service.running():
        yield container, service


async def run(http: httpx.AsyncClient, api_name: str, *data: Any) -> list[Any]:
    answer = await http.post(
        f"/gradio/my-demo/gradio_api/run/{api_name}", json={"data": data}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    [output] = answer.json()["data"]
    return list(output)


@pytest.mark.server
@pytest.mark.parametrize(("storage", "times"), [("sqlite", 50), ("postgres", 10)])
async def test_forty_concurrent_users_each_keep_all_of_their_own_data(
    storage: str, times: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = None
    if storage == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_postgres")
        url = fresh()
    emails = [f"user{number}@example.org" for number in range(PEOPLE)]
    cookies: dict[str, str] = {}

    def client(service: Any, email: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(service),
            base_url="http://localhost",
            headers={"origin": "http://localhost"},
            cookies={"gradioapp-session": cookies[email]},
        )

    async def works(service: Any, email: str) -> list[str]:
        wrong = []
        async with client(service, email) as http:
            for n in range(times):
                seen = await run(http, "keep", f"{email} {n}")
                if seen != [email, f"{email} {n - 1}" if n else None, n + 1]:
                    wrong.append(f"{email} {n}: {seen}")
        return wrong

    async with served(tmp_path, url) as (container, service):
        use_cases = container.use_cases()
        for email in emails:
            await use_cases.create_user(Caller.operator(), email=email, password="correct horse")
            cookies[email] = (await use_cases.log_in(email, "correct horse", LAPTOP)).signed_token
        wrong = await asyncio.gather(*(works(service, email) for email in emails))
    async with served(tmp_path, url) as (
        _,
        service,
    ):  # After a restart, only stored data counts.
        ends = await asyncio.gather(*(run(client(service, email), "kept") for email in emails))

    assert [line for lines in wrong for line in lines] == []
    assert ends == [[email, f"{email} {times - 1}", times] for email in emails]
