"""Gradio's memory: inputs are released when their event is over, and the bytes of one account are limited."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import gradio as gr
import httpx
import orjson
import pytest
from gradio.data_classes import FileData, JsonData
from gradio.server_messages import EstimationMessage, ProcessCompletedMessage

from domain.model.user import UserId
from entrypoints.ui import limits
from entrypoints.ui.apps.slugs import slug_of
from entrypoints.ui.isolation.kept_inputs import JSON_OF_A_VALUE, Held, Holdings, TabMessages
from gradioapp import Page
from tests.ui.attacks import API, index_of, is_problem, joins, tag
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed
from tests.ui.test_caps import settled

MB: Final = 1024 * 1024


class App:
    """An app whose callbacks wait until the test lets them go on."""

    def __init__(self) -> None:
        self.go_on, self.running = asyncio.Event(), asyncio.Event()
        self.got: list[Any] = []

    def demo(self) -> gr.Blocks:
        def take(value: Any) -> str:
            self.got.append(value)
            return "taken"

        async def wait(value: Any) -> str:
            self.running.set()
            await self.go_on.wait()
            return str(len(value))

        def answer(size: float) -> str:
            return "x" * int(size)

        def grow(size: float) -> Any:
            for number in range(20):
                yield str(number) * int(size)

        with gr.Blocks() as demo:
            button, given, out = gr.Button(), gr.JSON(), gr.Textbox()
            button.click(take, given, out, api_name="take")
            button.click(wait, given, out, api_name="wait", concurrency_limit=2)
            button.click(answer, gr.Number(), out, api_name="answer")
            button.click(grow, gr.Number(), out, api_name="grow")
            gr.ImageEditor()
        return cast("gr.Blocks", demo)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def house(mounted: Mounts, app: App) -> AsyncIterator[House]:
    yield await mounted(app.demo(), body_limit_mb=1)
    app.go_on.set()


@pytest.fixture
async def ada(house: House) -> Browser:
    return await house.signed_in()


def held_by(house: House, browser: Browser) -> Held:
    assert browser.session is not None
    return house.pages.holdings.of(browser.session.user_id)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(6000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("That has not happened.")


# Released inputs


async def test_the_inputs_of_an_event_are_released_once_it_is_over(
    house: House, ada: Browser, app: App
) -> None:
    value = [["of", "Ada"]]
    await joins(ada, house, "take", value, tab="mine")
    assert completed(await ada.told("mine"))["success"]
    await ada.http.post(f"{API}/run/take", json={"data": [value], "session_hash": "mine"})
    await ada.http.post(f"{API}/call/take", json={"data": [value]})
    await settled(house)
    assert [got == value for got in app.got] == [True] * 3

    kept = [got[0] for got in app.got]
    app.got.clear()
    gc.collect()

    assert [gc.get_referrers(row) for row in kept] == [[kept]] * 3


async def test_state_and_updated_components_of_a_tab_are_kept(mounted: Mounts) -> None:
    def count(so_far: list[int], name: str) -> Any:
        return [*so_far, 1], gr.Dropdown(choices=[name, "b"], value=name, label=name)

    def choose(so_far: list[int], name: str) -> str:
        return f"{name} {len(so_far)}"

    with gr.Blocks() as demo:
        kept, out, choice = gr.State([]), gr.Textbox(), gr.Dropdown(choices=["a"])
        gr.Button().click(count, [kept, out], [kept, choice], api_name="count")
        gr.Button().click(choose, [kept, choice], out, api_name="choose")
    house = await mounted(demo)
    ada = await house.signed_in()

    for number in range(3):
        await joins(ada, house, "count", None, f"c{number}", tab="mine")
        updated = completed(await ada.told("mine"))["output"]["data"][1]
        assert updated["value"] == f"c{number}"
        assert updated["label"] == f"c{number}"
    await joins(ada, house, "choose", None, "c2", tab="mine")

    assert completed(await ada.told("mine"))["output"]["data"] == ["c2 3"]


def test_no_other_code_in_gradio_reads_the_inputs_that_are_not_kept() -> None:
    """A deep link reads them, and its route is closed here."""
    folder = Path(gr.__file__).parent
    found = {
        str(file.relative_to(folder)): text.count("config_values") + text.count("].components")
        for file in folder.rglob("*.py")
        if "config_values" in (text := file.read_text(errors="replace")) or "].components" in text
    }

    assert found == {"state_holder.py": 8, "routes.py": 1}


# Inputs


def largest() -> Any:
    return [[0] * 1000] * 400


async def joined(
    browser: Browser, house: House, value: Any, *, path: str = "queue/join", tab: str = "mine"
) -> httpx.Response:
    page = {"data": [value], "fn_index": index_of(house, "wait"), "session_hash": tab}
    body = {"value": value} if path.startswith("call/v2") else page
    return await browser.http.post(f"{API}/{path}", json=body)


@pytest.mark.asvs("15.2.2")
async def test_all_devices_and_tokens_of_an_account_share_one_limit_of_inputs(
    house: House, ada: Browser, app: App
) -> None:
    phone, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    program = house.program(await house.makes_token())

    taken = [await joined(ada, house, largest(), tab=f"of{n}") for n in range(3)]
    taken += [await joined(phone, house, largest()), await joined(program, house, largest())]
    refused = [
        await joined(who, house, largest(), path=path, tab="more")
        for who in (ada, phone, program)
        for path in ("queue/join", "call/wait", "call/v2/wait", "run/wait")
    ]

    assert [answer.status_code for answer in taken] == [200] * 5
    assert all(is_problem(answer, 429) for answer in refused)
    assert "take 126 MB of" in refused[0].json()["detail"]
    assert (await joined(bob, house, largest())).status_code == 200
    assert (await joined(ada, house, [], tab="small")).status_code == 200
    app.go_on.set()
    await settled(house)
    assert (await joined(ada, house, largest(), tab="later")).status_code == 200


async def test_inputs_of_all_apps_count_together(mounted: Mounts, app: App) -> None:
    other = Page(demo=App().demo(), title="Other")
    house = await mounted(app.demo(), body_limit_mb=1, others=[other])
    ada = await house.signed_in()
    for number in range(5):
        await joined(ada, house, largest(), tab=f"of{number}")

    there = await ada.http.post(
        f"{GRADIO}/{slug_of('Other')}/gradio_api/run/take", json={"data": [largest()]}
    )
    app.go_on.set()

    assert is_problem(there, 429)


async def test_inputs_without_the_queue_count_until_the_response(
    house: House, ada: Browser, app: App
) -> None:
    def is_arriving(number: int) -> bool:
        return held_by(house, ada).arriving > number * limits.NODE * 400_000

    runs = []
    for number in range(1, 6):
        runs.append(asyncio.create_task(joined(ada, house, largest(), path="run/wait")))
        await until(partial(is_arriving, number))

    refused = await joined(ada, house, largest())
    app.go_on.set()

    assert is_problem(refused, 429)
    assert [(await run).status_code for run in runs] == [200] * 5
    assert held_by(house, ada).is_empty()


# Outputs


def unread(house: House) -> dict[str, int]:
    messages: Any = house.demo._queue.pending_messages_per_session
    return {tab.partition(".")[0]: queue.qsize() for tab, queue in messages.items()}


async def ends(house: House, browser: Browser, size: int, tab: str) -> None:
    await joins(browser, house, "answer", size, tab=tab)
    await settled(house)


async def test_the_oldest_unread_outputs_are_removed_beyond_the_limit(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD", 7 * MB)
    phone, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    await ends(house, bob, 9 * MB, "his")
    await ends(house, ada, 4 * MB, "first")
    await ends(house, phone, 4 * MB, "second")

    assert {tab for tab, count in unread(house).items() if count} == {"his", "first", "second"}
    await ends(house, ada, 4 * MB, "third")

    assert {tab for tab, count in unread(house).items() if count} == {"his", "second", "third"}
    assert "session_not_found" in await ada.stream("first")
    assert len(completed(await phone.told("second"))["output"]["data"][0]) == 4 * MB
    assert len(completed(await bob.told("his"))["output"]["data"][0]) == 9 * MB
    assert held_by(house, bob).outputs == 0
    assert 4 * MB < held_by(house, ada).outputs < 5 * MB


async def test_one_output_may_have_any_size(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD", MB)

    await ends(house, ada, 5 * MB, "mine")
    last = completed(await ada.told("mine"))

    assert len(last["output"]["data"][0]) == 5 * MB
    assert held_by(house, ada).outputs == 0


async def test_a_stream_that_is_read_is_not_cut_however_much_it_sends(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD", MB)

    told = await ada.runs("grow", MB // 2)

    assert sum(message["msg"] == "process_generating" for message in told) == 20
    assert completed(told)["success"]


async def test_the_unread_outputs_of_a_running_event_are_limited(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD", MB)

    await joins(ada, house, "grow", MB // 4, tab="mine")
    await settled(house)

    assert held_by(house, ada).outputs <= 2 * MB
    assert "mine" not in unread(house)


async def test_unread_outputs_are_removed_after_a_while(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD_FOR", 0.05)
    await ends(house, ada, 1000, "mine")

    await until(held_by(house, ada).is_empty)

    assert "mine" not in unread(house)


async def test_a_tab_that_reads_slowly_loses_no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNREAD_FOR", 0.02)
    gone: list[str] = []
    slow, never = (
        TabMessages(Held(), partial(gone.append, "slow")),
        TabMessages(Held(), partial(gone.append, "never")),
    )
    for messages in (slow, never):
        for _ in range(100):
            messages.put_nowait(EstimationMessage(queue_size=1))

    while not gone:
        slow.get_nowait()
        await asyncio.sleep(0.01)

    assert gone == ["never"]
    assert never.empty()
    assert not slow.empty()


async def test_outputs_of_a_forgotten_tab_do_not_count(house: House, ada: Browser) -> None:
    await ends(house, ada, MB, "mine")
    assert held_by(house, ada).outputs > MB

    await house.ends(ada)
    await house.settles()
    await house.forgets()

    assert held_by(house, ada).is_empty()


@pytest.mark.parametrize(
    ("output", "least", "most"),
    [
        ("x" * 1000, 1000, 2000),
        ([0] * 1000, 64_000, 70_000),
        ({str(number): 0 for number in range(1000)}, 128_000, 150_000),
        ("\ud800", 0, 0),
    ],
    ids=["text", "list", "object", "what cannot be sent"],
)
async def test_an_output_counts_the_bytes_of_its_text_and_its_values(
    output: Any, least: int, most: int
) -> None:
    held = Held()
    messages = TabMessages(held, lambda: None)

    messages.put_nowait(ProcessCompletedMessage(output={"data": [output]}, success=True))

    assert least <= held.outputs <= most
    assert messages.qsize() == 1


def test_an_account_that_holds_nothing_is_forgotten_when_another_comes() -> None:
    ada, bob, eve = (UserId(UUID(int=number)) for number in (1, 2, 3))
    holdings = Holdings()
    hers, his = holdings.of(ada), holdings.of(bob)

    with his.room_for(1, limit=1):
        holdings.of(eve)

        assert holdings.of(bob) is his
        assert holdings.of(ada) is not hers


# Drawings


async def draws(
    house: House, browser: Browser, name: str, size: int, *, index: str = "null", tab: str = "mine"
) -> httpx.Response:
    number = next(n for n, block in house.demo.blocks.items() if isinstance(block, gr.ImageEditor))
    fields = {"type": "composite" if index == "null" else "layer", "index": index, "id": name}
    fields |= {"component_id": str(number), "fn_name": "accept_blobs", "session_hash": tab}
    return await browser.http.post(
        f"{API}/component_server", data=fields, files={"file": ("blob", b"x" * size)}
    )


def drawn(house: House) -> dict[str, Any]:
    editor: Any = next(b for b in house.demo.blocks.values() if isinstance(b, gr.ImageEditor))
    return {name.partition(".")[0]: drawing for name, drawing in editor.blob_storage.items()}


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize("index", ["100", "2000000000", "-1", "1e9", "\uff19", "1_0", " 1"])
async def test_a_layer_number_beyond_the_limit_is_refused(
    house: House, ada: Browser, index: str
) -> None:
    refused = await draws(house, ada, "a", 10, index=index)

    assert is_problem(refused, 400)
    assert "100 layers" in refused.json()["detail"]
    assert drawn(house) == {}
    assert (await draws(house, ada, "a", 10, index="99")).status_code == 200
    assert len(drawn(house)["a"].layers) == 100


async def test_the_oldest_drawings_that_no_event_has_taken_are_removed(
    house: House, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DRAWINGS", 250_000)
    phone, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    await draws(house, bob, "his", 100_000)
    for who, name in ((ada, "a"), (phone, "b"), (ada, "c")):
        assert (await draws(house, who, name, 100_000)).status_code == 200
    assert set(drawn(house)) == {"his", "b", "c"}

    assert (await draws(house, phone, "b", 100_000, index="0")).status_code == 200
    assert set(drawn(house)) == {"his", "b"}
    one_more = await draws(house, phone, "b", 100_000, index="1")

    assert is_problem(one_more, 413)
    assert len(drawn(house)["b"].layers) == 1
    assert tag(ada) != tag(phone)


async def test_a_value_in_a_model_is_written_as_json_and_not_as_a_text_of_the_model() -> None:
    flat, nested = JsonData({"a": [1, 2]}), FileData(path="a.txt")

    assert orjson.loads(orjson.dumps(flat, **JSON_OF_A_VALUE)) == {"a": [1, 2]}
    assert orjson.loads(orjson.dumps([nested], **JSON_OF_A_VALUE))[0]["path"] == "a.txt"
