"""A message of a chat that a caller sends brings no script; those of the app itself stay."""

import json
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui.files.chat_code import CODE
from tests.ui.conftest import House, Mounts

HACKS: Final = "fetch('/api/v1/me').then(hack)"
OWN: Final = "element.title = 'of the app'"


def repeats() -> gr.Blocks:
    def shows() -> list[dict[str, Any]]:
        part = gr.HTML("<b>hi</b>", js_on_load=OWN, html_template="<i>${value}</i>")
        return [{"role": "assistant", "content": part}]

    demo = gr.Blocks()
    with demo:
        chat = gr.Chatbot()
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
async def test_callbacks_of_a_callers_figure_are_left_out(house: House) -> None:
    ada = await house.signed_in()
    figure = {"type": "bokeh", "plot": json.dumps({"code": "hack()"}), "chart": None}

    last = await ada.runs("repeat", message({"component": "plot", "value": figure}))

    assert "hack()" not in json.dumps(last)


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
    assert third == again == shown
    assert OWN not in json.dumps(of_bob)
