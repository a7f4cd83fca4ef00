"""A function that a component's own script calls knows its caller, and its changes are kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import gradio as gr
import httpx
import pytest

from domain.model.caller import Caller
from entrypoints.ui import Page, PageRefused
from entrypoints.web.limits import CHECKED_EVERY
from gradioapp import State, User, current_session, current_user, injected, visible_to
from tests.ui.attacks import uploads
from tests.ui.conftest import GRADIO, Browser, Mounts, completed

ADA: Final = "ada@example.org"
BOB: Final = "bob@example.org"


def an_app(fn: Callable[..., Any]) -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        gr.HTML("", server_functions=[fn])
    return demo


async def asks(browser: Browser, number: int, *data: Any, tab: str = "tab") -> httpx.Response:
    body = {"component_id": number, "fn_name": "fn", "data": data, "session_hash": tab}
    return await browser.http.post(f"{GRADIO}/gradio_api/component_server", json=body)


def number_of(demo: gr.Blocks) -> int:
    return next(n for n, block in demo.blocks.items() if isinstance(block, gr.HTML))


async def test_a_server_function_knows_its_caller(mounted: Mounts) -> None:
    def fn(data: list[str], *, user: User = injected) -> str:
        return f"{data[0]} of {user.email} and {current_user().email}"

    demo = an_app(fn)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in(BOB)

    assert (await asks(ada, number_of(demo), "x")).json() == f"x of {ADA} and {ADA}"
    assert (await asks(bob, number_of(demo), "x")).json() == f"x of {BOB} and {BOB}"


async def test_the_changes_of_a_server_function_are_kept(mounted: Mounts) -> None:
    async def fn(data: list[str], *, state: State = injected) -> list[Any]:
        state["said"] = [*state.get("said", []), *data]
        current_session().data["last"] = data[0]
        return list(state["said"])

    demo = an_app(fn)
    house = await mounted(demo)
    laptop, phone = await house.signed_in(), await house.signed_in()

    await asks(laptop, number_of(demo), "one")

    assert (await asks(phone, number_of(demo), "two")).json() == ["one", "two"]
    assert await house.kept(laptop) == {"last": "one"}


async def test_a_server_function_that_raises_keeps_no_changes(mounted: Mounts) -> None:
    def fn(data: list[str], *, state: State = injected) -> None:
        state["said"] = data
        current_session().data["last"] = data[0]
        raise ValueError

    demo = an_app(fn)
    house = await mounted(demo)
    ada = await house.signed_in()

    assert (await asks(ada, number_of(demo), "one")).status_code == 400

    assert await house.kept(ada) == {}
    signed_in = await house.use_cases.recognise(
        ada.http.cookies["gradioapp-session"], activity=False
    )
    assert await house.use_cases.read_account_state(signed_in.caller) == {}


async def test_a_server_function_built_for_a_role_is_refused_once_the_role_is_gone(
    mounted: Mounts,
) -> None:
    reached: list[str] = []

    def fn(_: list[str]) -> str:
        reached.append(current_user().email)
        return "done"

    demo = gr.Blocks()
    with demo:

        @visible_to("trainer")
        def tools() -> None:
            gr.HTML("", server_functions=[fn])

    house = await mounted(demo)
    user = await house.has(ADA)
    await house.use_cases.grant_role(Caller.operator(), user.id, "trainer")
    ada = await house.signed_in()
    building = next(n for n, fn in demo.fns.items() if fn.renderable)
    body = {"data": [], "fn_index": building, "session_hash": "tab"}
    await ada.http.post(f"{GRADIO}/gradio_api/queue/join", json=body)
    shown = completed(await ada.told("tab"))["output"]["render_config"]["components"]
    number = next(c["id"] for c in shown if c["type"] == "html")
    assert (await asks(ada, number)).json() == "done"

    await house.use_cases.revoke_role(Caller.operator(), user.id, "trainer")

    assert (await asks(ada, number)).status_code == 403
    assert reached == [ADA]


async def test_a_type_that_cannot_be_injected_is_refused_at_the_mount(mounted: Mounts) -> None:
    def fn(_: list[str], *, user: int = injected) -> int:
        return user

    with pytest.raises(PageRefused, match="user of fn is injected"):
        await mounted(an_app(fn))


async def test_a_list_of_files_names_them_without_any_path(mounted: Mounts) -> None:
    reached: list[Any] = []

    def fn(data: Any) -> str:
        reached.append(data)
        return "done"

    demo = an_app(fn)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in(BOB)
    own, of_bob = await uploads(ada, b"a", "a.txt"), await uploads(bob, b"b", "b.txt")

    answers = [await asks(ada, number_of(demo), {"files": [file]}) for file in (own, of_bob)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert reached == [[{"files": [own]}]]


@pytest.mark.asvs("8.3.2")
async def test_a_role_that_was_taken_while_the_body_arrived_is_missed(mounted: Mounts) -> None:
    ran: list[str] = []

    def fn(data: list[str]) -> str:
        ran.append(data[0])
        return data[0]

    demo = an_app(fn)
    house = await mounted(gr.Blocks(), others=[Page(demo, title="Reports", roles={"analyst"})])
    await house.has(ADA, "Ada", "analyst")
    ada = await house.signed_in(ADA)
    assert ada.session is not None
    body = {"component_id": number_of(demo), "fn_name": "fn", "data": ["x"], "session_hash": "tab"}
    taken = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        whole = json.dumps(body).encode()
        yield whole[:5]
        await taken.wait()
        await asyncio.sleep(CHECKED_EVERY + 0.1)
        yield whole[5:]

    def sends(content: Any) -> Any:
        return ada.http.post(
            f"{GRADIO}/reports/gradio_api/component_server",
            content=content,
            headers={"content-type": "application/json"},
        )

    before = await sends(json.dumps(body))
    sending = asyncio.create_task(sends(held()))
    await asyncio.sleep(0.1)
    await house.use_cases.revoke_role(Caller.operator(), ada.session.user_id, "analyst")
    taken.set()

    assert (before.status_code, (await sending).status_code) == (200, 403)
    assert ran == ["x"]
