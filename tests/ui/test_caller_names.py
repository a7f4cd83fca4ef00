"""No app opens a file or an address only because its caller has named it."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr
import numpy as np
import pytest
from gradio import processing_utils
from PIL import Image

from entrypoints.ui import limits
from entrypoints.ui.files import caller_names
from entrypoints.ui.files.caller_names import names_in
from entrypoints.ui.files.words import LONG_TEXT, Names
from gradioapp import Page
from tests.ui.attacks import API, FILE_META, as_file, fetches, index_of, is_problem, uploads
from tests.ui.conftest import House, Mounts, completed
from tests.ui.test_named_files import Elsewhere, elsewhere

__all__ = ["elsewhere"]

SECRET: Final = "of the author"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with files of the author. Gradio serves these files when an app names them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    (tmp_path / "notes.txt").write_text(SECRET)
    (tmp_path / "notes.json").write_text(json.dumps({"label": SECRET}))
    (tmp_path / "notes.csv").write_text(f"a,b\n{SECRET},1\n")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "notes.png")
    return tmp_path


INPUTS: Final[Sequence[Callable[[], Any]]] = (gr.Textbox, gr.JSON, gr.BrowserState)
OUTPUTS: Final[Sequence[tuple[Callable[[], Any], str]]] = (
    (gr.File, "notes.txt"),
    (gr.DownloadButton, "notes.txt"),
    (gr.Image, "notes.png"),
    (gr.AnnotatedImage, "notes.png"),
    (gr.Gallery, "notes.png"),
    (gr.Video, "notes.txt"),
    (gr.Audio, "notes.txt"),
    (gr.Model3D, "notes.txt"),
    (gr.Dataframe, "notes.csv"),
    (gr.Label, "notes.json"),
)


@pytest.mark.asvs("1.3.6", "5.3.2", "8.2.2", "13.3.2")
@pytest.mark.parametrize("takes", INPUTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("shows", "name"), OUTPUTS, ids=[k.__name__ for k, _ in OUTPUTS])
async def test_no_output_opens_a_file_that_its_caller_names(
    takes: Any, shows: Any, name: str, mounted: Mounts, here: Path
) -> None:
    shapes: dict[Any, Callable[[str], Any]] = {
        gr.Gallery: lambda path: [path],
        gr.AnnotatedImage: lambda path: (path, []),
    }
    in_shape = shapes.get(shows, lambda path: path)
    with gr.Blocks() as demo:
        gr.Button().click(in_shape, takes(), shows(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    answers = [
        await ada.http.post(f"{API}/run/show", json={"data": [path]})
        for path in (name, f"./{name}", str(here / name), f" {name}"[1:])
    ]
    queued = completed(await ada.runs("show", name))

    assert [answer.status_code for answer in answers] == [400] * 4
    assert not queued["success"]
    assert "you have named it" in answers[0].text
    assert not [p for p in (here / "kept").rglob("*notes*") if p.is_file()]


def _component(name: str, value: Any) -> dict[str, Any]:
    more: dict[str, Any] = {"constructor_args": {}, "props": {}}
    return {"type": "component", "component": name, "value": value, **more}


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize(
    "content",
    [
        {"path": "notes.txt"},
        [{"type": "file", "file": {"path": "notes.txt"}}],
        [_component("image", as_file("notes.png"))],
        {**_component("file", [as_file("notes.txt")])},
        {**_component("image", as_file("notes.png"))},
    ],
)
async def test_a_saved_chat_opens_no_file_that_was_written_into_it(
    content: Any, mounted: Mounts, here: Path
) -> None:
    def answer(message: str, history: Any) -> str:
        return message

    demo = gr.ChatInterface(answer, save_history=True)
    house = await mounted(demo)
    ada = await house.signed_in()
    message = {"role": "user", "metadata": None, "content": content, "options": None}

    said = await ada.http.post(
        f"{API}/run/predict",
        json={"fn_index": index_of(house, "_load_conversation"), "data": [0, [[message]]]},
    )

    assert said.status_code == 400
    assert not [p for p in (here / "kept").rglob("*notes*") if p.is_file()]


NAMED: Final = "only because you have named it"
SPELLINGS: Final = (
    "notes.txt/",
    "notes.txt/.",
    "./" * 2100 + "notes.txt",
    "/" * 5000 + "{here}/notes.txt",
    "/proc/self/cwd/notes.txt/",
)
OF_MODELS: Final = ("nope/../notes.txt", "notes.csv/x/../../notes.txt")
"""Spellings that open the file in a gr.Model3D only."""


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize(
    ("shows", "spelling"),
    [
        *((gr.File, spelling) for spelling in SPELLINGS),
        *((gr.Model3D, spelling) for spelling in (*SPELLINGS, *OF_MODELS)),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else value.__name__,
)
async def test_no_spelling_of_a_path_opens_its_file(
    shows: Any, spelling: str, mounted: Mounts, here: Path
) -> None:
    path = spelling.format(here=here)
    with gr.Blocks() as demo:
        gr.Button().click(lambda path: path, gr.Textbox(), shows(), api_name="show")
        gr.Button().click(lambda: path, None, shows(), api_name="author")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")

    named = await ada.http.post(f"{API}/run/show", json={"data": [path]})
    kept = [p for p in (here / "kept").rglob("*notes*") if p.is_file()]
    author = await bob.http.post(f"{API}/run/author", json={"data": []})

    assert named.status_code == 400
    assert NAMED in named.text
    assert kept == []
    assert author.status_code == 200, "No file has this spelling."


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.filterwarnings("ignore:Watermarking for SVG")
async def test_an_svg_is_not_read_when_the_caller_names_it(
    mounted: Mounts, here: Path, elsewhere: Elsewhere
) -> None:
    (here / "plan.svg").write_text("<svg>of the author</svg>")
    (here / "key.svg").symlink_to("/proc/self/environ")
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(lambda path: path, text, gr.Image(), api_name="image")
        gr.Button().click(lambda path: [path], text, gr.Gallery(), api_name="gallery")
        gr.Button().click(lambda path: (path, path), text, gr.ImageSlider(), api_name="slider")
        gr.Button().click(lambda: "plan.svg", None, gr.Image(), api_name="author")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"<svg>of Bob</svg>", "b.svg")

    answers = [
        await ada.http.post(f"{API}/run/{name}", json={"data": [path]})
        for name in ("image", "gallery", "slider")
        for path in ("plan.svg", "key.svg", his, f"{elsewhere.address}/x.svg")
    ]
    author = completed(await bob.runs("author"))

    assert {answer.status_code for answer in answers} == {400}
    assert elsewhere.connections == 0
    assert author["success"], author


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_no_component_opens_a_file_that_the_caller_names(mounted: Mounts, here: Path) -> None:
    """Test with a component that opens files in its own way; it represents every part of Gradio."""

    def read(value: str | None) -> str | None:
        return Path(value).read_text() if value else None

    with gr.Blocks() as demo:
        text, reads = gr.Textbox(), gr.Textbox()
        reads.postprocess = read  # type: ignore[method-assign]
        gr.Button().click(lambda path: path, text, reads, api_name="read")
        gr.Button().click(lambda: "notes.txt", None, reads, api_name="author")
        gr.Button().click(lambda: str(here / "link"), None, reads, api_name="secret")
    house = await mounted(demo)
    (here / ".env").write_text("of the author")
    (here / "link").symlink_to(here / ".env")
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"of Bob", "b.txt")

    refused = [
        await ada.http.post(f"{API}/run/read", json={"data": [path]}) for path in ("notes.txt", his)
    ]
    author = await bob.http.post(f"{API}/run/author", json={"data": []})
    secret = await bob.http.post(f"{API}/run/secret", json={"data": []})

    assert [answer.status_code for answer in refused] == [400, 400]
    assert author.status_code == 200
    assert secret.status_code == 400


@pytest.mark.asvs("5.3.2")
async def test_an_app_that_repeats_a_callers_path_does_not_make_the_path_its_own(
    mounted: Mounts, here: Path
) -> None:
    with gr.Blocks() as demo:
        text, file = gr.Textbox(), gr.File()
        gr.Button().click(lambda path: path, text, file, api_name="show")
        gr.Button().click(lambda f: f, file, gr.File(), api_name="same")
        gr.Button().click(lambda t: t, text, gr.Markdown(), api_name="echo")
        gr.Button().click(lambda v: v, gr.JSON(), gr.Label(), api_name="label")
        gr.Button().click(list, gr.JSON(), file, api_name="keys")
    house = await mounted(demo)
    ada = await house.signed_in()
    hers = await uploads(ada, b"hers", "notes.txt")

    await ada.runs("same", as_file(hers, orig_name="notes.txt"))
    await ada.runs("echo", "notes.csv")
    await ada.runs("label", {"notes.json": 0.9})
    keys = completed(await ada.runs("keys", {"notes.png": 1}))
    shown = [
        completed(await ada.runs("show", name))["success"]
        for name in ("notes.txt", "notes.csv", "notes.json")
    ]

    assert shown == [False] * 3
    assert not keys["success"]


async def test_a_part_of_a_callers_text_does_not_become_a_name_of_the_app(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.Textbox()
        gr.Button().click(lambda t: t.split()[-1], text, shown, api_name="cut")
        gr.Button().click(lambda v: "".join(v), gr.JSON(), shown, api_name="join")
        gr.Button().click(lambda path: path, text, gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    await ada.runs("cut", "open notes.txt")
    await ada.runs("join", ["notes", ".csv"])
    opened = [completed(await ada.runs("show", name)) for name in ("notes.txt", "notes.csv")]

    assert [one["success"] for one in opened] == [False, False]


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_a_message_is_built_from_no_file_that_its_caller_names(
    mounted: Mounts, here: Path
) -> None:
    """Gradio makes a new picture with a watermark while it reads the message."""
    with gr.Blocks() as demo:
        gr.Button().click(len, gr.Chatbot(), gr.Number(), api_name="chat")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    png = (here / "notes.png").read_bytes()
    hers, his = await uploads(ada, png, "a.png"), await uploads(bob, png + b"0", "b.png")

    async def says(name: str, watermark: str) -> int:
        part = _component(name, as_file(hers)) | {"constructor_args": {"watermark": watermark}}
        message = {"role": "user", "metadata": None, "content": [part], "options": None}
        answer = await ada.http.post(f"{API}/run/chat", json={"data": [[message]]})
        return answer.status_code

    refused = {
        await says(name, path)
        for name in ("image", "video")
        for path in ("notes.png", his, "/etc/passwd", "http://127.0.0.1:1/x.png")
    }

    assert refused == {400}
    assert await says("image", hers) == 200


@pytest.mark.parametrize("text", ["/../notes.txt", "notes.txt"])
async def test_a_line_of_a_dialogue_counts_as_a_name_by_the_caller(
    text: str, mounted: Mounts, here: Path
) -> None:
    (here / "[x] notes.txt").write_text(SECRET)
    with gr.Blocks() as demo:
        dialogue = gr.Dialogue(speakers=["x"])
        gr.Button().click(lambda text: text, dialogue, gr.Model3D(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    shown = completed(await ada.runs("show", [{"speaker": "x", "text": text}]))

    assert NAMED in shown["output"]["error"]
    assert not [p for p in (here / "kept").rglob("*notes*") if p.is_file()]


async def test_no_program_is_started_with_a_file_that_its_caller_names(
    mounted: Mounts, here: Path
) -> None:
    started: list[str] = []

    def start(value: str | None) -> str | None:
        subprocess.run(["true", "-i", str(value)], check=True)
        started.append(str(value))
        return value

    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), gr.Textbox()
        shown.postprocess = start  # type: ignore[method-assign]
        gr.Button().click(lambda path: path, text, shown, api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    for word in ("notes.png", "hello"):
        await ada.http.post(f"{API}/run/show", json={"data": [word]})

    assert started == ["hello"]


async def test_a_name_that_one_app_shows_is_not_allowed_in_another(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda: "notes.txt", None, gr.Textbox(), api_name="tell")
    with gr.Blocks() as other:
        gr.Button().click(lambda path: path, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo, others=[Page(other, title="Other")])
    ada = await house.signed_in()

    await ada.runs("tell")
    answer = await ada.http.post("/gradio/other/gradio_api/run/show", json={"data": ["notes.txt"]})

    assert answer.status_code == 400


async def test_a_file_explorer_returns_only_files_that_it_lists(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        explorer = gr.FileExplorer(root_dir=".", glob="*.csv")
        gr.Button().click(lambda picked: picked, explorer, gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    listed = completed(await ada.runs("show", [["notes.csv"]]))
    other = completed(await ada.runs("show", [["notes.txt"]]))

    assert listed["success"], listed
    assert not other["success"]


@pytest.mark.asvs("5.3.2", "13.3.2")
async def test_each_path_in_a_list_within_one_text_counts_as_named(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        text, files = gr.Textbox(), gr.File()
        gr.Button().click(json.loads, text, files, api_name="read")
        gr.Button().click(lambda t: t.split(","), text, files, api_name="split")
    house = await mounted(demo)
    ada = await house.signed_in()

    told = [
        completed(await ada.runs("read", '["notes.txt"]')),
        completed(await ada.runs("split", "notes.csv, notes.txt")),
    ]

    assert [answer["success"] for answer in told] == [False, False]


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_a_path_that_an_app_has_kept_still_counts_as_named_by_its_caller(
    mounted: Mounts,
) -> None:
    """Kept in a State or in a global list."""
    kept: list[str] = []
    with gr.Blocks() as demo:
        text, state, file = gr.Textbox(), gr.State(), gr.File()
        gr.Button().click(lambda t: t, text, state, api_name="put")
        gr.Button().click(lambda s: s, state, file, api_name="take")
        gr.Button().click(kept.append, text, None, api_name="keep")
        gr.Button().click(lambda: kept[0], None, file, api_name="give")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"of Bob", "b.txt")

    async def takes(word: str) -> dict[str, Any]:
        await ada.start("put", word, tab="hers")
        assert completed(await ada.told("hers"))["success"]
        await ada.start("take", None, tab="hers")
        return completed(await ada.told("hers"))

    taken = await takes("notes.txt")
    await takes(his)
    await ada.runs("keep", "notes.txt")
    given = completed(await ada.runs("give"))

    assert NAMED in taken["output"]["error"]
    assert NAMED in given["output"]["error"]
    assert completed(await bob.runs("give"))["success"]  # He has not named it.
    assert (await fetches(ada, his)).status_code == 404
    assert (await fetches(bob, his)).status_code == 200


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_event_data_gives_nobody_a_file(mounted: Mounts) -> None:
    def pick(event: gr.SelectData) -> Any:
        return event.value

    with gr.Blocks() as demo:
        gallery = gr.Gallery()
        gallery.select(pick, None, gr.File(), api_name="pick")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    his = await uploads(bob, b"of Bob", "b.txt")

    for value in (his, "notes.txt", {"text": "", "files": [his]}):
        await ada.http.post(
            f"{API}/run/pick", json={"data": [], "event_data": {"index": 0, "value": value}}
        )

    assert (await fetches(ada, his)).status_code == 404
    files = {"text": "", "files": ["notes.txt"]}
    refused = await ada.http.post(
        f"{API}/run/pick", json={"data": [], "event_data": {"index": 0, "value": files}}
    )
    assert refused.status_code == 400
    assert "You have no such file" in refused.text


@pytest.mark.asvs("13.2.4", "15.3.2")
@pytest.mark.parametrize(
    "shows", [gr.File, gr.Image, gr.Audio, gr.Video, gr.AnnotatedImage, gr.Model3D]
)
async def test_no_output_fetches_an_address_that_its_caller_names(
    shows: Any, mounted: Mounts, elsewhere: Elsewhere
) -> None:
    def show(text: str) -> Any:
        return (text, []) if shows is gr.AnnotatedImage else text

    fixed = f"{elsewhere.address}/fixed.png"
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(show, text, shows(), api_name="show")
        gr.Button().click(lambda: fixed, None, gr.File(), api_name="author")
    house = await mounted(demo)
    ada = await house.signed_in()

    for way in (elsewhere.address, f" {elsewhere.address}", elsewhere.address.upper()):
        for name in ("x.png", f"x.png?{'a' * 5000}"):
            await ada.http.post(f"{API}/run/show", json={"data": [f"{way}/{name}"]})
    counted = elsewhere.connections
    author = completed(await ada.runs("author"))

    assert counted == 0
    assert author["success"], author
    assert elsewhere.connections == 1


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/root/proc/self/cmdline"])
async def test_no_app_shows_a_file_of_the_system(path: str, mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda: path, None, gr.Dataframe(), api_name="show")
    vars(demo)["_gradioapp_launched"] = {"allowed_paths": ["/"]}
    house = await mounted(demo)
    ada = await house.signed_in()

    assert not completed(await ada.runs("show"))["success"]


async def test_a_pipe_is_not_opened(mounted: Mounts, here: Path) -> None:
    os.mkfifo(here / "pipe")
    with gr.Blocks() as demo:
        gr.Button().click(lambda: str(here / "pipe"), None, gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    assert not completed(await ada.runs("show"))["success"]


# Allowed names


async def _given(house: House, api_name: str, *data: Any) -> bool:
    ada = await house.signed_in()
    return bool(completed(await ada.runs(api_name, *data))["success"])


async def test_a_choice_that_the_app_offers_opens_its_file(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        choice = gr.Dropdown(["notes.txt", "notes.csv"])
        gr.Button().click(lambda path: path, choice, gr.File(), api_name="show")
    house = await mounted(demo)

    assert await _given(house, "show", "notes.txt")


async def test_a_choice_that_the_app_has_added_later_opens_its_file(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        choice = gr.Dropdown([], allow_custom_value=True)
        table = gr.Dataframe()
        file = gr.File()
        gr.Button().click(lambda: gr.update(choices=["notes.txt"]), None, choice, api_name="list")
        gr.Button().click(lambda: [["notes.csv"]], None, table, api_name="table")
        gr.Button().click(lambda path: path, choice, file, api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    await ada.runs("list")
    await ada.runs("table")
    chosen = completed(await ada.runs("show", "notes.txt"))
    seen = completed(await ada.runs("show", "notes.csv"))

    assert chosen["success"], chosen
    assert seen["success"], seen


async def test_a_file_is_saved_repeatedly_under_the_name_that_its_caller_gives(
    mounted: Mounts, here: Path
) -> None:
    def save(name: str) -> str:
        Path(name).write_text("new")
        return name

    with gr.Blocks() as demo:
        gr.Button().click(save, gr.Textbox(), gr.File(), api_name="save")
    house = await mounted(demo)
    ada = await house.signed_in()

    saved = [completed(await ada.runs("save", "report.pdf"))["success"] for _ in range(2)]

    assert saved == [True, True]


async def test_a_folder_that_the_author_allows_is_open_to_named_paths(
    mounted: Mounts, here: Path
) -> None:
    (here / "outputs").mkdir()
    (here / "outputs" / "a.txt").write_text("for all")
    with gr.Blocks() as demo:
        gr.Button().click(lambda path: path, gr.Textbox(), gr.File(), api_name="show")
    vars(demo)["_gradioapp_launched"] = {"allowed_paths": [str(here / "outputs")]}
    house = await mounted(demo)

    assert await _given(house, "show", "outputs/a.txt")


async def test_an_own_upload_is_shown_by_its_path_even_if_another_account_uploaded_it_first(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda path: path, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    path = await uploads(bob, b"equal", "b.txt")

    await ada.runs("show", path)
    before = await fetches(ada, path)
    await uploads(ada, b"equal", "b.txt")
    shown = completed(await ada.runs("show", path))

    assert before.status_code == 404
    assert shown["success"], shown
    assert (await fetches(ada, path)).status_code == 200


def cuts_out(pattern: str) -> Callable[[str], str]:
    def cut(text: str) -> str:
        found = re.search(pattern, text)
        assert found is not None, text
        return found[0]

    return cut


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("name", ["O'Brien.txt", "a,b.txt", "semi;colon.txt", "x<y|z.txt"])
@pytest.mark.parametrize("form", ['{{"file": "{}"}}', '5" {{"file": "{}"}}', "show `{}` now"])
async def test_a_quoted_name_is_named_with_all_its_signs(
    form: str, name: str, mounted: Mounts, here: Path
) -> None:
    (here / name).write_text(SECRET)
    with gr.Blocks() as demo:
        cut = cuts_out('(?<=["`])[^"`]*txt(?=["`])')
        gr.Button().click(cut, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    shown = completed(await ada.runs("show", form.format(name)))

    assert not shown["success"]


@pytest.mark.asvs("5.3.2")
async def test_a_path_in_a_sentence_is_named_up_to_each_sign_that_may_end_it(
    mounted: Mounts, here: Path
) -> None:
    (here / "q(1).txt").write_text(SECRET)
    with gr.Blocks() as demo:
        cut = cuts_out(r"/\S+")
        gr.Button().click(cut, gr.Textbox(), gr.File(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    shown = completed(await ada.runs("show", f"please show {here}/q(1).txt now"))

    assert not shown["success"]


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("rest", ["plain", "x'y", 'x"y', "?a=<b", "x`y", "(z)", "z),"])
@pytest.mark.parametrize(
    "pattern", [r"https?://\S+", r"https?://[^\s)]+", r"https?://[^\s'\"<>`]+"]
)
async def test_an_address_in_a_sentence_is_named_however_an_app_cuts_it(
    pattern: str, rest: str, mounted: Mounts, elsewhere: Elsewhere
) -> None:
    with gr.Blocks() as demo:
        cut = cuts_out(pattern)
        gr.Button().click(cut, gr.Textbox(), gr.Image(), api_name="show")
    house = await mounted(demo)
    ada = await house.signed_in()

    shown = completed(await ada.runs("show", f"look at {elsewhere.address}/{rest} please"))

    assert not shown["success"]
    assert elsewhere.connections == 0


async def test_a_sentence_that_mentions_a_file_does_not_name_it(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: "notes.txt", gr.Textbox(), gr.File(), api_name="ask")
    house = await mounted(demo)

    assert await _given(house, "ask", "Please give me notes.txt again")


async def test_an_upload_with_the_name_of_an_apps_file_does_not_name_that_file(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: "notes.txt", gr.File(), gr.File(), api_name="sample")
    house = await mounted(demo)
    ada = await house.signed_in()
    hers = await uploads(ada, b"hers", "notes.txt")

    shown = completed(await ada.runs("sample", as_file(hers, orig_name="notes.txt")))

    assert shown["success"], shown


# Bounds


async def test_the_same_file_counts_each_time_it_is_named(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(len, gr.File(file_count="multiple"), gr.Number(), api_name="files")
        gr.Button().click(lambda v: v, gr.JSON(), gr.Gallery(), api_name="shown")
    house = await mounted(demo)
    ada = await house.signed_in()
    hers = await uploads(ada)
    most = limits.NAMED_FILES

    async def runs(name: str, value: Any) -> int:
        return (await ada.http.post(f"{API}/run/{name}", json={"data": [value]})).status_code

    file = {"path": hers, "meta": FILE_META}
    assert await runs("files", [file] * most) == 200
    assert await runs("files", [file] * (most + 1)) == 400
    assert await runs("shown", [hers] * (most + 1)) == 400


async def test_every_path_counts_as_named_once_an_account_has_named_too_many() -> None:
    memory = caller_names.Memory()
    account: Any = object()

    await memory.add(account, Names(paths=set(map(str, range(limits.REMEMBERED_PATHS + 1)))))
    await memory.add(account, Names(paths={"one more"}))

    assert memory.has_path(account, "never named")
    assert len(memory._paths[account]) == limits.REMEMBERED_PATHS + 1


async def test_too_many_addresses_count_as_named_without_closing_any_path() -> None:
    memory = caller_names.Memory()
    account: Any = object()

    links = [f"https://a.b/{number}" for number in range(limits.REMEMBERED_ADDRESSES + 50)]
    await memory.add(account, await names_in(links))

    assert memory.has_address(account, links[0])
    assert memory.has_address(account, "https://never.named")  # It could hide among many.
    assert not memory.has_path(account, "/never/named")


async def test_names_are_whole_texts_and_items_of_lists(here: Path) -> None:
    names = await names_in(
        ["notes.txt", "notes.csv;notes.json", "see notes.png", "a\0b", "x" * 9999]
    )

    assert {Path(path).name for path in names.paths} == {"notes.txt", "notes.csv", "notes.json"}


LISTED: Final[dict[str, Callable[[str], Any]]] = {
    "a list": lambda path: [path],
    "a text": lambda path: path,
    "a member's name": lambda path: {path: 1},
    "a member": lambda path: {"a": path},
    "a member's name below": lambda path: {"a": {path: 1}},
    "a list in a list": lambda path: [[path]],
    "a list of paths in an object": lambda path: [{"path": [path]}],
    "an object with a name": lambda path: [{"name": path}],
    "the number of an open file": lambda _: [3],
    "a flag, which is a number": lambda _: [True],
    "a number as a path": lambda _: [{"path": 3}],
}


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("shape", LISTED)
@pytest.mark.parametrize("way", ["run", "call", "queue/join"])
async def test_event_data_lists_no_file_of_somebody_else(
    way: str, shape: str, mounted: Mounts, here: Path
) -> None:
    kept: list[Any] = []

    def keep(message: gr.SelectData) -> None:
        kept.append(message.value)

    with gr.Blocks() as demo:
        gr.Chatbot().option_select(keep, None, None, api_name="keep")
    house = await mounted(demo)
    ada = await house.signed_in()
    value = {"text": "x", "files": LISTED[shape](str(here / "notes.txt"))}
    event_data = {"index": 0, "value": value}
    body: dict[str, Any] = {"data": [], "event_data": event_data, "session_hash": "mine"}
    if way == "queue/join":
        body["fn_index"] = index_of(house, "keep")

    answered = await ada.http.post(
        f"{API}/{way if way == 'queue/join' else f'{way}/keep'}", json=body
    )

    assert is_problem(answered, 400), answered.text
    assert kept == []


@pytest.mark.parametrize("where", ["a list", "objects"])
async def test_event_data_lists_the_senders_own_files(where: str, mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        chat, kept = gr.Chatbot(), gr.Textbox()

        def keep(message: gr.SelectData) -> str:
            return f"kept {message.value['text']}"

        chat.option_select(keep, None, kept, api_name="keep")
    ada = await (await mounted(demo)).signed_in()
    path = await uploads(ada)
    files = [path] if where == "a list" else [{**as_file(path), "orig_name": "a.txt", "size": 3}]
    body = {"data": [], "event_data": {"index": 0, "value": {"text": "x", "files": files}}}

    answered = await ada.http.post(f"{API}/run/keep", json=body)

    assert answered.status_code == 200, answered.text
    assert answered.json()["data"] == ["kept x"]


@pytest.mark.parametrize("text", ["(/", "../", "a", "%41,", "http:"])
async def test_other_tasks_run_while_a_long_text_is_searched(text: str) -> None:
    turns, is_done = 0, False

    async def other() -> None:
        nonlocal turns
        while not is_done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await names_in([text * (20 * LONG_TEXT // len(text))])
    is_done = True
    await task

    assert turns >= 20


async def test_gradio_would_fetch_the_addresses_that_are_tested_here(
    elsewhere: Elsewhere, here: Path
) -> None:
    await processing_utils.async_ssrf_protected_download(f"{elsewhere.address}/x.png", str(here))

    assert elsewhere.connections == 1


# Programs that know more than paths


@pytest.mark.asvs("5.3.2", "13.2.4", "15.3.2")
@pytest.mark.parametrize("shows", [gr.Video, gr.Audio, gr.Gallery], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "text",
    [
        *("file:{here}/notes.png", "cache:{here}/notes.png", "async:{elsewhere}/got.mov"),
        *("concat:{here}/notes.png|{here}/notes.png", "rtsp://127.0.0.1:1/x", "tcp://127.0.0.1:1"),
        *(
            "{odd}/got.mov",
            "note%1d.png",
            "notes%d.png",
            "subfile,,start,0,end,0,,:{here}/notes.png",
            "-i",
        ),
    ],
)
async def test_a_program_gets_no_text_that_is_no_file(
    shows: Any,
    text: str,
    mounted: Mounts,
    here: Path,
    elsewhere: Elsewhere,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Any] = []

    def start(*command: Any, **_: Any) -> None:
        started.append(command)
        raise OSError("no such program")

    monkeypatch.setattr("subprocess.Popen.__init__", start)
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    with gr.Blocks() as demo:
        gr.Button().click(
            lambda t: [f"{t}.mov"] if shows is gr.Gallery else f"{t}.mov",
            gr.Textbox(),
            shows(),
            api_name="show",
        )
    ada = await (await mounted(demo)).signed_in()
    odd = elsewhere.address.replace("://", ":")
    word = text.format(here=here, elsewhere=elsewhere.address, odd=odd)

    response = await ada.http.post(f"{API}/run/show", json={"data": [word]})

    assert response.status_code == 400, response.text
    assert not started
    assert elsewhere.connections == 0


async def test_captions_and_subtitles_are_no_files(mounted: Mounts, here: Path) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(
            lambda: [("notes.png", "Note: a caption"), "notes.png"],
            None,
            gr.Gallery(),
            api_name="all",
        )
        gr.Button().click(
            lambda: ("notes.png", [((0, 0, 1, 1), "file: a label")]),
            None,
            gr.AnnotatedImage(),
            api_name="one",
        )
    ada = await (await mounted(demo)).signed_in()

    for name in ("all", "one"):
        last = completed(await ada.runs(name))
        assert last["success"], last
