"""A gr.Workflow serves the app that its author has drawn, and no model, file or address that a visitor names."""

import json
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from entrypoints.ui.files.workflows import NOT_FOR_VISITORS
from tests.ui.attacks import API
from tests.ui.conftest import Browser, House, Mounts, completed

HARMLESS: Final = {
    *("get_write_access", "get_oauth_available", "get_oauth_scopes", "get_space_id"),
    *("get_workflow_key", "get_app_version", "get_workflow_api", "list_bound_fns", "save_workflow"),
}
REFUSED: Final = {
    *("get_token", "record_workflow_run", "call_space", "call_model", "fetch_dataset"),
    *("search_spaces", "search_models", "search_datasets", "search_quick", "resolve_repo"),
    *("is_curated", "curated_modalities", "curated_modality_tasks", "get_dataset_schema"),
    "get_model_endpoints",
}
"""Functions of Gradio 6.31's canvas. A new one fails the test until somebody has judged it."""


def shout(text: str) -> str:
    return text.upper()


@pytest.fixture
async def house(mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="beta"):
        demo = gr.Workflow(bind=[shout])
    return await mounted(demo)


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def canvas(house: House) -> tuple[int, Any]:
    return next(
        (number, block)
        for number, block in house.demo.blocks.items()
        if isinstance(block, gr.WorkflowCanvas)
    )


async def calls(house: House, browser: Browser, name: str, *data: Any) -> Any:
    body = {"component_id": canvas(house)[0], "fn_name": name, "data": data, "session_hash": "mine"}
    return await browser.http.post(f"{API}/component_server", json=body)


async def test_every_function_of_the_canvas_is_judged(house: House) -> None:
    names = {fn.__name__ for fn in canvas(house)[1].server_fns}

    assert names == HARMLESS | REFUSED


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_a_function_that_calls_what_a_visitor_names_is_refused(
    name: str, house: House
) -> None:
    model = {"image": "gradioapp-data/secret.key", "model": "http://127.0.0.1:1/x"}
    ada = await house.signed_in()

    answer = await calls(house, ada, name, "a/b", "image-classification", json.dumps(model))

    assert (answer.status_code, answer.json()["detail"]) == (403, NOT_FOR_VISITORS)


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize("way", ["run", "call", "api", "call/v2", "queue/join"])
async def test_no_event_calls_a_space_that_a_visitor_names(way: str, house: House) -> None:
    ada = await house.signed_in()
    said = json.dumps(["a/b", "/predict", "[]"])
    index = next(i for i, fn in house.demo.fns.items() if fn.api_name == "call_space")
    bodies = {
        "queue/join": {"data": [said], "fn_index": index, "session_hash": "mine"},
        "call/v2": {"data_json": said},
    }

    path = way if way == "queue/join" else f"{way}/call_space"
    answer = await ada.http.post(f"{API}/{path}", json=bodies.get(way, {"data": [said]}))

    assert (answer.status_code, answer.json()["detail"]) == (403, NOT_FOR_VISITORS)


async def test_the_functions_of_the_author_run(house: House) -> None:
    ada = await house.signed_in()
    name = next(
        str(fn.api_name)
        for fn in house.demo.fns.values()
        if str(fn.api_name).startswith("predict_fn")
    )

    assert json.loads(await ada.gets(name, '["hi"]')) == ["HI"]
    assert (await calls(house, ada, "list_bound_fns")).status_code == 200


EVENTS: Final = {"_load_initial", "call_space_queued", "wrapper"}
"""Functions of the events that Gradio 6.31's canvas has: one is refused, and the last calls the author's functions."""


async def test_every_event_of_the_canvas_is_judged(house: House) -> None:
    fns: list[Any] = [fn.fn for fn in house.demo.fns.values()]

    assert {fn.__name__ for fn in fns if fn.__module__ == "gradio.workflow"} == EVENTS


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("way", ["run", "call", "queue/join"])
@pytest.mark.parametrize(
    "said",
    [
        '[{{"path": "{}"}}]',
        '[{{"p\\u0061th": "{}"}}]',
        '[{{"image": [{{"path": "{}", "meta": {{"_type": "gradio.FileData"}}}}]}}]',
        '[{{"files": {{"{}": 1}}}}]',
        '[{{"path": 3}}]',
    ],
)
async def test_no_function_of_the_author_gets_somebody_elses_file_in_a_text(
    said: str, way: str, mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    def describe(image: Any) -> str:
        got.append(image)
        return "described"

    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("of the author")
    with pytest.warns(UserWarning, match="beta"):
        demo = gr.Workflow(bind=[describe])
    house = await mounted(demo)
    ada = await house.signed_in()
    text = said.format(tmp_path / "notes.txt")

    if way == "queue/join":
        output = completed(await ada.runs("predict_fn_describe", text))["output"]
    else:
        path = f"{API}/{way}/predict_fn_describe"
        answer = await ada.http.post(path, json={"data": [text]})
        output = answer.json()
        if "event_id" in output:
            output = (await ada.http.get(f"{path}/{output['event_id']}")).text

    assert "no such file" in str(output)
    assert got == []


async def test_nobody_saves_the_workflow_without_the_authors_link(house: House) -> None:
    ada = await house.signed_in()
    before = files()

    answer = await calls(house, ada, "save_workflow", json.dumps({"schema_version": "2"}))

    assert "Write access required" in answer.text
    assert files() == before
