"""Programs with an access token: Gradio's own client over the network, and the session data of their callbacks."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import gradio as gr
import httpx
import pytest
import uvicorn
from gradio_client import Client, handle_file  # type: ignore[import-untyped]
from gradio_client.exceptions import AuthenticationError  # type: ignore[import-untyped]

from domain.model.caller import Caller
from domain.model.session import SessionId
from domain.services.access_tokens import Made
from gradioapp import current_session, current_user, requires
from tests.ui.attacks import fetches
from tests.ui.conftest import House, Mounts, completed

Answer = TypeVar("Answer")

PATIENCE: Final = 30
"""Seconds, for each action of a client."""


def app_of(folder: Path) -> gr.Blocks:
    def who() -> str:
        data = current_session().data
        data["runs"] = data.get("runs", 0) + 1
        user = current_user()
        return f"{user.email} {','.join(sorted(user.roles))} {data['runs']}"

    def session() -> dict[str, str]:
        mine = current_session()
        return {"id": mine.id, "from": str(mine.created_at), "to": str(mine.ends_at)}

    def copy(path: str) -> str:
        made = folder / f"of {current_user().name}.txt"
        shutil.copy(path, made)
        return str(made)

    def steps(most: float) -> Iterator[str]:
        for number in range(int(most)):
            yield f"{current_user().name} {number}"
            if most > 3:
                sleep(0.1)

    with gr.Blocks() as demo:
        button, text, file = gr.Button(), gr.Textbox(), gr.File()
        button.click(who, None, text, api_name="who")
        button.click(session, None, gr.JSON(), api_name="session")
        button.click(copy, file, gr.File(), api_name="copy")
        button.click(steps, gr.Number(), text, api_name="steps")
        button.click(requires("admin")(who), None, text, api_name="retrain")
    return demo  # type: ignore[no-any-return]


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        house.gate,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}/gradio/"
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        for _ in range(200):
            try:
                await http.get(f"{url}theme.css")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
    try:
        yield url
    finally:
        house.pages.stopping.set()
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE)


async def apart(fn: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
    """Run the function in a thread, with a time limit."""
    return await asyncio.wait_for(asyncio.to_thread(fn, *args, **kwargs), PATIENCE)


def has_said(job: Any, steps: int) -> None:
    while len(job.outputs()) < steps:
        sleep(0.05)


def failure_of(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Exception:
    """Return the error that the function raises. Catch it in the thread, because a client's
    CancelledError would cancel the test."""
    try:
        answered = fn(*args, **kwargs)
    except Exception as error:
        return error
    raise AssertionError(answered)


def client_of(made: Made, url: str, folder: Path) -> Client:
    return Client(
        url,
        headers={"Authorization": f"Bearer {made.value}"},
        download_files=str(folder),
        httpx_kwargs={"timeout": PATIENCE},
        verbose=False,
    )


@pytest.fixture
async def house(mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    (tmp_path / "made").mkdir()
    house = await mounted(app_of(tmp_path / "made"))
    await house.has("ada@example.org", "Ada", "admin", "analyst")
    return house


@pytest.mark.server
async def test_gradios_client_with_a_token_acts_as_its_owner(house: House, tmp_path: Path) -> None:
    whole, part = await house.makes_token(), await house.makes_token(roles=["analyst"])
    (tmp_path / "in.txt").write_text("sent")

    def uses(made: Made, url: str, name: str) -> dict[str, Any]:
        client = client_of(made, url, tmp_path / name)
        job = client.submit(3, api_name="/steps")
        seen = {
            "api": set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]),
            "who": [client.predict(api_name="/who") for _ in range(2)],
            "session": client.predict(api_name="/session"),
            "last": job.result(timeout=PATIENCE),
            "steps": job.outputs(),
            "copy": Path(
                client.predict(handle_file(str(tmp_path / "in.txt")), api_name="/copy")
            ).read_text(),
        }
        try:
            seen["retrain"] = client.predict(api_name="/retrain")
        except Exception as error:
            seen["retrain"] = f"{type(error).__name__}: {error}"
        client.close()
        return seen

    async with served(house) as url:
        of_whole, of_part = await asyncio.gather(
            apart(uses, whole, url, "whole"), apart(uses, part, url, "part")
        )

    assert of_whole["api"] == {"/who", "/session", "/copy", "/steps", "/retrain"}
    assert of_part["api"] == of_whole["api"] - {"/retrain"}
    assert of_whole["who"] == [f"ada@example.org admin,analyst {n}" for n in (1, 2)]
    assert of_part["who"] == [f"ada@example.org analyst {n}" for n in (1, 2)]
    assert of_whole["retrain"] == "ada@example.org admin,analyst 3"
    assert "needs the role admin, which this access token does not have" in of_part["retrain"]
    for seen, made in ((of_whole, whole), (of_part, part)):
        assert seen["session"] == {
            "id": str(made.token.id),
            "from": str(made.token.created_at),
            "to": str(made.token.expires_at),
        }
        assert seen["steps"] == ["Ada 0", "Ada 1", "Ada 2"]
        assert seen["copy"] == "sent"


@pytest.mark.server
async def test_a_client_with_an_expired_token_is_refused(house: House, tmp_path: Path) -> None:
    made = await house.makes_token(days=1)
    house.passes(days=1)

    async with served(house) as url:
        with pytest.raises(AuthenticationError):
            await apart(client_of, made, url, tmp_path / "got")


@pytest.mark.server
async def test_a_stream_ends_when_its_token_is_revoked(house: House, tmp_path: Path) -> None:
    made = await house.makes_token()
    me = await house.use_cases.recognise(
        (await house.signed_in()).http.cookies["gradioapp-session"], activity=False
    )

    async with served(house) as url:
        client = await apart(client_of, made, url, tmp_path / "got")
        job = await apart(client.submit, 10_000, api_name="/steps")
        await apart(has_said, job, 3)

        await house.use_cases.revoke_token(me.caller, made.token.id)
        revoked_at = monotonic()
        ended = await apart(failure_of, job.result, timeout=PATIENCE)
        took = monotonic() - revoked_at
        refused = await apart(failure_of, client.predict, api_name="/who")

        assert isinstance(ended, CancelledError)
        assert took < 5
        assert 3 <= len(job.outputs()) < 300
        assert "401" in str(refused)


async def test_events_of_a_program_are_refused_once_the_account_is_disabled(house: House) -> None:
    user = await house.has("bob@example.org", "Bob")
    program = house.program(await house.makes_token("bob@example.org"))
    assert await program.gets("who") == "bob@example.org  1"

    await house.use_cases.disable_user(Caller.operator(), user.id)

    answer = await program.http.post(
        "/gradio/gradio_api/queue/join", json={"data": [], "fn_index": 0, "session_hash": "t"}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_revoked_role_is_revoked_from_the_token_at_once(house: House) -> None:
    user = await house.has("bob@example.org", "Bob", "analyst", "trainer")
    program = house.program(await house.makes_token("bob@example.org"))
    before = await program.gets("who")

    await house.use_cases.revoke_role(Caller.operator(), user.id, "trainer")

    assert before == "bob@example.org analyst,trainer 1"
    assert await program.gets("who") == "bob@example.org analyst 2"


async def test_a_callback_that_needs_a_role_outside_of_the_token_is_refused(house: House) -> None:
    program = house.program(await house.makes_token(roles=["analyst"]))

    last = completed(await program.runs("retrain"))

    assert not last["success"]
    assert "role admin" in last["output"]["error"]


async def test_session_data_of_a_token_is_its_own_and_is_removed_with_it(house: House) -> None:
    made, other = await house.makes_token(), await house.makes_token()
    browser = await house.signed_in()
    program = house.program(made)

    seen = [await program.gets("who") for _ in range(3)]
    of_other = await house.program(other).gets("who")
    of_browser = await browser.gets("who")
    me = await house.use_cases.recognise(browser.http.cookies["gradioapp-session"], activity=False)
    kept = house.container.store().tables.token_data
    assert made.token.id in kept
    await house.use_cases.revoke_token(me.caller, made.token.id)

    assert [text[-1] for text in seen] == ["1", "2", "3"]
    assert of_other[-1] == of_browser[-1] == "1"
    assert set(house.container.store().tables.token_data) == {other.token.id}


async def test_a_token_has_its_own_tabs_and_events_and_shares_its_accounts_files(
    house: House, tmp_path: Path
) -> None:
    program = house.program(await house.makes_token())
    browser = await house.signed_in()
    await house.has("bob@example.org", "Bob")
    bob = house.program(await house.makes_token("bob@example.org"))

    tab = await program.start("who", tab="mine")
    told = [await other.stream(tab) for other in (browser, bob)]
    uploaded = await program.http.post(
        "/gradio/gradio_api/upload", files={"files": ("in.txt", b"sent")}
    )
    (path,) = uploaded.json()

    assert "ada@example.org" not in "".join(told)
    assert (await fetches(program, path)).text == "sent"
    assert (await fetches(browser, path)).status_code == 200
    assert (await fetches(bob, path)).status_code == 404


async def test_tabs_of_a_revoked_token_are_forgotten(house: House) -> None:
    made, revoked = await house.makes_token(), await house.makes_token()
    for one in (made, revoked):
        await house.program(one).gets("who")
    await settled(house)
    me = await house.use_cases.recognise(
        (await house.signed_in()).http.cookies["gradioapp-session"], activity=False
    )
    await house.use_cases.revoke_token(me.caller, revoked.token.id)

    accounts = house.pages.accounts
    before = set(accounts.sessions())
    await house.forgets()

    assert before >= {SessionId(made.token.id), SessionId(revoked.token.id)}
    assert set(accounts.sessions()) == before - {SessionId(revoked.token.id)}


async def settled(house: House) -> None:
    """Return once Gradio has removed its events, which it does after it has reported their end."""
    queue: Any = house.demo._queue
    async with asyncio.timeout(PATIENCE):
        while queue.event_ids_to_events:  # noqa: ASYNC110 -- Gradio has no event to wait for.
            await asyncio.sleep(0.005)


async def test_a_running_event_of_a_token_keeps_no_session_awake(house: House) -> None:
    program = house.program(await house.makes_token())
    running: list[Any] = []
    process = house.demo.fns[0].fn

    def watched() -> Any:
        running.append(house.pages.running.sessions())
        assert process is not None
        return process()

    house.demo.fns[0].fn = watched
    await program.gets("who")
    browser = await house.signed_in()
    await browser.gets("who")

    assert browser.session is not None
    assert [tuple(sessions) for sessions in running] == [(), (browser.session.id,)]
