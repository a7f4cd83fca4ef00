"""Inputs may name only files of their sender: for every component, every way to send an event and
every spelling of a file."""

import asyncio
import importlib.util
import os
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import gradio as gr
import PIL.Image
import pytest
from gradio import processing_utils
from gradio.blocks import Block
from gradio.components.base import Component

from entrypoints.ui.files import named_files
from tests.ui.attacks import API, FILE_META, index_of, uploads
from tests.ui.conftest import Browser, House, Mounts, completed

Shape = Callable[[Any], Any]
"""Build the value of a component from a file."""


def _in_itself(file: Any) -> Any:
    return file


def _in_a_list(file: Any) -> Any:
    return [file]


def _in_a_message(file: Any) -> Any:
    return [{"role": "user", "content": [{"type": "file", "file": file}]}]


def _in_a_component(name: str, **arguments: Any) -> Shape:
    def shape(file: Any) -> Any:
        return [
            {
                "role": "user",
                "content": [
                    {
                        "type": "component",
                        "component": name,
                        "value": [file] if name in {"file", "gallery"} else file,
                        "constructor_args": arguments,
                        "props": {},
                    }
                ],
            }
        ]

    return shape


def _in_a_picture(file: Any) -> Any:
    return {"image": file, "annotations": [{"image": file, "label": "x"}]}


def _in_layers(file: Any) -> Any:
    return {"background": file, "layers": [file], "composite": file, "id": None}


_ANYWHERE: Final[Sequence[Shape]] = (_in_itself, _in_a_list, lambda file: {"value": [{"a": file}]})

READ_AS_FILES: Final[Mapping[str, Sequence[Shape]]] = {
    "AnnotatedImage": [_in_a_picture],
    "Audio": [_in_itself],
    "Chatbot": [
        _in_a_message,
        _in_a_component("image"),
        _in_a_component("file"),
        _in_a_component("gallery"),
        _in_a_component("video"),
    ],
    "DownloadButton": [_in_itself],
    "File": [_in_itself, _in_a_list],
    "Files": [_in_a_list],
    "Gallery": [
        lambda file: [{"image": file, "caption": None}],
        lambda file: [{"video": file, "caption": "x"}],
    ],
    "Image": [_in_itself],
    "ImageEditor": [_in_layers],
    "ImageMask": [_in_layers],
    "ImageSlider": [lambda file: [file, file], lambda file: [None, file]],
    "Mic": [_in_itself],
    "Microphone": [_in_itself],
    "Model3D": [_in_itself],
    "MultimodalTextbox": [lambda file: {"text": "", "files": [file]}],
    "Paint": [_in_layers],
    "PlayableVideo": [_in_itself],
    "Sketchpad": [_in_layers],
    "UploadButton": [_in_itself, _in_a_list],
    "Video": [_in_itself],
}
"""Components of Gradio 6.31 that are sent files, and where in their values."""

READ_NO_FILES: Final = frozenset(
    {
        *("BarPlot", "Button", "Checkbox", "CheckboxGroup", "ClearButton", "Code", "ColorPicker"),
        *("DataFrame", "Dataframe", "Dataset", "DateTime", "DeepLinkButton", "Dialogue"),
        *("Dropdown", "DuplicateButton", "FileExplorer", "HTML", "Highlight", "HighlightedText"),
        *("Label", "LinePlot", "List", "LoginButton", "Markdown", "Matrix", "Navbar", "Number"),
        *("Numpy", "Plot", "Radio", "ScatterPlot", "Slider", "Text", "TextArea", "Textbox"),
        *("Timer", "WorkflowCanvas"),
    }
)
"""Components that take no file. A file in their value is not theirs to read."""

HAND_JSON_ON: Final = frozenset({"BrowserState", "JSON", "ParamViewer", "State"})

ALIASES: Final = frozenset(
    {"Annotatedimage", "Checkboxgroup", "Highlightedtext", "Json", "Component"}
)
"""Other names of the same classes, and their base class."""


def components_of_gradio() -> dict[str, type[Component]]:
    return {
        name: kind
        for name, kind in vars(gr).items()
        if isinstance(kind, type) and issubclass(kind, Component) and name not in ALIASES
    }


def test_every_component_of_gradio_has_a_verdict() -> None:
    judged = {*READ_AS_FILES, *READ_NO_FILES, *HAND_JSON_ON}

    assert set(components_of_gradio()) == judged


