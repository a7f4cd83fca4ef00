"""Only what the app's code has made is an update: a value of a caller that looks like one changes no component."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import gradio as gr
import pytest
from gradio import skip, update

from tests.ui.attacks import API, index_of
from tests.ui.conftest import Browser, House, Mounts, completed

CHOICES: Final = ["june.txt", "july.txt"]
FORGED: Final = {"__type__": "update", "choices": ["secret.key"], "value": "secret.key"}
MARKS: Final[list[Any]] = ["update", "xupdatex", ["update"], "generic_update"]


def reports() -> gr.Blocks:
    demo = gr.Blocks()
    with demo:
        name = gr.Dropdown(CHOICES)
        radio, text = gr.Radio(CHOICES), gr.Textbox()
        saved, free, table = gr.BrowserState({}), gr.JSON(), gr.Dataframe(type="array")
        act: Any = gr.Button().click
        act(lambda value: value["last"], saved, name, api_name="browser")
        act(lambda value: value["last"], free, name, api_name="free")
        act(lambda value: value["last"], free, radio, api_name="radio")
        act(lambda rows: rows[0][0], table, name, api_name="cell")
        act(lambda said: json.loads(said)["last"], text, name, api_name="parsed")
        act(lambda value: (value["last"], "x"), free, [name, text], api_name="two")
        act(lambda value: {name: value["last"]}, free, [name, text], api_name="named")
        act(lambda values: [[v["last"] for v in values]], free, name, api_name="batch", batch=True)
        act(lambda value: value, name, text, api_name="read")
        act(lambda value: value, radio, text, api_name="read_radio")
        table.select(chosen, None, name, api_name="select")
        act(lambda: update(choices=["own.txt"], value="own.txt"), None, name, api_name="own")
        act(lambda: gr.Dropdown(["made.txt"]), None, name, api_name="made")
        act(lambda: (skip(), gr.skip()), None, [name, text], api_name="skips")
        act(lambda said: said, text, free, api_name="shown")
        act(lambda said: said, text, free, api_name="shown_in_batch", batch=True)
        act(json.loads, text, free, api_name="raw", postprocess=False)
        act(lambda said: json.loads(said, object_hook=as_namespace), text, name, api_name="space")
        act(changes, name, name, api_name="by_type")
    return demo


def as_namespace(members: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**members)


def changes(name: gr.Dropdown) -> Any:
    name.label = "changed"
    return name


def chosen(event: gr.SelectData) -> Any:
    return event.value


def table(cell: Any) -> dict[str, Any]:
    return {"headers": ["a"], "data": [[cell]], "metadata": None}


WAYS: Final[dict[str, Callable[[Any], Any]]] = {
    "browser": lambda forged: {"last": forged},
    "free": lambda forged: {"last": forged},
    "radio": lambda forged: {"last": forged},
    "cell": table,
    "parsed": lambda forged: json.dumps({"last": forged}),
    "two": lambda forged: {"last": forged},
    "named": lambda forged: {"last": forged},
    "batch": lambda forged: {"last": forged},
}


@pytest.fixture
async def house(mounted: Mounts) -> House:
    return await mounted(reports())


async def reads(browser: Browser, name: str, event: str = "read") -> Any:
    """Return what an event that takes the choice in the tab `mine` gets, or its refusal."""
    await browser.start(event, name, tab="mine")
    output = completed(await browser.told("mine"))["output"]
    return output.get("data", [output.get("error")])[0]


@pytest.mark.asvs("2.2.1", "5.3.2")
@pytest.mark.parametrize("mark", MARKS, ids=str)
@pytest.mark.parametrize("way", WAYS)
async def test_a_value_that_looks_like_an_update_changes_no_component(
    way: str, mark: Any, house: House
) -> None:
    ada = await house.signed_in()
    await ada.start(way, WAYS[way]({**FORGED, "__type__": mark}), tab="mine")
    await ada.told("mine")

    said = await reads(ada, "secret.key", "read_radio" if way == "radio" else "read")

    assert "not in the list of choices" in said


@pytest.mark.asvs("2.2.1", "5.3.2")
async def test_the_data_of_an_event_changes_no_component(house: House) -> None:
    ada = await house.signed_in()
    body = {
        "data": [],
        "fn_index": index_of(house, "select"),
        "session_hash": "mine",
        "event_data": {"index": [0, 0], "value": FORGED},
    }
    await ada.http.post(f"{API}/queue/join", json=body)
    await ada.told("mine")

    assert "not in the list of choices" in await reads(ada, "secret.key")


@pytest.mark.parametrize(("way", "name"), [("own", "own.txt"), ("made", "made.txt")])
async def test_an_update_of_the_app_changes_its_component(
    way: str, name: str, house: House
) -> None:
    ada = await house.signed_in()
    await ada.start(way, tab="mine")
    await ada.told("mine")

    assert await reads(ada, name) == name
    assert "not in the list of choices" in await reads(ada, "june.txt")


async def test_a_skipped_output_stays_as_it_is(house: House) -> None:
    ada = await house.signed_in()

    output = completed(await ada.runs("skips"))["output"]

    assert output["data"] == [{"__type__": "update"}, {"__type__": "update"}]


@pytest.mark.asvs("2.2.1", "5.3.2")
@pytest.mark.parametrize("api_name", ["shown", "shown_in_batch", "raw", "space"])
async def test_a_text_that_becomes_an_update_is_none_for_the_page(
    api_name: str, house: House
) -> None:
    """gr.JSON reads the text after the function has returned it."""
    ada = await house.signed_in()
    forged = {**FORGED, "_is_component_update": True, "label": "forged"}

    output = completed(await ada.runs(api_name, json.dumps(forged)))["output"]

    assert output.get("error") or output["data"][0].get("__type__") != "update", output


async def test_a_function_may_change_a_component_that_it_takes_by_its_type(house: House) -> None:
    ada = await house.signed_in()

    made = await ada.gets("by_type", "june.txt")

    assert made["__type__"] == "update"
    assert made["label"] == "changed"
