"""Only the owner of an event can cancel, continue or hear it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import gradio as gr
import pytest

from gradioapp import current_user
from tests.ui.attacks import API, index_of, is_problem, joins, names_of, opened, tag
from tests.ui.conftest import Browser, House, Mounts, completed, steps

UNKNOWN = "0" * 32


class Gate:
    """Hold a callback until the test opens the gate."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()
        self.finished: list[str] = []

    async def wait(self, said: str) -> str:
        self.reached.set()
        await self.opened.wait()
        self.finished.append(said)
        return said


def waiting(gate: Gate) -> gr.Blocks:
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(gate.wait, said, shown, api_name="wait", concurrency_limit=10)
    return cast("gr.Blocks", demo)


async def attacks(house: House, mallory: Browser, event_id: str, tab: str, owner: Browser) -> Any:
    """Try all requests that take an event's id, under every name of its tab. Return the problems without their ids."""
    answers = []
    for name in names_of(tab, owner):
        body = {"session_hash": name, "fn_index": index_of(house, "wait"), "event_id": event_id}
        more = {"data": ["of Bob"], "session_hash": name, "event_id": event_id, "fn_index": 0}
        answers += [
            await mallory.http.post(f"{API}/cancel", json=body),
            await mallory.http.post(f"{API}/stream/{event_id}", json=more),
        ]
    answers += [
        await mallory.http.post(f"{API}/stream/{event_id}/close"),
        await mallory.http.get(f"{API}/call/wait/{event_id}"),
        await mallory.http.get(f"{API}/call/v2/wait/{event_id}"),
    ]
    return [
        (answer.status_code, {**answer.json(), "request_id": ""})
        for answer in answers
        if answer.headers["content-type"] == "application/problem+json"
    ]


async def test_an_event_of_another_sign_in_of_the_account_looks_unknown(
    mounted: Mounts,
) -> None:
    gate = Gate()
    house = await mounted(waiting(gate))
    laptop, phone = await house.signed_in(), await house.signed_in()
    event_id = await joins(laptop, house, "wait", "of Ada", tab="mine")
    await gate.reached.wait()

    foreign = await attacks(house, phone, event_id, "mine", laptop)
    unknown = await attacks(house, phone, UNKNOWN, "mine", laptop)
    gate.opened.set()

    assert len(foreign) == 9
    assert {status for status, _ in foreign} == {404}
    assert foreign == unknown
    assert completed(await laptop.told("mine"))["output"]["data"] == ["of Ada"]


@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_an_event_of_another_account_looks_unknown(mounted: Mounts) -> None:
    gate = Gate()
    house = await mounted(waiting(gate))
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    event_id = await joins(ada, house, "wait", "of Ada", tab="mine")
    await gate.reached.wait()

    foreign = await attacks(house, bob, event_id, "mine", ada)
    unknown = await attacks(house, bob, UNKNOWN, "mine", ada)
    gate.opened.set()

    assert len(foreign) == 9
    assert {status for status, _ in foreign} == {404}
    assert foreign == unknown
    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]
    assert gate.finished == ["of Ada"]


async def test_an_anonymous_caller_cannot_cancel_or_hear_an_event(mounted: Mounts) -> None:
    gate = Gate()
    house = await mounted(waiting(gate))
    ada, stranger = await house.signed_in(), house.anonymous()
    event_id = await joins(ada, house, "wait", "of Ada", tab="mine")
    await gate.reached.wait()

    answers = await attacks(house, stranger, event_id, "mine", ada)
    gate.opened.set()

    assert {status for status, _ in answers} == {401}
    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]


async def test_an_owner_cancels_an_event(mounted: Mounts) -> None:
    gate = Gate()
    house = await mounted(waiting(gate))
    ada = await house.signed_in()
    event_id = await joins(ada, house, "wait", "of Ada", tab="mine")
    await gate.reached.wait()

    cancelled = await ada.http.post(
        f"{API}/cancel", json={"session_hash": "mine", "fn_index": 0, "event_id": event_id}
    )

    assert cancelled.json() == {"success": True}
    assert completed(await ada.told("mine"))["output"] == {}
    assert gate.finished == []


