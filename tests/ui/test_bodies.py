"""JSON bodies: an excessive body is refused before it is parsed, ordinary bodies pass, and each
value arrives unchanged, on every way to send an event."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any, Final, cast

import gradio as gr
import httpx
import pytest
from gradio import processing_utils
from gradio.components import Component
from gradio_client import utils as client_utils  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.requests import Request

from entrypoints.ui.files.chat_code import note_code
from entrypoints.ui.limits import CHOSEN, COLUMNS, DEEPEST, LONGEST_DATE, MODEL_NODES, NODES
from entrypoints.ui.mounting import REPLACED
from entrypoints.ui.wire import json_bodies, value_walks
from entrypoints.ui.wire.json_scan import SLICE
from entrypoints.ui.wire.large_bodies import LargeBodies
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


# Excessive bodies


def ways_with(house: House, value: str) -> Iterator[tuple[str, str]]:
    """Yield each address that takes a JSON body, with a body that contains the value."""
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
async def test_an_excessive_body_is_refused_on_every_address(
    house: House, ada: Browser, got: list[Any], value: str, status: int, says: str
) -> None:
    for path, text in ways_with(house, value):
        answer = await posts(ada, path, text)

        assert is_problem(answer, status), (path, answer.text)
        assert says in answer.json()["detail"], path
    assert got == []


async def test_an_excessive_stream_is_refused_before_it_has_arrived_in_full() -> None:
    sent = 0

    async def receive() -> Any:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"[]," * 10_000, "more_body": True}

    with pytest.raises(Exception, match="413"):
        await json_bodies.received(receive, LargeBodies())

    assert sent == NODES // 20_000 + 1


@pytest.mark.parametrize(
    ("chunks", "turns"),
    [([8 * SLICE], 7), ([SLICE - 1, SLICE - 1], 1)],
    ids=["while it is counted", "once it is parsed"],
)
async def test_waiting_input_is_handled_between_the_steps_of_a_large_body(
    chunks: list[int], turns: int
) -> None:
    arrivals, text = 0, b'{"a":"' + b"x" * (sum(chunks) - 8) + b'"}'

    async def receive() -> Any:
        nonlocal text
        body, text = text[: chunks[0]], text[chunks[0] :]
        return {"type": "http.request", "body": body, "more_body": bool(text)}

    def arrive() -> None:
        nonlocal arrivals
        arrivals += 1  # The byte is not read, so that the callback runs at each turn of the loop.

    there, here = socket.socketpair()
    with there, here:
        there.send(b"x")
        asyncio.get_running_loop().add_reader(here, arrive)
        try:
            await json_bodies.received(receive, LargeBodies())
        finally:
            asyncio.get_running_loop().remove_reader(here)

    assert arrivals >= turns


async def test_the_large_bodies_of_one_account_leave_half_of_the_time_to_others() -> None:
    large, begun, ended = LargeBodies(), [], []

    async def works() -> None:
        async with large.step(at=SLICE):
            begun.append(time.monotonic())
            time.sleep(0.02)  # noqa: ASYNC251 -- A parser holds the event loop, too.
            ended.append(time.monotonic())

    await asyncio.gather(*(works() for _ in range(4)))

    pauses = [later - end for end, later in zip(ended, begun[1:], strict=False)]
    assert len(pauses) == 3
    assert min(pauses) >= 0.02


async def test_a_small_body_does_not_wait_for_a_large_one_of_its_account() -> None:
    large = LargeBodies()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async with large.step(at=SLICE):
        async with asyncio.timeout(1):
            assert (await json_bodies.received(receive, large)).body == {}


async def test_values_that_no_input_takes_are_refused_before_gradio_looks_at_their_names(
    house: House, ada: Browser, got: list[Any]
) -> None:
    answer = await posts(ada, "call/v2/keep", '{"value": 1, "a": 2, "b": 3}')

    assert is_problem(answer, 400)
    assert answer.json()["detail"] == "This event takes 1 inputs, not 3."
    assert got == []


@pytest.mark.parametrize(
    "read", [lambda receive: json_bodies.received(receive, LargeBodies()), json_bodies.whole]
)
async def test_a_body_is_not_parsed_when_its_client_leaves_in_the_middle(read: Any) -> None:
    messages = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b'{"data": []}', "more_body": True},
    ]

    async def receive() -> Any:
        return messages.pop()

    with pytest.raises(HTTPException) as refused:
        await read(receive)

    assert (refused.value.status_code, refused.value.detail) == (400, "The request broke off.")


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"text"', b"null", b"true"])
def test_a_body_that_is_not_an_object_is_refused_with_the_reason(raw: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        json_bodies.read_json(raw)

    assert refused.value.status_code == 400
    assert refused.value.detail == "The body is not a JSON object."


def test_a_number_is_an_integer_that_a_browser_keeps_exactly() -> None:
    assert all(map(json_bodies.is_number, (0, -1, 2**53 - 1)))
    assert not any(map(json_bodies.is_number, (True, 1.0, "1", None, 2**53, -(2**53))))


async def test_a_request_with_a_replaced_body_keeps_its_headers_and_still_hears_its_client_leave() -> (
    None
):
    sent = [
        (b"host", b"localhost"),
        (b"content-length", b"3"),
        (b"content-type", b"text/plain"),
        (b"transfer-encoding", b"chunked"),
    ]

    async def later() -> Any:
        return {"type": "http.disconnect", "by": "the client"}

    scope, once = json_bodies.replaced({"headers": sent}, b"[1]  ", b"application/json")
    receive = json_bodies.followed_by(once, later)

    assert sorted(scope["headers"]) == [
        (b"content-length", b"5"),
        (b"content-type", b"application/json"),
        (b"host", b"localhost"),
    ]
    assert await receive() == {"type": "http.request", "body": b"[1]  ", "more_body": False}
    assert await receive() == {"type": "http.disconnect", "by": "the client"}


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
async def test_a_value_with_too_many_items_to_check_is_refused(mounted: Mounts, name: str) -> None:
    component, value = CHECKED[name]
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: "read", component(), gr.Textbox(), api_name="read")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("read", value))

    expected = f"{name.capitalize()} takes at most 50,000 values at a time: send less."
    assert last["output"]["error"] == expected


async def test_a_value_with_too_many_items_to_check_is_refused_in_a_batch(mounted: Mounts) -> None:
    def read(chats: list[Any]) -> list[list[str]]:
        return [["read"] * len(chats)]

    with gr.Blocks() as demo:
        gr.Button().click(
            read, gr.Chatbot(), gr.Textbox(), api_name="read", batch=True, max_batch_size=4
        )
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("read", too_many(1)))

    assert last["output"]["error"] == "Chatbot takes at most 50,000 values at a time: send less."
    assert await ada.gets("read", []) == "read"


async def test_a_table_is_checked_before_its_rows(mounted: Mounts) -> None:
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
    wide = [1] * (COLUMNS + 1)
    assert (await told(data=[[1], wide]))["error"] == "A table has at most 16,384 columns."
    assert "at most 16,384 columns" in (await told(headers=wide, data=[]))["error"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: gr.Dropdown(["a", "b"], multiselect=True),
        lambda: gr.CheckboxGroup(["a", "b"]),
    ],
)
async def test_more_values_than_anybody_chooses_are_refused(
    mounted: Mounts, make: Callable[[], Component]
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(len, make(), gr.Number(), api_name="count")
    ada = await (await mounted(demo)).signed_in()

    counted = await ada.gets("count", ["b"] * CHOSEN)
    refused = completed(await ada.runs("count", ["b"] * (CHOSEN + 1)))

    assert counted == CHOSEN
    assert refused["output"]["error"] == "At most 10,000 values can be chosen at a time."


async def test_a_date_that_is_longer_than_any_date_is_refused(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        for kind in ("timestamp", "datetime", "string"):
            date = gr.DateTime(type=kind)
            gr.Button().click(lambda _: "read", date, gr.Textbox(), api_name=kind)
    ada = await (await mounted(demo)).signed_in()
    long = "now" + " " * LONGEST_DATE + "x"

    for kind in ("timestamp", "datetime", "string"):
        refused = completed(await ada.runs(kind, long))

        assert refused["output"]["error"] == "A date has at most 100 characters."
        assert await ada.gets(kind, "now - 5d") == "read"


def test_each_component_with_a_data_model_has_a_verdict() -> None:
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


# Ordinary bodies


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
        (gr.Dataframe, table(12, COLUMNS), 12 * COLUMNS),
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
    note_code(value)  # An app takes a figure that it has drawn.

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


async def test_a_large_table_is_returned_unchanged(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        given, out = gr.Dataframe(type="array"), gr.Dataframe()
        gr.Button().click(lambda value: value, given, out, api_name="echo")
    ada = await (await mounted(demo)).signed_in()
    sent = table(2_000, 10)

    assert (await ada.gets("echo", sent))["data"] == sent["data"]


# Values stay unchanged


@pytest.mark.parametrize("value", [NESTED, [NESTED, []], None, {}, []], ids=str)
async def test_a_value_arrives_unchanged_on_every_way_to_send_it(
    house: House, ada: Browser, got: list[Any], value: Any
) -> None:
    for api_name, times in (("keep", 1), ("keep_each", 1), ("checked", 2), ("cached", 1)):
        told = [await joined(house, ada, api_name, value), await called(ada, api_name, value)]
        if api_name == "keep":
            told.append(await called(ada, "v2/keep", {"value": value}))
            for path in ("run/keep", "api/keep"):
                told += (await posts(ada, path, json.dumps({"data": [value]}))).json()["data"]
        if api_name == "cached":  # Its second run returns the cached result of the first.
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


async def test_two_callers_in_one_batch_get_their_own_values(
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


async def test_values_streamed_to_an_event_arrive_unchanged(
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


async def test_a_server_function_gets_its_value_unchanged(
    house: House, ada: Browser, got: list[Any]
) -> None:
    answer = await posts(
        ada, "component_server", json.dumps({**page_function(house), "data": NESTED})
    )

    assert (answer.json(), got) == (NESTED, [NESTED])


# Replaced parts of Gradio


async def test_the_replaced_parts_of_libraries_are_restored_after_a_service(
    mounted: Mounts,
) -> None:
    before = [getattr(each.owner, each.name) for each in REPLACED]
    owners = [each.owner for each in REPLACED]
    modules = [getattr(owner, "__module__", None) or owner.__name__ for owner in owners]
    assert {module.partition(".")[0] for module in modules} <= {
        *("starlette", "gradio", "gradio_client", "PIL", "anyio", "subprocess", "safehttpx")
    }

    with gr.Blocks() as demo:
        gr.Textbox()
    await mounted(demo)
    during = [getattr(each.owner, each.name) for each in REPLACED]
    await mounted.closing.aclose()

    assert not set(before) & set(during)
    assert [getattr(each.owner, each.name) for each in REPLACED] == before


async def test_a_body_that_the_service_has_not_read_is_parsed_as_usual(house: House) -> None:
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
        list(range(value_walks.AT_ONCE * 2)),
        [[number, {"n": number}] for number in range(value_walks.AT_ONCE)],
    ]


async def test_files_are_found_and_values_copied_like_in_gradio() -> None:
    async def change(file: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"changed": file}

    is_file = client_utils.is_file_obj_with_meta
    ours = value_walks.TRAVERSING.by(client_utils.async_traverse)
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


def test_the_urls_of_files_are_completed_like_in_gradio() -> None:
    ours = value_walks.NAMING.by(processing_utils.add_root_url)
    for before in (None, "/gradio_api"):
        expected = processing_utils.add_root_url(files_and_values(), "http://here", before)
        found = ours(files_and_values(), "http://here", before)

        assert json.dumps(found) == json.dumps(expected)
        assert "http://here" in json.dumps(found)
    config = {"components": files_and_values()}
    assert ours(config, "http://here", None)["components"] is not config["components"]


async def test_other_tasks_run_while_a_large_value_is_copied() -> None:
    turns, is_done = 0, False

    async def other() -> None:
        nonlocal turns
        while not is_done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    ours = value_walks.TRAVERSING.by(client_utils.async_traverse)
    await ours([[n] for n in range(200_000)], None, client_utils.is_file_obj_with_meta)
    is_done = True
    await task

    assert turns >= 400_000 // value_walks.AT_ONCE


@pytest.mark.parametrize(
    ("path", "has_length"), [("queue/join", True), ("queue/join", False), ("invented", True)]
)
async def test_a_body_over_the_limit_is_told_the_limit_and_its_setting(
    mounted: Mounts, path: str, *, has_length: bool
) -> None:
    house = await mounted(gr.Blocks(), body_limit_mb=1)
    ada = await house.signed_in()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 700_000

    content = b" " * 2_100_000 if has_length else pieces()
    response = await ada.http.post(f"{API}/{path}", content=content)

    assert response.status_code == 413
    assert "which is 1 MB." in response.json()["detail"]
    assert "GRADIOAPP_BODY_LIMIT_MB" in response.json()["detail"]


async def test_an_upload_over_the_limit_is_told_the_limit_and_its_setting(mounted: Mounts) -> None:
    house = await mounted(gr.Blocks(), upload_limit_mb=1)
    ada = await house.signed_in()

    response = await ada.http.post(f"{API}/upload", files={"files": b"a" * 2_000_000})

    assert response.status_code == 413
    assert "GRADIOAPP_UPLOAD_LIMIT_MB" in response.json()["detail"]
