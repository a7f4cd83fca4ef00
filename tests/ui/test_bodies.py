"""Bodies of JSON: too much of one is refused before it is parsed, ordinary ones are not, and each value arrives as it is,
by every way to send an event."""

import asyncio
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, cast

import gradio as gr
import httpx
import pytest
from gradio import processing_utils
from gradio.components import Component
from gradio_client import utils as client_utils  # type: ignore[import-untyped]
from starlette.requests import Request

from entrypoints.ui import bodies, walks
from entrypoints.ui.caps import DEEPEST, MODEL_NODES, NODES
from entrypoints.ui.mounting import REPLACED
from tests.ui.attacks import API, FILE_META, index_of, is_problem, joins, opened
from tests.ui.conftest import Browser, House, Mounts, completed

NESTED: Final = {"a": [1, {"b": ["x", None, 2.5]}], "": {}, "c": []}
JSON: Final = {"content-type": "application/json"}


def an_app(got: list[Any]) -> gr.Blocks:
    def keep(value: Any) -> Any:
        got.append(value)
        return value

    def keep_each(values: list[Any]) -> list[list[Any]]:
        got.extend(values)
        return [values]

    def check(value: Any) -> Any:
        got.append(value)
        return gr.validate(is_valid=True, message="")

    def hear(sound: Any, value: Any) -> Any:
        got.append(value)
        return value

    def fn(value: Any) -> Any:
        got.append(value)
        return value

    with gr.Blocks() as demo:
        button, given, out = gr.Button(), gr.JSON(), gr.JSON()
        heard = gr.Textbox()
        button.click(keep, given, out, api_name="keep")
        button.click(keep_each, given, out, api_name="keep_each", batch=True, max_batch_size=4)
        button.click(keep, given, out, api_name="checked", validator=check)
        button.click(gr.cache(keep), given, out, api_name="cached")
        audio = gr.Audio(sources=["microphone"], streaming=True, type="filepath")
        audio.stream(hear, [audio, given], heard, api_name="hear", time_limit=30)
        gr.HTML("", server_functions=[fn])
    return cast("gr.Blocks", demo)


@pytest.fixture
def got() -> list[Any]:
    return []


@pytest.fixture
async def house(mounted: Mounts, got: list[Any]) -> House:
    return await mounted(an_app(got), mcp=True)


@pytest.fixture
async def ada(house: House) -> Browser:
    return await house.signed_in()


def page_function(house: House) -> dict[str, Any]:
    number = next(n for n, b in house.demo.blocks.items() if isinstance(b, gr.HTML))
    return {"component_id": number, "fn_name": "fn", "session_hash": "mine"}


async def posts(browser: Browser, path: str, text: str) -> httpx.Response:
    return await browser.http.post(f"{API}/{path}", content=text.encode(), headers=JSON)


# Too much