async def test_an_event_that_cancels_others_reaches_only_its_own_tab(mounted: Mounts) -> None:
    gate = Gate()
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        event = gr.Button().click(gate.wait, said, shown, api_name="wait", concurrency_limit=10)
        gr.Button().click(None, None, None, cancels=[event], api_name="stop", queue=True)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await joins(ada, house, "wait", "of Ada", tab="mine")
    await gate.reached.wait()
    stop = next(i for i, fn in house.demo.fns.items() if fn.cancels)

    for name in names_of("mine", ada):
        body = {"data": [f"mine.{tag(ada)}"], "fn_index": stop, "session_hash": name}
        await bob.http.post(f"{API}/queue/join", json=body)
        await bob.http.post(f"{API}/run/stop", json=body)
        await bob.stream(name)
    gate.opened.set()

    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]


async def test_a_generator_of_another_account_is_not_continued(mounted: Mounts) -> None:
    go_on = asyncio.Event()
    at_first = asyncio.Event()

    async def tell(said: str) -> AsyncIterator[str]:
        yield f"{said} 1"
        at_first.set()
        await go_on.wait()
        yield f"{said} 2"

    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(tell, said, shown, api_name="tell", concurrency_limit=10)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    event_id = await joins(ada, house, "tell", "of Ada", tab="mine")
    await at_first.wait()

    stolen = []
    for name in names_of("mine", ada):
        body = {"data": ["of Bob"], "fn_index": 0, "session_hash": name, "event_id": event_id}
        stolen.append((await bob.http.post(f"{API}/run/tell", json=body)).text)
        await bob.http.post(f"{API}/queue/join", json={**body, "batched": True})
    go_on.set()

    assert not any("of Ada" in text for text in stolen)
    assert steps(await ada.told("mine")) == ["of Ada 1", "of Ada 2"]


async def test_the_id_of_another_event_does_not_skip_a_validator(mounted: Mounts) -> None:
    go_on, at_first = asyncio.Event(), asyncio.Event()

    async def tell(said: str) -> AsyncIterator[str]:
        yield f"{said} 1"
        at_first.set()
        await go_on.wait()
        yield f"{said} 2"
        yield f"{said} 3"

    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(tell, said, shown, api_name="tell", concurrency_limit=10)
        gr.Button().click(
            lambda said: said,
            said,
            shown,
            api_name="checked",
            validator=lambda said: gr.validate(bool(said), "empty"),
        )
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    event_id = await joins(ada, house, "tell", "of Ada", tab="mine")
    await at_first.wait()

    index = index_of(house, "checked")
    body = {"data": [""], "fn_index": index, "session_hash": "his", "event_id": event_id}
    answer = await bob.http.post(f"{API}/queue/join", json=body)
    go_on.set()

    assert answer.status_code == 422
    assert steps(await ada.told("mine")) == ["of Ada 1", "of Ada 2", "of Ada 3"]


async def test_a_request_with_too_few_inputs_does_not_spoil_a_batch(
    mounted: Mounts,
) -> None:
    def double(texts: list[str], more: list[str]) -> list[list[str]]:
        return [[text + other for text, other in zip(texts, more, strict=True)]]

    with gr.Blocks() as demo:
        text, more, shown = gr.Textbox(), gr.Textbox(), gr.Textbox()
        gr.Button().click(
            double, [text, more], shown, api_name="double", batch=True, max_batch_size=8
        )
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    short = await bob.http.post(
        f"{API}/queue/join", json={"data": ["x"], "fn_index": 0, "session_hash": "his"}
    )
    await asyncio.gather(
        joins(ada, house, "double", "a", "b", tab="mine"),
        joins(bob, house, "double", "c", "d", tab="his"),
    )

    assert is_problem(short, 400)
    assert completed(await ada.told("mine"))["output"]["data"] == ["ab"]
    assert completed(await bob.told("his"))["output"]["data"] == ["cd"]