def test_only_known_components_hand_json_on() -> None:
    handed_on = {
        name
        for name, kind in components_of_gradio().items()
        if named_files.hands_json_on(made(kind))
    }

    assert handed_on == HAND_JSON_ON


def made(kind: type[Component]) -> Component:
    """Return a component of this kind, as an input."""
    with warnings.catch_warnings():
        # gr.Matrix and its relatives pass an argument to gr.Dataframe that it warns about.
        warnings.simplefilter("ignore")
        return _made(kind)


def _made(kind: type[Component]) -> Component:
    if kind is gr.Dataset:
        return gr.Dataset(components=[gr.Textbox()], samples=[["x"]])
    if kind is gr.FileExplorer:
        return gr.FileExplorer(root_dir="domain")
    if kind in {gr.File, gr.UploadButton}:
        return kind(file_count="multiple")
    return kind()


class Everything:
    """An app with an event for each component. It records the inputs of its functions."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        with gr.Blocks() as self.demo:
            for name, kind in components_of_gradio().items():
                block = made(kind)
                if not block.is_rendered:  # Some stay out of the layout by themselves.
                    block.render()  # type: ignore[no-untyped-call]
                gr.Button().click(self._take, block, None, api_name=name.lower())

    def _take(self, value: Any) -> None:
        self.given.append(value)


METAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "with the marker": {"meta": FILE_META},
    "with an empty one": {"meta": {}},
    "with another one": {"meta": {"_type": "gradio.Other"}},
    "without": {},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where Gradio keeps the files of this test's app."""
    kept = tmp_path / "data" / "gradio"
    kept.mkdir(parents=True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    return kept


@pytest.fixture
def foreign(folder: Path) -> dict[str, str]:
    """Paths that nobody may name, by their descriptions. The test adds a path of Bob's."""
    data = folder.parent
    for name in ("secret.key", "gradioapp.sqlite3"):
        (data / name).write_text("of the service")
    (folder / "link.txt").symlink_to("/etc/passwd")
    return {
        "a file of the server": "/etc/passwd",
        "one above": f"{folder}/../../../../../../../../../../etc/passwd",
        "the key": str(data / "secret.key"),
        "the database": os.path.relpath(data / "gradioapp.sqlite3"),
        "the environment": "/proc/self/environ",
        "a link": str(folder / "link.txt"),
        "a file that is not there": str(folder / "nothing.txt"),
        "the folder": str(folder),
        "the working directory": "",
        "an address": "http://127.0.0.1:9/a.png",
        "an address in capitals": " HTTPS://127.0.0.1:9/a.png",
        "a file address": "file:///etc/passwd",
        "data": "data:text/plain;base64,aGk=",
        "a path that is too long": "/a" * 3000,
    }


def _png() -> bytes:
    content = BytesIO()
    PIL.Image.new("RGB", (8, 8), "red").save(content, "png")
    return content.getvalue()


@pytest.fixture
async def served(mounted: Mounts, folder: Path) -> tuple[House, Everything]:
    app = Everything()
    return await mounted(app.demo, data_dir=folder.parent, mcp=True), app


def refuses(answer: Any) -> bool:
    """Return whether the gate refused the request, or the start of the event did, where only the
    component's data model shows that a value is a file."""
    said = ("You have no such file", "downloads nothing")
    return answer.status_code == 400 and any(words in answer.text for words in said)


def inputs_with(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the event of each component with each value that contains the file."""
    for name, shapes in READ_AS_FILES.items():
        yield from ((name, shape(file)) for shape in shapes)
    for name in READ_NO_FILES:
        yield from ((name, shape(file)) for shape in _ANYWHERE)


@pytest.mark.asvs("1.3.6", "5.3.2", "8.2.2", "13.2.5")
async def test_no_component_reads_a_file_of_another_sender(
    served: tuple[House, Everything], foreign: dict[str, str]
) -> None:
    house, app = served
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    foreign |= {"somebody else's": await uploads(bob, _png(), "bob.png")}

    tried, taken = 0, []
    for what, path in foreign.items():
        for how, meta in METAS.items():
            for name, value in inputs_with({"path": path, **meta}):
                tried += 1
                answer = await ada.http.post(f"{API}/run/{name.lower()}", json={"data": [value]})
                if not refuses(answer):
                    taken.append((what, how, name, answer.status_code))

    assert tried > len(METAS) * len(foreign) * len(components_of_gradio())
    assert taken == []
    assert app.given == []


@pytest.mark.asvs("1.3.6", "5.3.2", "8.2.2")
async def test_no_way_to_send_an_event_accepts_a_file_of_another_sender(
    served: tuple[House, Everything], foreign: dict[str, str]
) -> None:
    house, app = served
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    foreign |= {"somebody else's": await uploads(bob, _png(), "bob.png")}

    info = house.demo.get_api_info()["named_endpoints"]
    tried, taken = 0, []
    for what, path in foreign.items():
        for name, value in inputs_with({"path": path}):
            for way, answer in await every_way(ada, house, info, name, value):
                tried += 1
                if not refuses(answer):
                    taken.append((what, name, way, answer.status_code))

    assert tried > 4 * len(foreign) * len(READ_NO_FILES)
    assert taken == []
    assert app.given == []


async def every_way(
    browser: Browser, house: House, info: Mapping[str, Any], name: str, value: Any
) -> list[tuple[str, Any]]:
    api_name, post = name.lower(), browser.http.post
    fn_index = index_of(house, api_name)
    event = {"fn_index": fn_index, "session_hash": "hers"}
    [parameter] = info.get(f"/{api_name}", {"parameters": [None]})["parameters"] or [None]
    ways: list[tuple[str, str, Any]] = [
        ("queue", "queue/join", {**event, "data": [value]}),
        ("api", f"api/{api_name}", {"data": [value]}),
        ("call", f"call/{api_name}", {"data": [value]}),
        ("what happened", "queue/join", {**event, "data": [None], "event_data": {"value": value}}),
    ]
    if parameter is not None:
        by_name = {parameter["parameter_name"]: value}
        ways.append(("call by names", f"call/v2/{api_name}", by_name))
    return [(way, await post(f"{API}/{path}", json=body)) for way, path, body in ways]


# Gradio leaves pictures open after reading them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_component_accepts_a_file_of_its_sender(
    served: tuple[House, Everything],
) -> None:
    house, app = served
    ada = await house.signed_in()
    path = await uploads(ada, _png(), "ada.png")

    refused = [
        (name, answer.text)
        for name, value in inputs_with({"path": path, "meta": FILE_META})
        if refuses(
            answer := await ada.http.post(f"{API}/run/{name.lower()}", json={"data": [value]})
        )
    ]

    assert refused == []
    assert len(app.given) > len(READ_NO_FILES)


@pytest.mark.asvs("1.3.6")
async def test_components_that_hand_json_on_keep_every_path_unchanged(
    mounted: Mounts, folder: Path, foreign: dict[str, str]
) -> None:
    seen: list[Any] = []

    def take(*values: Any) -> list[Any]:
        seen.append(list(values))
        return list(values)

    with gr.Blocks() as demo:
        blocks = [gr.JSON(), gr.BrowserState(), gr.ParamViewer()]
        gr.Button().click(take, blocks, blocks, api_name="take")
    ada = await (await mounted(demo, data_dir=folder.parent)).signed_in()
    del foreign["the key"], foreign["the database"], foreign["a file that is not there"]
    del foreign["the folder"]  # In our own folder no text may name a file of another account.
    before = {path for path in folder.rglob("*") if path.is_file()}  # noqa: ASYNC240

    for path in foreign.values():
        for meta in METAS.values():
            value = {"it": [{"path": path, **meta}]}
            told = completed(await ada.runs("take", value, value, value))

            assert told["success"], (path, meta, told)
            assert told["output"]["data"] == [value, value, value]
            assert seen.pop() == [value, value, value]

    assert {path for path in folder.rglob("*") if path.is_file()} == before  # noqa: ASYNC240


AUTHORS: Final = """
from typing import Any

import gradio as gr
from gradio.components.base import Component
from gradio.data_classes import GradioModel, GradioRootModel, ImageData
from pydantic import Field


class Page(GradioModel):
    picture: ImageData
    number: int


class Book(GradioRootModel):
    root: list[dict[str, Page]]


class Renamed(GradioModel):
    path: str = Field(alias="place")


class Shelf(Component):
    data_model = Book
    EVENTS = []

    def preprocess(self, payload):
        return payload and payload.root[0]["first"].picture.path

    def postprocess(self, value):
        return value

    def api_info(self):
        return {"type": "object"}

    def example_payload(self):
        return None

    example_value = example_payload


class Drawer(Shelf):
    data_model = Renamed
    EVENTS = []

    def preprocess(self, payload):
        return payload and payload.path


class Opener(gr.JSON):
    EVENTS = []

    def preprocess(self, payload):
        return payload and payload["path"]
"""
"""Components of an author: one with files deep in its data model, one with another name for a path,
and one that opens values that others only hand on."""


@pytest.fixture
def authors(tmp_path: Path) -> Any:
    source = tmp_path / "shelves.py"
    source.write_text(AUTHORS)
    spec = importlib.util.spec_from_file_location("shelves", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shelves"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["shelves"]


@pytest.mark.asvs("5.3.2", "8.2.2")
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("Shelf", lambda path: [{"first": {"picture": {"path": path}, "number": 1}}]),
        ("Drawer", lambda path: {"place": path}),
        ("Opener", lambda path: {"path": path}),
    ],
)
async def test_a_component_of_an_author_reads_only_files_of_its_sender(
    mounted: Mounts, folder: Path, authors: Any, kind: str, shape: Shape
) -> None:
    seen: list[Any] = []
    with gr.Blocks() as demo:
        gr.Button().click(seen.append, getattr(authors, kind)(), None, api_name="take")
    house = await mounted(demo, data_dir=folder.parent)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    hers, his = await uploads(ada, name="a.txt"), await uploads(bob, b"of Bob", "b.txt")

    answers = [
        await ada.http.post(f"{API}/run/take", json={"data": [shape(path)]})
        for path in ("/etc/passwd", his, "http://127.0.0.1:9/")
    ]
    own = await ada.http.post(f"{API}/run/take", json={"data": [shape(hers)]})

    assert all(map(refuses, answers))
    assert own.status_code == 200, own.text
    assert seen == [hers]


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("button", {"icon": "pyproject.toml"}),
        ("button", {"icon": "/etc/passwd"}),
        ("chatbot", {"avatar_images": ["pyproject.toml", None]}),
        ("chatbot", {"examples": [{"text": "x", "files": ["pyproject.toml"]}]}),
        ("audio", {"subtitles": "pyproject.toml"}),
    ],
)
@pytest.mark.parametrize("depth", [0, 2])
async def test_a_component_in_a_message_is_built_from_no_file_of_the_server(
    mounted: Mounts, folder: Path, message: str, arguments: dict[str, Any], depth: int
) -> None:
    """Depth 2 is a component in a message of a chat that is itself in a message."""
    seen: list[Any] = []
    with gr.Blocks() as demo:
        gr.Button().click(seen.append, gr.Chatbot(), None, api_name="take")
    ada = await (await mounted(demo, data_dir=folder.parent)).signed_in()
    value = _in_a_component(message, **arguments)("x")
    for _ in range(depth):
        value = _in_a_component("chatbot")(value)

    answer = await ada.http.post(f"{API}/run/take", json={"data": [value]})

    assert refuses(answer)
    assert seen == []


async def test_a_json_component_in_a_message_keeps_its_paths(mounted: Mounts, folder: Path) -> None:
    """An agent shows the result of its tool like this."""
    seen: list[Any] = []
    with gr.Blocks() as demo:
        gr.Button().click(seen.append, gr.Chatbot(), None, api_name="take")
    house = await mounted(demo, data_dir=folder.parent)
    ada = await house.signed_in()
    said = {"path": "src/app.py", "lines": 3}

    plain = await ada.http.post(f"{API}/run/take", json={"data": [_in_a_component("json")(said)]})
    marked = await ada.http.post(
        f"{API}/run/take",
        json={"data": [_in_a_component("json")({**said, "meta": FILE_META})]},
    )

    assert plain.status_code == 200, plain.text
    assert seen[0][0]["content"][0]["value"] == said
    assert refuses(marked)


@pytest.mark.asvs("8.2.2")
async def test_a_batch_reads_only_the_files_of_each_sender(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are checked again when they are read, even if the gate has let another value through."""
    seen: list[str] = []

    def take(paths: list[str | None]) -> list[list[str]]:
        seen.extend(Path(path).read_text() for path in paths if path)
        return [["read" for _ in paths]]

    with gr.Blocks() as demo:
        gr.Button().click(
            take, gr.File(), gr.Textbox(), api_name="take", batch=True, max_batch_size=2
        )
    house = await mounted(demo, data_dir=folder.parent)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"of Bob", "b.txt")
    monkeypatch.setattr("entrypoints.ui.wire.json_bodies.may_name_files", lambda raw: False)

    told = completed(await ada.runs("take", {"path": his, "meta": FILE_META}))
    own = completed(await bob.runs("take", {"path": his, "meta": FILE_META}))

    assert not told["success"]
    assert own["success"], own
    assert seen == ["of Bob"]


@pytest.mark.asvs("2.4.1", "15.2.2")
async def test_paths_that_are_slow_to_resolve_are_refused_without_resolving_them(
    mounted: Mounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[str] = []
    with gr.Blocks() as demo:
        gr.Button().click(lambda value: None, gr.Gallery(), None, api_name="gallery")
        gr.Button().click(lambda value: None, gr.JSON(), None, api_name="json")
    house = await mounted(demo, data_dir=folder.parent)
    ada = await house.signed_in()
    realpath = os.path.realpath

    def follow(path: Any, **more: Any) -> Any:
        followed.append(str(path))
        return realpath(path, **more)

    monkeypatch.setattr("os.path.realpath", follow)
    long, digest = "a/" * 50_000, "0" * 64
    many = [{"image": {"path": f"/a/{digest}/{number}"}} for number in range(2000)]
    plain = [{"path": f"/a/{number}"} for number in range(20_000)]

    async def runs(api_name: str, value: Any) -> int:
        answer = await ada.http.post(f"{API}/run/{api_name}", json={"data": [value]})
        return answer.status_code

    refused = [
        await runs("gallery", [{"image": {"path": long}}]),
        await runs("gallery", many),
        await runs("json", many),
        await runs("json", {"path": f"{long}{digest}"}),
    ]
    fetched = await ada.http.get(f"{API}/file={long[:30_000]}")
    accepted = [await runs("json", {"path": long}), await runs("json", plain)]

    assert refused == [400] * 4
    assert fetched.status_code == 404
    assert accepted == [200, 200]
    assert not any("a/a" in path or digest in path for path in followed)
    assert len(followed) < 100


@pytest.mark.asvs("1.3.6", "5.3.2", "13.2.5", "13.3.2")
@pytest.mark.parametrize("kind", [gr.Dataframe, gr.Label])
@pytest.mark.parametrize("how", ["value", "update", "instance", "only one"])
async def test_no_output_reads_a_file_that_is_not_the_callers(
    mounted: Mounts, folder: Path, elsewhere: "Elsewhere", kind: Any, how: str
) -> None:
    """These components open the path that a callback returns, which may be the caller's own text."""

    def show(path: str) -> Any:
        given: dict[str, Callable[[], Any]] = {
            "update": lambda: gr.update(value=path),
            "instance": lambda: kind(value=path),
        }
        shown = given.get(how, lambda: path)()
        return shown if how == "only one" else (shown, "x")

    with gr.Blocks() as demo:
        outputs = kind() if how == "only one" else [kind(), gr.Textbox()]
        gr.Button().click(show, gr.JSON(), outputs, api_name="show")
    house = await mounted(demo, data_dir=folder.parent)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    (folder.parent / "private.json").write_text('{"label": "of the service"}')
    hers = await uploads(ada, b'{"label": "of Ada"}', "a.json")
    his = await uploads(bob, b'{"label": "of Bob"}', "b.json")

    async def shows(path: str) -> Any:
        return await ada.http.post(f"{API}/run/show", json={"data": [path]})

    private = [str(folder.parent / "private.json"), f"{elsewhere.address}/x.json"]
    answers = [await shows(path) for path in private]
    own = await shows(hers)
    told = completed(await ada.runs("show", his))

    assert [answer.status_code for answer in answers] == [400, 400]
    assert elsewhere.connections == 0
    assert not told["success"]
    assert own.status_code == 200, own.text
    assert "of Ada" in own.text


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_a_rendered_event_reads_only_files_of_its_sender(
    mounted: Mounts, folder: Path
) -> None:
    seen: list[Any] = []
    with gr.Blocks() as demo:
        number = gr.Number()

        @gr.render(inputs=number, triggers=[number.submit])  # type: ignore[untyped-decorator]
        def show(_: float) -> None:
            gallery = gr.Gallery(type="filepath")
            gr.Button().click(seen.append, gallery, None, api_name="take")

    house = await mounted(demo, data_dir=folder.parent)
    ada = await house.signed_in()
    rendering = next(i for i, fn in house.demo.fns.items() if fn.renderable)
    join, event = f"{API}/queue/join", {"session_hash": "hers"}
    await ada.http.post(join, json={**event, "data": [1], "fn_index": rendering})
    config = next(m for m in await ada.told("hers") if m["msg"] == "process_completed")
    [made] = config["output"]["render_config"]["dependencies"]

    hers = await uploads(ada, _png(), "ada.png")
    answers = [
        await ada.http.post(
            join, json={**event, "data": [[{"image": {"path": path}}]], "fn_index": made["id"]}
        )
        for path in ("/etc/passwd", hers)
    ]
    await ada.stream("hers")

    assert refuses(answers[0])
    assert answers[1].status_code == 200, answers[1].text
    assert seen == [[(hers, None)]]


@dataclass(slots=True)
class Elsewhere:
    """A server that this service must never contact."""

    address: str
    connections: int = 0


@pytest.fixture
async def elsewhere(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Elsewhere]:
    """Run this server on this machine, with Gradio's check of addresses switched off."""

    async def is_fine(hostname: str) -> str:
        return hostname

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    monkeypatch.setattr("safehttpx.async_validate_url", is_fine)
    server = await asyncio.start_server(count, "127.0.0.1", 0)
    found = Elsewhere(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield found
    server.close()
    await server.wait_closed()


SERVER_FUNCTIONS: Final[Mapping[type[Block], Sequence[str]]] = {
    gr.Dialogue: ["format", "unformat"],
    gr.FileExplorer: ["ls"],
    gr.ImageEditor: ["accept_blobs"],
}


@pytest.mark.asvs("1.3.6", "13.2.4", "15.3.2")
async def test_the_service_contacts_no_other_address_however_it_is_named(
    served: tuple[House, Everything], elsewhere: Elsewhere
) -> None:
    house, _ = served
    ada = await house.signed_in()
    await processing_utils.async_ssrf_protected_get(f"{elsewhere.address}/x.png")
    assert elsewhere.connections == 1  # Gradio would contact it.
    info = house.demo.get_api_info()["named_endpoints"]
    hers = os.path.relpath(await uploads(ada, _png(), "ada.png"))  # noqa: ASYNC240
    # A URL that is also the path of her own file.
    both = {"path": f"{elsewhere.address}/../../{hers}", "meta": FILE_META}
    for name, value in inputs_with(both):
        await every_way(ada, house, info, name, value)
    await ada.http.get(f"{API}/file={elsewhere.address}/%2e%2e/%2e%2e/{hers}")

    for way in (elsewhere.address, f" {elsewhere.address}", elsewhere.address.upper()):
        for meta in ({"meta": FILE_META}, {}):
            file = {"path": f"{way}/x.png", "url": f"{way}/x.png", **meta}
            for name, value in [*inputs_with(file), *((name, file) for name in HAND_JSON_ON)]:
                if way == elsewhere.address:
                    await every_way(ada, house, info, name, value)
                await ada.http.post(f"{API}/run/{name.lower()}", json={"data": [value]})
        for address in (f"file={way}/x", f"file/{way}/x", f"proxy={way}/x", f"file=/{way}/x"):
            for method in ("GET", "HEAD"):
                await ada.http.request(method, f"{API}/{address}")
        for api_name in info:
            told = {"name": api_name.strip("/"), "arguments": {"value": f"{way}/x.png"}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": told}
            await ada.http.post(f"{API}/mcp/", json=message)
        for component, block in house.demo.blocks.items():
            for fn_name in SERVER_FUNCTIONS.get(type(block), ()):
                await ada.http.post(
                    f"{API}/component_server",
                    json={
                        "data": [{"path": f"{way}/x", "meta": FILE_META}],
                        "component_id": component,
                        "fn_name": fn_name,
                        "session_hash": "hers",
                    },
                )
    await ada.stream("hers")

    assert elsewhere.connections == 1