def ways_with(house: House, value: str) -> Iterator[tuple[str, str]]:
    """All addresses that take a body of JSON, with the value in it."""
    index, function = index_of(house, "keep"), json.dumps(page_function(house))[:-1]
    yield "queue/join", f'{{"data":[{value}],"fn_index":{index},"session_hash":"mine"}}'
    yield "call/keep", f'{{"data":[{value}]}}'
    yield "call/v2/keep", f'{{"value":{value}}}'
    yield "run/keep", f'{{"data":[{value}]}}'
    yield "api/keep", f'{{"data":[{value}]}}'
    yield "component_server", f'{function},"data":{value}}}'
    yield "cancel", f'{{"event_id":{value},"fn_index":{index}}}'
    yield "reset", f'{{"event_id":{value}}}'
    yield (
        "mcp",
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"keep","arguments":{{"value":{value}}}}}}}',
    )


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize(
    ("value", "status", "says"),
    [
        ("[" + "[]," * (NODES // 2) + "0]", 413, f"{NODES:,} values"),
        ("{" + '"a":0,' * (NODES // 2) + '"b":0}', 413, f"{NODES:,} values"),
        ("[" * DEEPEST + "]" * DEEPEST, 400, "100 levels"),
        ('{"a":' * DEEPEST + "0" + "}" * DEEPEST, 400, "100 levels"),
    ],
    ids=["lists", "names", "deep lists", "deep objects"],
)
async def test_a_body_that_is_too_much_is_refused_wherever_it_is_sent(
    house: House, ada: Browser, got: list[Any], value: str, status: int, says: str
) -> None:
    for path, text in ways_with(house, value):
        answer = await posts(ada, path, text)

        assert is_problem(answer, status), (path, answer.text)
        assert says in answer.json()["detail"], path
    assert got == []


async def test_of_a_stream_that_is_too_much_the_rest_is_not_waited_for() -> None:
    sent = 0

    async def receive() -> Any:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"[]," * 10_000, "more_body": True}

    with pytest.raises(Exception, match="413"):
        await bodies.received(receive)

    assert sent == NODES // 20_000 + 1


def too_many(item: Any) -> list[Any]:
    return [item] * MODEL_NODES


CHECKED: Final[dict[str, tuple[Callable[[], Component], Any]]] = {
    "annotatedimage": (gr.AnnotatedImage, {"image": None, "annotations": too_many({})}),
    "chatbot": (gr.Chatbot, too_many(1)),
    "dialogue": (lambda: gr.Dialogue(speakers=["a"]), too_many("x")),
    "file": (lambda: gr.File(file_count="multiple"), too_many({})),
    "fileexplorer": (gr.FileExplorer, too_many(1)),
    "gallery": (gr.Gallery, too_many([])),
    "highlightedtext": (gr.HighlightedText, too_many({"token": "a"})),
    "imageeditor": (gr.ImageEditor, {"layers": too_many(None)}),
    "imageslider": (gr.ImageSlider, too_many(None)),
    "label": (gr.Label, {"confidences": too_many({})}),
    "multimodaltextbox": (gr.MultimodalTextbox, {"text": "", "files": too_many({})}),
    "uploadbutton": (lambda: gr.UploadButton(file_count="multiple"), too_many({})),
}
"""Components whose data model checks each value of a list."""


@pytest.mark.parametrize("name", CHECKED)
async def test_no_more_values_are_checked_one_by_one_than_is_quick(
    mounted: Mounts, name: str
) -> None:
    component, value = CHECKED[name]
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: "read", component(), gr.Textbox(), api_name="read")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("read", value))

    expected = f"{name.capitalize()} takes at most 50,000 values at a time: send less."
    assert last["output"]["error"] == expected


async def test_a_table_is_looked_at_before_each_of_its_rows_is(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: "read", gr.Dataframe(), gr.Textbox(), api_name="read")
    ada = await (await mounted(demo)).signed_in()

    async def told(**table: Any) -> Any:
        value = {"headers": ["a"], "data": [[1]], "metadata": None} | table
        return completed(await ada.runs("read", value))["output"]

    metadata = {"display_value": [["1"]], "styling": [[""]]}
    assert (await told(metadata=metadata))["data"] == ["read"]
    assert "rows of a table" in (await told(data=too_many(1)))["error"]
    many = {str(number): 1 for number in range(101)}
    assert "kinds of metadata" in (await told(metadata=many))["error"]


def test_each_component_with_a_model_is_judged() -> None:
    plain = {"dataframe", "image", "plot"}
    one_file = {"audio", "model3d", "video"}
    found = {
        name.lower()
        for name in dir(gr)
        if isinstance(kind := getattr(gr, name), type)
        and issubclass(kind, Component)
        and getattr(kind, "data_model", None) is not None
        and kind.__name__ == name
        and not kind.__module__.endswith("templates")
    }

    assert found == (CHECKED.keys() - {"file", "uploadbutton"}) | plain | one_file


# Enough


def table(rows: int, columns: int) -> dict[str, Any]:
    number = Random(5)
    data = [[number.randrange(10**6) for _ in range(columns)] for _ in range(rows)]
    return {"headers": [f"c{n}" for n in range(columns)], "data": data, "metadata": None}


def chat(messages: int) -> list[dict[str, Any]]:
    text = 'She said: "[a, b]" {and} \\ more. ' * 20
    return [
        {
            "role": "assistant" if number % 2 else "user",
            "metadata": None,
            "content": [{"type": "text", "text": f"{number} {text}"}],
            "options": None,
        }
        for number in range(messages)
    ]


def plot() -> dict[str, Any]:
    points = [number / 7 for number in range(50_000)]
    figure = {"data": [{"type": "scatter", "x": points, "y": points, "name": '"[{,}]"'}]}
    return {"type": "plotly", "plot": json.dumps(figure)}


@pytest.mark.parametrize(
    ("component", "value", "size"),
    [
        (gr.Dataframe, table(20_000, 10), 200_000),
        (gr.Dataframe, table(200_000, 1), 200_000),
        (gr.Dataframe, table(1, 200_000), 200_000),
        (gr.Textbox, "QUJD" * 2_621_400, 10_485_600),
        (gr.Textbox, '[,]{:}"\\' * 1_000_000, 8_000_000),
        (gr.Chatbot, chat(500), 500),
        (gr.Textbox, plot()["plot"], len(plot()["plot"])),
        (gr.Plot, plot(), None),
        (gr.JSON, [list(range(1000))] * 400, 400_000),
    ],
    ids=[
        *("table", "long table", "wide table", "10 MB of base64", "text of brackets"),
        *("chat", "figure as text", "figure", "matrix"),
    ],
)
async def test_ordinary_values_of_every_size_pass(
    mounted: Mounts, component: Any, value: Any, size: int | None
) -> None:
    kept: list[Any] = []

    def measure(value: Any) -> int | None:
        kept.append(value)
        if isinstance(value, str) or component is gr.Chatbot:
            return len(value)
        if component is gr.Dataframe:
            return int(value.size)
        return sum(map(len, value)) if isinstance(value, list) else None

    with gr.Blocks() as demo:
        gr.Button().click(measure, component(), gr.Number(), api_name="measure")
    ada = await (await mounted(demo)).signed_in()

    assert await ada.gets("measure", value) == size
    assert len(kept) == 1


async def test_a_large_table_comes_back_as_it_was_sent(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        given, out = gr.Dataframe(type="array"), gr.Dataframe()
        gr.Button().click(lambda value: value, given, out, api_name="echo")
    ada = await (await mounted(demo)).signed_in()
    sent = table(2_000, 10)

    assert (await ada.gets("echo", sent))["data"] == sent["data"]


# As it is


@pytest.mark.parametrize("value", [NESTED, [NESTED, []], None, {}, []], ids=str)
async def test_by_every_way_a_value_arrives_as_it_was_sent(
    house: House, ada: Browser, got: list[Any], value: Any
) -> None:
    for api_name, times in (("keep", 1), ("keep_each", 1), ("checked", 2), ("cached", 1)):
        told = [await joined(house, ada, api_name, value), await called(ada, api_name, value)]
        if api_name == "keep":
            told.append(await called(ada, "v2/keep", {"value": value}))
            for path in ("run/keep", "api/keep"):
                told += (await posts(ada, path, json.dumps({"data": [value]}))).json()["data"]
        if api_name == "cached":  # Its second run is the first one's answer.
            got.append(value)
        assert told == [value] * len(told), api_name
        assert got == [value] * len(told) * times, api_name
        got.clear()


async def joined(house: House, browser: Browser, api_name: str, value: Any) -> Any:
    await joins(browser, house, api_name, value, tab=api_name)
    return completed(await browser.told(api_name))["output"]["data"][0]


async def called(browser: Browser, path: str, value: Any) -> Any:
    body = value if path.startswith("v2/") else {"data": [value]}
    answer = await posts(browser, f"call/{path}", json.dumps(body))
    event_id = answer.json()["event_id"]
    stream = (await browser.http.get(f"{API}/call/{path}/{event_id}")).text
    assert "event: complete" in stream, stream
    return json.loads(stream.rpartition("data: ")[2])[0]


async def test_two_in_one_batch_get_each_their_own_value(
    house: House, ada: Browser, got: list[Any]
) -> None:
    bob = await house.signed_in("bob@example.org")

    await asyncio.gather(
        joins(ada, house, "keep_each", {"of": ["Ada"]}, tab="mine"),
        joins(bob, house, "keep_each", {"of": ["Bob"]}, tab="his"),
    )

    assert completed(await ada.told("mine"))["output"]["data"] == [{"of": ["Ada"]}]
    assert completed(await bob.told("his"))["output"]["data"] == [{"of": ["Bob"]}]
    assert {type(value) for value in got} == {dict}


async def test_what_is_streamed_to_an_event_arrives_as_it_was_sent(
    house: House, ada: Browser, got: list[Any]
) -> None:
    event_id = await joins(ada, house, "hear", None, NESTED, tab="mine")

    async with opened(house, ada, f"{API}/queue/data", "session_hash=mine") as stream:
        await until("process_streaming", stream)
        more = {"data": [None, [NESTED]], "session_hash": "mine"}
        await ada.http.post(f"{API}/stream/{event_id}", json=more)
        await until("[{'a'", stream)
        await ada.http.post(f"{API}/stream/{event_id}/close")
        await until("process_completed", stream)

    assert got == [NESTED, [NESTED]]


async def until(word: str, stream: Any) -> None:
    while word not in stream.text:
        stream.has_said.clear()
        await asyncio.wait_for(stream.has_said.wait(), 10)


async def test_a_function_of_the_page_gets_the_value_as_it_was_sent(
    house: House, ada: Browser, got: list[Any]
) -> None:
    answer = await posts(
        ada, "component_server", json.dumps({**page_function(house), "data": NESTED})
    )

    assert (answer.json(), got) == (NESTED, [NESTED])


# What is replaced of Gradio


async def test_after_a_service_libraries_are_as_they_were_before(mounted: Mounts) -> None:
    before = [getattr(each.owner, each.name) for each in REPLACED]
    assert {each.__module__.partition(".")[0] for each in before} <= {
        *("starlette", "gradio", "gradio_client", "PIL")
    }

    with gr.Blocks() as demo:
        gr.Textbox()
    await mounted(demo)
    during = [getattr(each.owner, each.name) for each in REPLACED]
    await mounted.closing.aclose()

    assert not set(before) & set(during)
    assert [getattr(each.owner, each.name) for each in REPLACED] == before


async def test_a_body_that_nobody_has_read_is_parsed_as_ever(house: House) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"a": 1}', "more_body": False}

    assert house
    assert await Request({"type": "http", "headers": []}, receive).json() == {"a": 1}


def files_and_values() -> list[Any]:
    file = {"path": "/x/a.txt", "url": "/gradio_api/file=/x/a.txt", "meta": FILE_META}
    away = {**file, "url": "https://example.org/a.txt"}
    return [
        *(1, "a", None, [], {}, [1, "a"], {"a": 1}, (1, (2,))),
        {"value": dict(file), "more": [dict(away), {"in": (dict(file),)}], "path": "no file"},
        [[dict(file)], [[dict(file), 3]], {"path": 3, "url": "/x"}],
        list(range(walks.AT_ONCE * 2)),
        [[number, {"n": number}] for number in range(walks.AT_ONCE)],
    ]


async def test_files_are_found_and_values_copied_as_by_gradio() -> None:
    async def change(file: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"changed": file}

    is_file = client_utils.is_file_obj_with_meta
    ours = walks.TRAVERSING.by(client_utils.async_traverse)
    for value in (*files_and_values(), files_and_values()):
        copied = await ours(value, change, is_file)

        assert copied == await client_utils.async_traverse(value, change, is_file)
        if isinstance(value, list | dict) and value:
            assert copied is not value
    rows: list[Any] = [[1], [[2]]]
    (first, second) = await ours(rows, change, is_file)
    assert first is not rows[0]
    assert second[0] is not rows[1][0]
    texts = await ours(["a", "b"], change, lambda item: item == "b")
    assert texts == ["a", {"changed": "b"}]


def test_addresses_of_files_are_completed_as_by_gradio() -> None:
    ours = walks.NAMING.by(processing_utils.add_root_url)
    for before in (None, "/gradio_api"):
        expected = processing_utils.add_root_url(files_and_values(), "http://here", before)
        found = ours(files_and_values(), "http://here", before)

        assert json.dumps(found) == json.dumps(expected)
        assert "http://here" in json.dumps(found)
    config = {"components": files_and_values()}
    assert ours(config, "http://here", None)["components"] is not config["components"]


async def test_others_get_their_turn_while_a_large_value_is_copied() -> None:
    turns, is_done = 0, False

    async def other() -> None:
        nonlocal turns
        while not is_done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    ours = walks.TRAVERSING.by(client_utils.async_traverse)
    await ours([[n] for n in range(200_000)], None, client_utils.is_file_obj_with_meta)
    is_done = True
    await task

    assert turns >= 400_000 // walks.AT_ONCE
