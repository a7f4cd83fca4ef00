"""A message of a chat that a caller sends brings no script; those of the app itself stay."""

import json
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest
from gradio.components.plot import PlotData

from entrypoints.ui.files.chat_code import CODE
from tests.ui.attacks import as_file, uploads
from tests.ui.conftest import House, Mounts

HACKS: Final = "fetch('/api/v1/me').then(hack)"
OWN: Final = "element.title = 'of the app'"
BUILT: Final = "element.title = 'from the start'"
FIGURE: Final = PlotData(type="altair", plot='{"title": "its own figure"}')


def repeats() -> gr.Blocks:
    def shows() -> list[dict[str, Any]]:
        part = gr.HTML("<b>hi</b>", js_on_load=OWN, html_template="<i>${value}</i>")
        return [{"role": "assistant", "content": part}]

    def reads(path: str) -> Any:
        return json.loads(Path(path).read_text())

    demo = gr.Blocks()
    with demo:
        chat = gr.Chatbot([{"role": "assistant", "content": gr.HTML("hi", js_on_load=BUILT)}])
        read: Any = message({"props": {"js_on_load": HACKS}})
        gr.Chatbot(read)  # As an author reads a file.
        data, text, figure = gr.JSON(), gr.Textbox(), gr.Plot()
        gr.Button().click(lambda history: history, data, chat, api_name="data")
        gr.Button().click(json.loads, text, chat, api_name="parse")
        gr.Button().click(reads, gr.File(), chat, api_name="read")
        gr.Button().click(lambda: FIGURE, None, figure, api_name="draw")
        samples = gr.Examples([[[{"role": "user", "content": "hi"}]]], [chat], api_name="pick")
        saves: Any = gr.Button().click
        saves(lambda kept: gr.Dataset(samples=[[kept]]), data, samples.dataset, api_name="save")
        drawing = gr.Button()

        def draws(kept: Any) -> None:
            gr.Chatbot(kept)

        gr.render(inputs=data, triggers=[drawing.click])(draws)
        gr.Button().click(lambda value: value, figure, figure, api_name="redraw")
        gr.Button().click(lambda history: history, chat, chat, api_name="repeat")
        gr.Button().click(lambda history: history, chat, chat, api_name="unread", preprocess=False)
        gr.Button().click(shows, None, chat, api_name="show")
        chat.edit(picks, None, chat, api_name="edit")
        gr.Button().click(lambda saved: saved, gr.BrowserState([]), chat, api_name="load")
    return demo


def picks(event: gr.EditData) -> Any:
    return event.value


