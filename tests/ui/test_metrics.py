"""Events, streams and addresses of apps in the metrics."""

import asyncio
import re
from typing import Any, Final

import gradio as gr
import pytest
from prometheus_client.parser import text_string_to_metric_families

from entrypoints import ui
from entrypoints.ui.queueing.counting import RENDERED
from tests.ui.conftest import GRADIO, House, Mounts, completed

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
HOME: Final = GRADIO


async def read(house: House) -> Samples:
    response = await house.anonymous().http.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def of(house: House, metric: str, **labels: str) -> float:
    """Return the value of a metric, 0 if it has no such labels."""
    return (await read(house)).get((metric, frozenset(labels.items())), 0)


async def events(house: House, api_name: str, *, app: str = HOME) -> dict[str, float]:
    names = {
        "started": "gradioapp_events_started_total",
        "failed": "gradioapp_events_failed_total",
        "timed": "gradioapp_event_seconds_count",
        "waited": "gradioapp_event_wait_seconds_count",
    }
    return {
        short: await of(house, name, app=app, api_name=api_name) for short, name in names.items()
    }


def greeter() -> gr.Blocks:
    def greet(name: str) -> str:
        if name == "nobody":
            raise gr.Error("There is nobody.")
        if name == "fault":
            raise ValueError(name)
        return f"Hello {name}"

    def count() -> Any:
        yield "1"
        yield "2"

    def greet_all(names: list[str]) -> list[list[str]]:
        return [[f"Hello {name}" for name in names]]

    demo: gr.Blocks
    with gr.Blocks() as demo:
        name, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(greet, name, shown, api_name="greet")
        gr.Button().click(count, None, shown, api_name="count")
        gr.Button().click(greet_all, name, shown, api_name="greet_all", batch=True)
        gr.Button().click(greet, name, shown, api_name="at_once", queue=False)
    return demo


