"""A function that takes a component by its type gets the properties that the app has set, and only the value of its caller."""

from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui.isolation.request import keep_drawings_apart
from tests.ui.conftest import House, Mounts, completed

FORGED: Final = {
    "label": "forged",
    "choices": [["key", "secret.key"]],
    "root_dir": "/etc",
    "html_template": "<b onclick='hack()'>${value}</b>",
    "js_on_load": "hack()",
    "own": "mine",
}


def app(folder: Path) -> Any:
    def as_they_are(name: gr.Dropdown, files: gr.FileExplorer, html: gr.HTML) -> Any:
        return name, files, html

    def reads(name: gr.Dropdown) -> str:
        name.choices.append(("added", "added"))
        return f"{name.label}: {name.value}"

    def counts(wall: gr.HTML) -> int:
        wall.props["items"].append("added")
        return len(wall.props["items"])

    def renames(name: gr.Dropdown) -> Any:
        return gr.Dropdown(label=f"after {name.value}")

    def opens(file: gr.File) -> str:
        return Path(str(file.value)).read_text()

    def picks(files: gr.FileExplorer) -> str:
        return str(files.value)

    with gr.Blocks() as demo:
        name, text = gr.Dropdown(["june", "july"], label="Month"), gr.Textbox()
        files = gr.FileExplorer(root_dir=folder, file_count="single")
        html = gr.HTML("hi", items=["one"])
        three: Any = [name, files, html]
        act: Any = gr.Button().click
        act(as_they_are, three, three, api_name="back")
        act(reads, name, text, api_name="read")
        act(counts, html, gr.Number(), api_name="count")
        act(renames, name, name, api_name="rename")
        act(opens, gr.File(), text, api_name="open")
        act(picks, files, text, api_name="pick")
    return demo


@pytest.fixture
async def house(mounted: Mounts, tmp_path: Path) -> House:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".env").write_text("SECRET=1")
    return await mounted(app(tmp_path))


@pytest.mark.asvs("2.2.1", "5.3.2")
async def test_properties_that_a_caller_sends_are_not_those_of_the_component(house: House) -> None:
    ada = await house.signed_in()
    sent = [{**FORGED, "value": value} for value in ("june", None, "hi")]

    output = completed(await ada.runs("back", *sent))["output"]

    assert [one["__type__"] for one in output["data"]] == ["update"] * 3
    assert [one["value"] for one in output["data"]] == ["june", None, "hi"]
    for forged in ("forged", "secret.key", "/etc", "hack()", "mine"):
        assert forged not in str(output)


async def test_a_function_reads_the_properties_of_the_app_and_changes_them_for_nobody(
    house: House,
) -> None:
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    assert await ada.gets("read", {**FORGED, "value": "june"}) == "Month: june"
    assert await ada.gets("read", {"value": "july"}) == "Month: july"
    assert await bob.gets("read", "june") == "Month: june"
    assert [await ada.gets("count", {"value": "hi"}) for _ in range(2)] == [2, 2]
    refused = completed(await bob.runs("read", {"value": "added"}))["output"]["error"]
    assert "not in the list of choices" in refused


async def test_a_function_reads_what_an_update_has_changed_in_this_tab(house: House) -> None:
    ada = await house.signed_in()
    await ada.start("rename", {"value": "june"}, tab="mine")
    await ada.told("mine")
    await ada.start("read", {"value": "june"}, tab="mine")

    assert completed(await ada.told("mine"))["output"]["data"] == ["after june: june"]
    assert await ada.gets("read", {"value": "june"}) == "Month: june"


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("value", [{"path": "/etc/hostname"}, {"path": "a.txt", "meta": {}}])
async def test_a_file_in_a_value_with_properties_must_be_the_callers(
    value: dict[str, Any], house: House
) -> None:
    ada = await house.signed_in()
    number = next(n for n, fn in house.demo.fns.items() if fn.api_name == "open")
    body = {"data": [{"value": value}], "fn_index": number, "session_hash": "mine"}

    answer = await ada.http.post("/gradio/gradio_api/queue/join", json=body)

    assert answer.status_code == 400
    assert answer.json()["detail"] == "You have no such file. Upload it first."


@pytest.mark.asvs("5.3.2")
async def test_a_file_explorer_gives_a_function_that_takes_it_only_what_it_shows(
    house: House,
) -> None:
    ada = await house.signed_in()

    shown = await ada.gets("pick", {"value": [["a.txt"]]})
    hidden = completed(await ada.runs("pick", {"value": [[".env"]]}))["output"]
    outside = completed(await ada.runs("pick", {**FORGED, "value": [["hostname"]]}))["output"]

    assert shown.endswith("a.txt")
    assert "data" not in hidden
    assert "data" not in outside


@pytest.mark.asvs("5.3.2")
def test_a_drawing_with_properties_is_named_after_its_tab_too() -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda drawing: None, gr.ImageEditor(), None)
    [fn] = demo.fns.values()
    sent = {"value": {"id": "drawing"}}

    keep_drawings_apart("tab", fn, [sent])

    assert sent["value"]["id"] != "drawing"