def message(part: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {"type": "component", "component": "html", "value": "<b>hi</b>"}
    return [
        {
            "role": "assistant",
            "metadata": None,
            "options": None,
            "content": [{**whole, "constructor_args": {}, "props": {}, **part}],
        }
    ]


@pytest.fixture
async def house(mounted: Mounts) -> House:
    return await mounted(repeats())


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize("where", ["props", "constructor_args"])
@pytest.mark.parametrize("api_name", ["repeat", "unread", "load"])
async def test_code_of_a_caller_is_left_out(
    api_name: str, where: str, name: str, house: House
) -> None:
    ada = await house.signed_in()

    shown = await ada.gets(api_name, message({where: {name: HACKS, "label": "mine"}}))

    assert "<b>hi</b>" in json.dumps(shown)
    assert HACKS not in json.dumps(shown)


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("code", [[HACKS], {"a": HACKS}, 1, True])
async def test_code_that_is_no_text_is_left_out(code: Any, house: House) -> None:
    ada = await house.signed_in()

    shown = await ada.gets("repeat", message({"props": {"js_on_load": code}}))

    assert HACKS not in json.dumps(shown)


@pytest.mark.asvs("3.2.2")
async def test_code_in_a_chat_within_a_chat_is_left_out(house: House) -> None:
    ada = await house.signed_in()
    inner = message({"props": {"js_on_load": HACKS}})

    last = await ada.runs("repeat", message({"component": "chatbot", "value": inner}))

    assert HACKS not in json.dumps(last)


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("kind", ["bokeh", "altair", "plotly", ["altair"], None])
async def test_a_figure_of_a_caller_is_left_out_of_a_chat(kind: Any, house: House) -> None:
    ada = await house.signed_in()
    figure = {"type": kind, "plot": json.dumps({"code": "hack()"}), "chart": None}

    last = await ada.runs("repeat", message({"component": "plot", "value": figure}))

    assert "hack()" not in json.dumps(last)


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("kind", ["bokeh", "altair", "plotly"])
async def test_a_figure_of_a_caller_is_left_out_of_a_plot(kind: str, house: House) -> None:
    ada = await house.signed_in()

    last = await ada.runs("redraw", {"type": kind, "plot": '{"code": "hack()"}', "chart": None})

    assert "hack()" not in json.dumps(last)


async def test_a_figure_of_the_app_may_come_back(house: House) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    drawn = await ada.gets("draw")

    assert "its own figure" in json.dumps(drawn)
    assert await ada.gets("redraw", drawn) == drawn
    assert await bob.gets("redraw", drawn) == drawn


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("api_name", ["data", "parse", "read"])
async def test_code_in_a_chat_that_the_app_reads_from_data_of_a_user_is_left_out(
    api_name: str, house: House
) -> None:
    ada = await house.signed_in()
    chat = message({"props": {"js_on_load": HACKS}, "constructor_args": {"head": HACKS}})
    sent: Any = chat if api_name == "data" else json.dumps(chat)
    if api_name == "read":
        sent = as_file(await uploads(ada, content=sent.encode(), name="chat.json"))

    shown = await ada.gets(api_name, sent)
    again = await ada.gets("repeat", chat)

    for said in (shown, again):
        assert "<b>hi</b>" in json.dumps(said)
        assert HACKS not in json.dumps(said)


@pytest.mark.asvs("3.2.2")
async def test_code_in_the_data_of_an_event_is_left_out(house: House) -> None:
    ada = await house.signed_in()
    value = message({"props": {"js_on_load": HACKS}})
    data = {"index": 0, "previous_value": "", "value": value}
    tab = await ada.start("edit")
    await ada.stream(tab)

    answer = await ada.http.post(
        "/gradio/gradio_api/run/edit", json={"data": [], "event_data": data}
    )

    assert HACKS not in answer.text


async def test_code_of_the_app_stays_when_its_message_comes_back(house: House) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    shown = await ada.gets("show")

    again = await ada.gets("repeat", shown)
    third = await ada.gets("repeat", again)
    of_bob = await bob.gets("repeat", shown)

    assert OWN in json.dumps(shown)
    assert of_bob == third == again == shown


async def test_code_with_which_an_app_is_built_stays(house: House) -> None:
    ada = await house.signed_in()
    [built, _] = [part for part in house.demo.config["components"] if part["type"] == "chatbot"]

    shown = await ada.gets("repeat", built["props"]["value"])

    assert BUILT in json.dumps(shown)


@pytest.mark.asvs("3.2.2")
async def test_code_in_a_chat_with_which_an_app_is_built_is_left_out(house: House) -> None:
    ada = await house.signed_in()

    config = (await ada.http.get("/gradio/config")).text

    assert HACKS not in config
    assert BUILT in config
    assert "<b>hi</b>" in config


@pytest.mark.asvs("3.2.2")
async def test_code_in_a_chat_that_an_event_renders_is_left_out(house: House) -> None:
    ada = await house.signed_in()
    [number] = [n for n, fn in house.demo.fns.items() if fn.renderable is not None]
    body = {
        "data": [message({"props": {"js_on_load": HACKS}})],
        "fn_index": number,
        "session_hash": "mine",
    }

    joined = await ada.http.post("/gradio/gradio_api/queue/join", json=body)
    said = json.dumps(await ada.told("mine"))

    assert joined.status_code == 200
    assert "<b>hi</b>" in said
    assert HACKS not in said


@pytest.mark.asvs("3.2.2")
@pytest.mark.parametrize("name", CODE)
async def test_a_figure_is_no_template(name: str, house: House) -> None:
    """It may contain a text of a user."""
    ada = await house.signed_in()
    figure = (await ada.gets("draw"))["plot"]

    shown = await ada.gets("repeat", message({"props": {name: figure}}))

    assert "its own figure" not in json.dumps(shown)


@pytest.mark.asvs("3.2.2")
async def test_a_template_is_code_under_its_own_name_only(house: House) -> None:
    ada = await house.signed_in()
    await ada.gets("show")

    shown = await ada.gets("repeat", message({"props": {"js_on_load": OWN, "head": OWN}}))

    assert json.dumps(shown).count(OWN) == 1


@pytest.mark.asvs("3.2.2")
async def test_a_sample_that_an_event_has_changed_brings_no_code(house: House) -> None:
    ada = await house.signed_in()
    sent = message({"props": {"js_on_load": HACKS}})
    await ada.start("save", sent, tab="mine")
    await ada.told("mine")
    await ada.start("pick", 0, tab="mine")

    picked = json.dumps(await ada.told("mine"))
    again = json.dumps(await ada.gets("repeat", sent))

    assert "<b>hi</b>" in picked
    assert HACKS not in picked
    assert HACKS not in again
