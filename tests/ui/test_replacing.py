"""Whoever signs in again in the same browser, with the same account, goes on with the tabs of the session that ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import gradio as gr
import pytest

from entrypoints.jobs import jobs_of
from entrypoints.ui.calls.call import current_call
from gradioapp import current_user
from tests.ui.attacks import API, index_of, joins, opened, tag
from tests.ui.conftest import PASSWORD, Browser, House, Mounts
from tests.ui.test_taking_over import (
    ADA,
    BOB,
    COOKIE,
    PAGE,
    app,
    counts,
    is_kept,
    until,
)
from tests.web.pages import token_of

QUERY: Final = "session_hash=mine"
DATA: Final = f"{API}/queue/data"


async def signs_in_over(house: House, former: Browser, email: str = ADA) -> Browser:
    """Send a sign-in page that was opened before the browser had a session."""
    http = house.anonymous().http
    page = await http.get("/login")
    cookies = (
        f"{COOKIE}={former.http.cookies[COOKIE]}; gradioapp-form={http.cookies['gradioapp-form']}"
    )
    http.cookies.clear()
    form = {"csrf_token": token_of(page), "username": email, "password": PASSWORD}
    answer = await http.post("/login", data=form, headers={"cookie": cookies})
    assert answer.status_code == 303, answer.text
    token = answer.cookies[COOKIE]
    http.cookies.clear()
    http.cookies.set(COOKIE, token)
    me = await house.use_cases.recognise(token, activity=False)
    return Browser(http, house.demo, me.session)


def slow(goes: asyncio.Event, ran: list[str]) -> gr.Blocks:
    async def steps() -> AsyncIterator[str]:
        yield "begun"
        await goes.wait()
        ran.append(current_user().email)
        yield "done"
        ran.append("after")

    with gr.Blocks() as demo:
        gr.Button().click(steps, None, gr.Textbox(), api_name="steps")
        demo.unload(lambda: ran.append("left"))
    return cast("gr.Blocks", demo)


async def test_a_sign_in_over_a_live_session_keeps_the_state(mounted: Mounts) -> None:
    house = await mounted(app())
    one = await house.signed_in()
    await counts(one, house)

    two = await signs_in_over(house, one)
    await house.forgets()
    assert await is_kept(two)
    assert await counts(two, house) == "2"
    three = await signs_in_over(house, two)
    await house.forgets()

    assert await counts(three, house) == "3"
    assert [each.hex for each in house.pages.accounts.sessions()] == [tag(three)]
    for former in (one, two):
        answer = await former.http.get(f"{API}/heartbeat/mine/kept")
        assert answer.status_code == 401


async def test_another_account_gets_nothing_and_the_memory_is_released(mounted: Mounts) -> None:
    house = await mounted(app())
    await house.has(BOB, "Bob")
    ada = await house.signed_in()
    await counts(ada, house)

    bob = await signs_in_over(house, ada, BOB)

    assert not await is_kept(bob)
    assert await counts(bob, house) == "1"
    await house.settles()
    await house.forgets()
    assert [each.hex for each in house.pages.accounts.sessions()] == [tag(bob)]
    demo: Any = house.demo
    assert len(demo.state_holder.session_data) == 1


async def test_a_session_that_was_revoked_meanwhile_hands_nothing_over(mounted: Mounts) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    await counts(before, house)
    cached = await house.use_cases.recognise(before.http.cookies[COOKIE], activity=False)
    await house.ends(before)

    again = await house.signed_in()
    device = cached.session.device
    opened_now = await house.use_cases.log_in(ADA, PASSWORD, device, replacing=cached)

    assert opened_now.replaced is None
    assert not await is_kept(again)
    assert not await is_kept(await signs_in_over(house, before))


async def test_a_sign_out_after_the_second_sign_in_releases_the_tabs(mounted: Mounts) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    await counts(before, house)
    ada = await signs_in_over(house, before)

    await house.ends(ada)
    await house.settles()
    await house.forgets()

    assert house.pages.accounts.sessions() == ()
    demo: Any = house.demo
    assert not demo.state_holder.session_data
    assert not await is_kept(await house.signed_in())


async def test_a_running_event_and_the_heartbeat_go_on_with_the_next_session(
    mounted: Mounts,
) -> None:
    goes, ran = asyncio.Event(), list[str]()
    house = await mounted(slow(goes, ran), session_cache_seconds=0)
    before = await house.signed_in()
    async with opened(house, before, f"{API}/heartbeat/mine", **PAGE) as beat:
        await beat.says("ALIVE")
        await joins(before, house, "steps", tab="mine")
        async with opened(house, before, DATA, QUERY, **PAGE) as stream:
            await stream.says("begun")
            [account] = house.pages.accounts.all()
            [tab] = account.tabs
            ada = await signs_in_over(house, before)
            await house.forgets()
            # The former cookie's streams are cut, and wait for the next session.
            await until(lambda: account.resumable.are_kept(tab))
        goes.set()
        await asyncio.sleep(1.5)
        assert "done" not in stream.text
        assert "session_not_found" not in stream.text

    after = stream.text.count("id: ")
    async with opened(house, ada, DATA, QUERY, **PAGE, last_event_id=str(after)) as stream:
        await stream.says("process_completed")
    async with opened(house, ada, f"{API}/heartbeat/mine", **PAGE, last_event_id="1"):
        assert ran == [ADA, "after"]

    assert "done" in stream.text
    assert '"success":true' in stream.text


async def test_the_event_ends_when_the_next_session_is_revoked(mounted: Mounts) -> None:
    goes, ran = asyncio.Event(), list[str]()
    house = await mounted(slow(goes, ran), session_cache_seconds=0)
    before = await house.signed_in()
    await joins(before, house, "steps", tab="mine")
    async with opened(house, before, DATA, QUERY, **PAGE) as stream:
        await stream.says("begun")
        ada = await signs_in_over(house, before)
        await house.ends(ada)
        goes.set()
        await asyncio.sleep(1.5)

    assert "after" not in ran


async def test_the_next_session_is_kept_awake_by_what_the_former_has_begun(
    mounted: Mounts,
) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    await counts(before, house)
    ada = await signs_in_over(house, before)
    assert before.session is not None
    assert ada.session is not None
    job = jobs_of(house.use_cases, house.pages, purges_files=False)[0]

    with house.pages.running.one_of(before.session.id):
        house.passes(minutes=20)
        await job.run()
        house.passes(minutes=20)

    assert (await ada.http.get("/api/v1/me")).status_code == 200


async def test_a_heartbeat_that_comes_back_to_a_lost_tab_does_not_count_as_its_memory(
    mounted: Mounts,
) -> None:
    house = await mounted(app())
    before = await house.signed_in()
    async with opened(house, before, f"{API}/heartbeat/mine", **PAGE) as beat:
        await beat.says("ALIVE")
        assert await is_kept(before)
    house.passes(minutes=60)
    ada = await house.signed_in()

    async with opened(house, ada, f"{API}/heartbeat/mine", **PAGE, last_event_id="1") as beat:
        await beat.says("ALIVE")
        lost = await is_kept(ada)
        assert await counts(ada, house) == "1"
        used = await is_kept(ada)

    assert (lost, used) == (False, True)


def sensitive(goes: asyncio.Event, ran: list[str]) -> gr.Blocks:
    """Return an app with an event that runs at once, and one that later does what needs a confirmation."""

    async def act() -> str:
        ran.append("act")
        return "done"

    async def later() -> AsyncIterator[str]:
        yield "begun"
        await goes.wait()
        yield "the next step begins as the next session"
        call = current_call()
        ran.append(str(call.caller.goes_on))
        await call.use_cases.create_token(call.caller, name="Stolen")
        ran.append("made")
        yield "done"

    with gr.Blocks() as demo:
        gr.Button().click(act, None, gr.Textbox(), api_name="act")
        gr.Button().click(later, None, gr.Textbox(), api_name="later")
    return cast("gr.Blocks", demo)


@pytest.mark.parametrize("waits", [0.1, 1.2])
@pytest.mark.parametrize("path", ["run/act", "call/act", "call/v2/act", "queue/join"])
async def test_an_event_whose_body_was_held_back_until_the_next_sign_in_does_not_run(
    mounted: Mounts, path: str, waits: float
) -> None:
    ran: list[str] = []
    house = await mounted(sensitive(asyncio.Event(), ran))
    before = await house.signed_in()
    is_replaced = asyncio.Event()
    body = json.dumps(
        {} if "v2" in path
        else {"data": [], "fn_index": index_of(house, "act"), "session_hash": "mine"}
    ).encode()  # fmt: skip

    async def held() -> AsyncIterator[bytes]:
        yield body[:1]
        await is_replaced.wait()
        yield body[1:]

    sending = asyncio.create_task(
        before.http.post(
            f"{API}/{path}", content=held(), headers={"content-type": "application/json"}
        )
    )
    await asyncio.sleep(waits)
    await signs_in_over(house, before)
    is_replaced.set()
    answer = await sending
    await asyncio.sleep(0.3)

    assert answer.status_code in {400, 401, 500}
    assert ran == []


async def test_an_event_that_goes_on_has_not_what_the_next_session_has_confirmed(
    mounted: Mounts,
) -> None:
    goes, ran = asyncio.Event(), list[str]()
    house = await mounted(sensitive(goes, ran), session_cache_seconds=0)
    before = await house.signed_in()
    house.passes(minutes=11)
    await joins(before, house, "later", tab="mine")
    async with opened(house, before, DATA, QUERY, **PAGE) as stream:
        await stream.says("begun")
        ada = await signs_in_over(house, before)
        goes.set()
        await until(lambda: bool(ran))
        await asyncio.sleep(0.3)
    me = (await ada.http.get("/api/v1/me/confirmation")).json()

    assert me["confirmed_until"] is not None
    assert ran == ["True"]
    assert (await ada.http.get("/api/v1/me/tokens")).json()["items"] == []