async def test_a_direct_request_that_claims_to_be_a_batch_runs_as_its_caller(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        shown = gr.Textbox()
        gr.Button().click(lambda: current_user().email, None, shown, api_name="who")
    house = await mounted(demo)
    ada = await house.signed_in()

    answer = await ada.http.post(f"{API}/run/who", json={"data": [], "batched": True})

    assert answer.json()["data"] == ["ada@example.org"]


async def test_only_events_that_stream_accept_more_input(mounted: Mounts) -> None:
    gate = Gate()
    house = await mounted(waiting(gate))
    ada = await house.signed_in()
    event_id = await joins(ada, house, "wait", "at first", tab="mine")
    await gate.reached.wait()

    answer = await ada.http.post(
        f"{API}/stream/{event_id}", json={"data": ["later"], "session_hash": "mine"}
    )
    gate.opened.set()

    assert is_problem(answer, 404)
    assert completed(await ada.told("mine"))["output"]["data"] == ["at first"]


async def test_only_its_owner_continues_and_closes_a_streaming_event(
    mounted: Mounts,
) -> None:
    heard: list[Any] = []

    def hear(said: Any) -> str:
        heard.append(said)
        return str(len(heard))

    with gr.Blocks() as demo:
        audio, shown = (
            gr.Audio(sources=["microphone"], streaming=True, type="filepath"),
            gr.Textbox(),
        )
        audio.stream(hear, audio, shown, api_name="hear", time_limit=30, stream_every=0.1)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    event_id = await joins(ada, house, "hear", None, tab="mine")

    async with opened(house, ada, f"{API}/queue/data", "session_hash=mine") as stream:
        while "process_streaming" not in stream.text:
            stream.has_said.clear()
            await asyncio.wait_for(stream.has_said.wait(), 10)
        answers = [
            await bob.http.post(
                f"{API}/stream/{event_id}",
                json={"data": [None], "session_hash": name, "event_id": event_id},
            )
            for name in names_of("mine", ada)
        ]
        closed = await bob.http.post(f"{API}/stream/{event_id}/close")
        count = len(heard)
        more = await ada.http.post(
            f"{API}/stream/{event_id}", json={"data": [None], "session_hash": "mine"}
        )
        done = await ada.http.post(f"{API}/stream/{event_id}/close")
        while "process_completed" not in stream.text:
            stream.has_said.clear()
            await asyncio.wait_for(stream.has_said.wait(), 10)

    assert [answer.status_code for answer in answers] == [404] * 3
    assert closed.status_code == 404
    assert (more.status_code, done.status_code) == (200, 200)
    assert count == 1


async def test_a_message_to_a_removed_tab_does_not_stop_the_queue(mounted: Mounts) -> None:
    gate = Gate()
    with gr.Blocks() as demo:
        said, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(gate.wait, said, shown, api_name="wait", concurrency_limit=1)
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await joins(bob, house, "wait", "running", tab="his")
    await gate.reached.wait()
    await joins(bob, house, "wait", "queued", tab="gone")
    queue: Any = house.demo._queue
    del queue.pending_messages_per_session[f"gone.{tag(bob)}"]

    await joins(ada, house, "wait", "of Ada", tab="mine")
    queue.broadcast_estimations(next(iter(queue.event_queue_per_concurrency_id)))
    gate.opened.set()

    assert completed(await ada.told("mine"))["output"]["data"] == ["of Ada"]


@pytest.mark.parametrize("way", ["run/js", "api/js", "call/js", "call/v2/js", "queue/join"])
async def test_an_event_that_runs_in_the_browser_is_refused_with_the_reason(
    way: str, mounted: Mounts
) -> None:
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(None, text, text, js="x => x + 1", api_name="js")
    house = await mounted(demo)
    ada = await house.signed_in()
    body: dict[str, Any] = {"param_0": "x"} if "v2" in way else {"data": ["x"]}
    if way == "queue/join":
        body |= {"fn_index": index_of(house, "js"), "session_hash": "mine"}

    answer = await ada.http.post(f"{API}/{way}", json=body)

    assert answer.status_code == 400
    assert answer.json()["detail"] == "This event runs in the browser. It has no function to call."