async def test_an_event_is_counted_with_its_time_and_its_wait(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.gets("greet", "Ada")
    await ada.gets("greet", "Bob")

    assert await events(house, "greet") == {"started": 2, "failed": 0, "timed": 2, "waited": 2}


@pytest.mark.parametrize("name", ["nobody", "fault"])
async def test_an_event_that_fails_is_counted_as_failed(mounted: Mounts, name: str) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    assert not completed(await ada.runs("greet", name))["success"]

    assert await events(house, "greet") == {"started": 1, "failed": 1, "timed": 1, "waited": 1}


async def test_a_generator_is_one_event(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.runs("count")

    assert await events(house, "count") == {"started": 1, "failed": 0, "timed": 1, "waited": 1}


async def test_an_event_in_a_batch_is_counted(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.runs("greet_all", "Ada")

    assert await events(house, "greet_all") == {"started": 1, "failed": 0, "timed": 1, "waited": 1}


@pytest.mark.parametrize(("name", "failed"), [("Ada", 0), ("nobody", 1), ("fault", 1)])
async def test_a_direct_event_is_counted_without_a_wait(
    mounted: Mounts, name: str, failed: int
) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.http.post(f"{GRADIO}/gradio_api/run/at_once", json={"data": [name]})

    assert await events(house, "at_once") == {
        "started": 1, "failed": failed, "timed": 1, "waited": 0,
    }  # fmt: skip


async def test_the_time_in_the_queue_is_the_wait_and_not_the_time_of_the_event(
    mounted: Mounts,
) -> None:
    free = asyncio.Event()

    async def wait(name: str) -> str:
        await free.wait()
        return name

    with gr.Blocks() as demo:
        name = gr.Textbox()
        gr.Button().click(wait, name, name, api_name="wait", concurrency_limit=1)
    house = await mounted(demo)
    ada = await house.signed_in()
    first = await ada.start("wait", "1")
    second = await ada.start("wait", "2")
    await asyncio.sleep(0.4)
    running = await events(house, "wait")
    free.set()
    await ada.told(first)
    await ada.told(second)

    assert running == {"started": 1, "failed": 0, "timed": 0, "waited": 1}
    waited = await of(house, "gradioapp_event_wait_seconds_sum", app=HOME, api_name="wait")
    assert 0.3 < waited < 5


async def test_an_event_that_has_never_failed_shows_0_failures(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    await ada.gets("greet", "Ada")

    key = ("gradioapp_events_failed_total", frozenset({("app", HOME), ("api_name", "greet")}))
    assert (await read(house))[key] == 0


async def test_a_cached_result_is_counted_as_an_event(mounted: Mounts) -> None:
    @gr.cache  # type: ignore[untyped-decorator]
    def slow(name: str) -> str:
        return f"Hello {name}"

    with gr.Blocks() as demo:
        name = gr.Textbox()
        gr.Button().click(slow, name, name, api_name="slow")
    house = await mounted(demo)
    ada = await house.signed_in()

    await ada.gets("slow", "Ada")
    await ada.gets("slow", "Ada")

    assert await events(house, "slow") == {"started": 2, "failed": 0, "timed": 2, "waited": 2}


async def test_an_event_that_is_cancelled_has_not_failed(mounted: Mounts) -> None:
    began = asyncio.Event()

    async def wait() -> str:
        began.set()
        await asyncio.sleep(60)
        return "done"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait")
    house = await mounted(demo)
    ada = await house.signed_in()
    index = next(i for i, fn in demo.fns.items() if fn.api_name == "wait")
    joined = await ada.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": [], "fn_index": index, "session_hash": "tab"},
    )
    await began.wait()
    await ada.http.post(
        f"{GRADIO}/gradio_api/cancel",
        json={"event_id": joined.json()["event_id"], "fn_index": index, "session_hash": "tab"},
    )

    assert await events(house, "wait") == {"started": 1, "failed": 0, "timed": 1, "waited": 1}


async def test_the_sender_cannot_add_an_api_name(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada = await house.signed_in()

    for number in range(20):
        for way in ("run", "call", "call/v2"):
            await ada.http.post(f"{GRADIO}/gradio_api/{way}/made-up-{number}", json={"data": []})

    found = await read(house)
    assert "made-up" not in str(found)
    assert not [name for name, _ in found if name == "gradioapp_events_started_total"]


async def test_all_functions_that_render_makes_share_one_name(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        number = gr.Number(1)

        @gr.render(inputs=number)  # type: ignore[untyped-decorator]
        def draw(n: int) -> None:
            text = gr.Textbox()
            gr.Button().click(lambda t: t, text, text, api_name=f"made_{n}")

    house = await mounted(demo)
    ada = await house.signed_in()
    draw_name = next(str(fn.api_name) for fn in demo.fns.values())
    tab = await ada.start(draw_name, 1)
    told = completed(await ada.told(tab))
    made = told["output"]["render_config"]["dependencies"][0]["id"]
    await ada.http.post(
        f"{GRADIO}/gradio_api/queue/join",
        json={"data": ["a"], "fn_index": made, "session_hash": tab},
    )
    await ada.told(tab)

    assert (await events(house, RENDERED))["started"] == 1
    assert "made_" not in str(await read(house))


async def test_each_app_is_counted_apart(mounted: Mounts) -> None:
    house = await mounted(greeter(), others=[ui.Page(demo=greeter(), title="Other")])
    ada = await house.signed_in()

    await ada.http.post(f"{GRADIO}/other/gradio_api/run/at_once", json={"data": ["Ada"]})

    assert (await events(house, "at_once", app=f"{GRADIO}/other"))["started"] == 1
    assert (await events(house, "at_once"))["started"] == 0


async def test_an_address_of_an_app_is_counted_by_its_row(mounted: Mounts) -> None:
    house = await mounted(greeter(), others=[ui.Page(demo=greeter(), title="Other")])
    ada = await house.signed_in()

    await ada.http.get(f"{GRADIO}/other/config")
    refused = await ada.http.get(f"{GRADIO}/other/gradio_api/file=/etc/passwd")
    await ada.http.get(f"{GRADIO}/other/gradio_api/nothing/here")
    await house.anonymous().http.get(f"{GRADIO}/other/gradio_api/file=/etc/shadow")

    other = f"{GRADIO}/other"
    name = "gradioapp_requests_total"
    assert await of(house, name, route="/config", app=other, method="GET", status="200") == 1
    file = {"route": "/gradio_api/file={path}", "app": other, "method": "GET"}
    assert await of(house, name, **file, status=str(refused.status_code)) == 1
    assert await of(house, name, **file, status="401") == 1
    assert await of(house, name, route="unknown", app="", method="GET", status="404") == 1
    assert "passwd" not in str(await read(house))


async def test_every_row_of_an_app_has_a_template_of_its_own_that_people_can_read(
    mounted: Mounts,
) -> None:
    house = await mounted(greeter(), mcp=True)
    rows = house.pages.pages[0].addresses.rows
    templates = [row.template for row in rows]

    assert "/gradio_api/heartbeat/{tab}/close" in templates
    assert "/gradio_api/{run|api}/{api_name}" in templates
    assert "/gradio_api/call/{name}/{event_id}" in templates
    assert "/assets/{path}" in templates
    assert not [one for one in templates if re.search(r"[\\()^+*?\[\]]", one)]
    assert len(set(templates)) == len(templates)


async def test_an_open_stream_is_counted_until_it_ends_and_is_left_out_of_the_times(
    mounted: Mounts,
) -> None:
    free = asyncio.Event()

    async def wait() -> str:
        await free.wait()
        return "done"

    with gr.Blocks() as demo:
        gr.Button().click(wait, None, gr.Textbox(), api_name="wait")
    house = await mounted(demo)
    ada = await house.signed_in()
    tab = await ada.start("wait")
    reading = asyncio.create_task(ada.told(tab))
    await asyncio.sleep(0.3)
    during = await of(house, "gradioapp_streams_open", app=HOME)
    free.set()
    await reading

    assert (during, await of(house, "gradioapp_streams_open", app=HOME)) == (1, 0)
    data = {"route": "/gradio_api/queue/data", "app": HOME}
    assert await of(house, "gradioapp_requests_total", **data, method="GET", status="200") == 1
    assert await of(house, "gradioapp_request_seconds_count", **data) == 0


async def test_a_session_that_has_used_an_app_is_live_until_it_has_ended(mounted: Mounts) -> None:
    house = await mounted(greeter())
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    for browser in (ada, bob):
        await browser.gets("greet", "Ada")
    before = await of(house, "gradioapp_sessions_live")
    await house.ends(ada)
    await house.settles()
    await house.forgets()

    assert (before, await of(house, "gradioapp_sessions_live")) == (2, 1)


async def test_the_jobs_of_the_service_are_shown(mounted: Mounts) -> None:
    house = await mounted(greeter())

    assert await of(house, "gradioapp_job_ok", name="keep-awake") == 1
