"""An output that Gradio reads itself shows no file out of the app's reach, however its path is written."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import gradio as gr
import PIL.Image
import pytest
from gradio_client.client import Endpoint  # type: ignore[import-untyped]

from entrypoints.ui.files.public_addresses import is_public
from entrypoints.ui.files.showing import NOT_AT_YOUR_WORD, NOT_TO_SHOW, OUT_OF_REACH
from tests.ui.attacks import API, as_file, uploads
from tests.ui.conftest import Mounts, completed

SECRET: Final = "of the machine"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory, a temporary folder, and a home with a secret, which is in neither."""
    for name in ("here", "temporary", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for folder in ("here", "temporary", "home"):
        (tmp_path / folder / "a.csv").write_text(f"a\n{SECRET}\n")
        (tmp_path / folder / "a.json").write_text(json.dumps({"label": SECRET}))
        (tmp_path / folder / "a.vtt").write_text(f"WEBVTT\n\n00:00.000 --> 00:01.000\n{SECRET}\n")
    return tmp_path / "home"


def update(value: Any) -> Any:
    return gr.update(value=value)


def first(value: Any) -> Any:
    return value[0]


WAYS: Final[dict[str, tuple[Callable[[Any], Any], type[Any], Callable[[str], Any]]]] = {
    "text": (str, gr.Textbox, str),
    "update": (update, gr.Textbox, str),
    "json": (first, gr.JSON, lambda path: [path]),
}


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["~/a.csv", "~//a.csv", "~/../home/a.csv", "~/./a.csv"])
async def test_a_home_folder_in_a_callers_text_is_not_opened(
    way: str, path: str, mounted: Mounts
) -> None:
    fn, takes, shape = WAYS[way]
    with gr.Blocks() as demo:
        gr.Button().click(fn, takes(), gr.Dataframe(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", shape(path)))

    assert not last["success"]
    assert last["output"]["error"] in {NOT_AT_YOUR_WORD, OUT_OF_REACH}
    assert SECRET not in str(last)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
async def test_a_path_that_the_app_joins_stays_within_its_reach(
    name: str, mounted: Mounts, elsewhere: Path
) -> None:
    shows: Any = gr.Dataframe() if name == "a.csv" else gr.Label()
    with gr.Blocks() as demo:
        parts = [gr.Textbox(), gr.Textbox()]
        gr.Button().click(lambda a, b: f"{a}/{b}", parts, shows, api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", str(elsewhere), name))

    assert not last["success"]
    assert last["output"]["error"] == OUT_OF_REACH


@pytest.mark.asvs("5.3.2")
async def test_a_home_folder_that_the_app_puts_before_a_name_is_out_of_its_reach(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        gr.Button().click(lambda name: f"~/{name}", gr.Textbox(), gr.Dataframe(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", "a.csv"))

    assert not last["success"]
    assert last["output"]["error"] == OUT_OF_REACH


@pytest.mark.asvs("5.3.2")
async def test_subtitles_stay_within_the_reach_of_the_app(
    mounted: Mounts, elsewhere: Path, tmp_path: Path
) -> None:
    (tmp_path / "here" / "a.mp4").write_bytes(b"no film")

    def shows(folder: str, name: str) -> tuple[str, str]:
        return "a.mp4", f"{folder}/{name}"

    with gr.Blocks() as demo:
        parts = [gr.Textbox(), gr.Textbox()]
        gr.Button().click(shows, parts, gr.Video(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", str(elsewhere), "a.vtt"))

    assert not last["success"]
    assert last["output"]["error"] == OUT_OF_REACH


@pytest.mark.parametrize("folder", ["here", "temporary", "home"])
async def test_the_author_shows_tables_of_the_usual_folders_and_of_allowed_ones(
    folder: str, mounted: Mounts, tmp_path: Path
) -> None:
    path = str(tmp_path / folder / "a.csv")
    with gr.Blocks() as demo:
        gr.Button().click(lambda: path, None, gr.Dataframe(), api_name="show")
    vars(demo)["_gradioapp_launched"] = {"allowed_paths": [str(tmp_path / "home")]}
    ada = await (await mounted(demo)).signed_in()

    assert (await ada.gets("show"))["data"] == [[SECRET]]


async def test_an_uploaded_table_is_shown_to_its_owner_only(mounted: Mounts) -> None:
    shown: list[str] = []

    def of_first(path: str) -> str:
        shown.append(path)
        return shown[0]

    with gr.Blocks() as demo:
        gr.Button().click(of_first, gr.File(type="filepath"), gr.Dataframe(), api_name="show")
    house = await mounted(demo)
    ada, bob = await house.signed_in(), await house.signed_in("bob@example.org")
    of_ada = await uploads(ada, content=b"a\nada\n", name="a.csv")
    of_bob = await uploads(bob, content=b"a\nbob\n", name="a.csv")

    seen = await ada.gets("show", as_file(of_ada))
    last = completed(await bob.runs("show", as_file(of_bob)))

    assert seen["data"] == [["ada"]]
    assert (last["success"], last["output"]["error"]) == (False, NOT_TO_SHOW)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("kind", [set, tuple, iter, dict.fromkeys])
async def test_a_gallery_of_any_kind_shows_no_file_that_its_caller_names(
    kind: Any, mounted: Mounts, tmp_path: Path
) -> None:
    picture = tmp_path / "here" / "a.svg"
    picture.write_text(f"<svg><!-- {SECRET} --></svg>")
    with gr.Blocks() as demo:
        gr.Button().click(
            lambda text: kind(text.split()), gr.Textbox(), gr.Gallery(), api_name="show"
        )
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", f"{picture} {picture}"))

    assert (last["success"], last["output"]["error"]) == (False, NOT_AT_YOUR_WORD)


@pytest.mark.asvs("5.3.2")
async def test_a_picture_as_text_stays_within_the_reach_of_the_app(
    mounted: Mounts, elsewhere: Path
) -> None:
    (elsewhere / "a.svg").write_text(f"<svg><!-- {SECRET} --></svg>")
    with gr.Blocks() as demo:
        parts = [gr.Textbox(), gr.Textbox()]
        gr.Button().click(lambda a, b: f"{a}/{b}", parts, gr.Image(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", str(elsewhere), "a.svg"))

    assert (last["success"], last["output"]["error"]) == (False, OUT_OF_REACH)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize(
    "sentence",
    [
        *("show {} please", "img={}", "![x]({})", "look: {}.", "{} or else", "see `{}` now"),
        *("“{}”", "**{}**", "a.txt\u2028{}", "a.txt\x0b{}", "a.txt\x85{}"),
    ],
)
async def test_a_path_in_a_sentence_is_named_too(
    sentence: str, mounted: Mounts, tmp_path: Path
) -> None:
    path = str(tmp_path / "here" / "a.csv")
    with gr.Blocks() as demo:
        gr.Button().click(lambda _: path, gr.Textbox(), gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", sentence.format(path)))

    assert (last["success"], last["output"]["error"]) == (False, NOT_AT_YOUR_WORD)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ('{{"file": "{}\\u002ecsv"}}', json.loads),
        ('["\\/{}.csv"]', json.loads),
        ("file={}%2Ecsv", parse_qs),
        ("{}%2Ecsv", lambda text: [unquote(text)]),
    ],
)
async def test_a_path_that_is_written_with_escapes_is_named_too(
    said: str, reads: Callable[[str], Any], mounted: Mounts, tmp_path: Path
) -> None:
    path = str(tmp_path / "here" / "a")
    with gr.Blocks() as demo:
        text = gr.Textbox()
        gr.Button().click(lambda said: inner(reads(said)), text, gr.File(), api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(
        await ada.runs("show", said.format(path.removeprefix("/") if "/{" in said else path))
    )

    assert (last["success"], last["output"]["error"]) == (False, NOT_AT_YOUR_WORD)


def inner(value: Any) -> str:
    """Return the text within a value that has one."""
    while not isinstance(value, str):
        [value] = value.values() if isinstance(value, dict) else value
    return value


@pytest.mark.asvs("5.3.2", "13.3.2")
async def test_a_component_that_is_built_in_an_event_opens_nothing_that_the_caller_names(
    mounted: Mounts, tmp_path: Path
) -> None:
    path = tmp_path / "here" / "subtitles.json"
    path.write_text(json.dumps([{"text": SECRET, "timestamp": [0, 1]}]))
    built: list[str] = []
    with gr.Blocks() as demo:
        text = gr.Textbox()

        @gr.render(inputs=text, triggers=[text.change])  # type: ignore[untyped-decorator]
        def shows(said: str) -> None:
            try:
                built.append(str(gr.Audio(subtitles=said).subtitles))
            except ValueError as error:
                built.append(str(error.__cause__))

    house = await mounted(demo)
    ada = await house.signed_in()
    index = next(n for n, fn in house.demo.fns.items() if fn.renderable is not None)
    await ada.http.post(
        f"{API}/queue/join", json={"data": [str(path)], "fn_index": index, "session_hash": "tab"}
    )
    await ada.stream("tab")

    assert built == [repr(NOT_AT_YOUR_WORD)]


def as_text(path: str) -> str:
    return Path(path).read_text(errors="replace")[:40]


def as_bytes(path: str) -> str:
    with open(os.fsencode(path), "rb") as file:  # noqa: PTH123 -- As libraries do it.
        return repr(file.read(40))


def as_database(path: str) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return str(database.execute("SELECT 1").fetchone())


async def component_reads(path: str, mounted: Mounts, read: Callable[[str], str] = as_text) -> bool:
    """Return whether a component that opens the path which an app gives it has shown what is there."""
    with gr.Blocks() as demo:
        box = gr.Textbox()
        box.postprocess = lambda value: value and read(value)  # type: ignore[method-assign]
        gr.Button().click(lambda: path, None, box, api_name="show")
    ada = await (await mounted(demo)).signed_in()
    return bool(completed(await ada.runs("show"))["success"])


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "/proc/self/cmdline",
        "/proc/1/environ",
        "/proc/self/task/1/../../environ",
    ],
)
async def test_a_component_reads_nothing_of_the_process(path: str, mounted: Mounts) -> None:
    assert not await component_reads(path, mounted)


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize("read", [as_text, as_bytes, as_database])
async def test_a_component_reads_no_private_file_in_any_way(
    read: Callable[[str], str], mounted: Mounts, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "here" / ".env.db")):
        pass

    assert not await component_reads(str(tmp_path / "here" / ".env.db"), mounted, read)


async def test_a_component_reads_what_libraries_read_of_the_machine(mounted: Mounts) -> None:
    assert await component_reads("/proc/cpuinfo", mounted)


async def test_a_component_sees_how_a_program_does_that_it_has_started(mounted: Mounts) -> None:
    assert await component_reads(f"/proc/{os.getpid()}/stat", mounted)


@pytest.mark.parametrize("ip", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_an_address_of_the_internet_is_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.asvs("1.3.6")
@pytest.mark.parametrize(
    "ip",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0"),
        *(
            "100.100.100.200",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
        ),
        *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:100.64.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1"),
        *("", "localhost", "127.1"),
    ],
)
def test_an_address_of_a_network_of_ones_own_is_not_public(ip: str) -> None:
    assert not is_public(ip)


SUBTITLES: Final[dict[str, Callable[[str], Any]]] = {
    "gr.update": lambda path: gr.update(subtitles=path),
    "a new gr.Audio": lambda path: gr.Audio(subtitles=path),
    "a new gr.Video": lambda path: gr.Video(subtitles=path),
}
MARKS: Final[dict[str, Callable[[str], Any]]] = {
    "gr.update": lambda path: gr.update(value="a.mp4", watermark=gr.WatermarkOptions(path)),
    "a new gr.Video": lambda path: gr.Video("a.mp4", watermark=gr.WatermarkOptions(path)),
    "a new gr.Image": lambda path: gr.Image("a.png", watermark=gr.WatermarkOptions(path)),
}


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("way", SUBTITLES)
@pytest.mark.parametrize("name", ["a.json", "a.srt", "a.vtt"])
async def test_subtitles_of_an_update_stay_within_the_reach_of_the_app(
    way: str, name: str, mounted: Mounts, elsewhere: Path
) -> None:
    (elsewhere / "a.srt").write_text(f"1\n00:00:00,000 --> 00:00:01,000\n{SECRET}\n")
    (elsewhere / "a.json").write_text(json.dumps([{"text": SECRET, "timestamp": [0, 1]}]))
    with gr.Blocks() as demo:
        parts = [gr.Textbox(), gr.Textbox()]
        shows: Any = gr.Audio() if way.endswith("Audio") else gr.Video()
        gr.Button().click(lambda a, b: SUBTITLES[way](f"{a}/{b}"), parts, shows, api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", str(elsewhere), name))

    assert (last["success"], last["output"]["error"]) == (False, OUT_OF_REACH)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("way", MARKS)
async def test_a_watermark_of_an_update_stays_within_the_reach_of_the_app(
    way: str, mounted: Mounts, elsewhere: Path, tmp_path: Path
) -> None:
    for path in (elsewhere / "mark.png", tmp_path / "here" / "a.png"):
        PIL.Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "here" / "a.mp4").write_bytes(b"no film")
    with gr.Blocks() as demo:
        parts = [gr.Textbox(), gr.Textbox()]
        shows: Any = gr.Image() if way.endswith("Image") else gr.Video()
        gr.Button().click(lambda a, b: MARKS[way](f"{a}/{b}"), parts, shows, api_name="show")
    ada = await (await mounted(demo)).signed_in()

    last = completed(await ada.runs("show", str(elsewhere), "mark.png"))

    assert (last["success"], last["output"]["error"]) == (False, OUT_OF_REACH)


async def test_subtitles_of_the_author_stay_when_an_event_changes_their_component(
    mounted: Mounts, elsewhere: Path
) -> None:
    (elsewhere / "a.json").write_text(json.dumps([{"text": "hi", "timestamp": [0, 1]}]))
    with gr.Blocks() as demo:
        shows = gr.Audio(subtitles=str(elsewhere / "a.json"))
        gr.Button().click(lambda: gr.update(label="Changed"), None, shows, api_name="show")
    ada = await (await mounted(demo)).signed_in()

    assert (await ada.gets("show"))["label"] == "Changed"


@pytest.mark.asvs("5.3.2", "13.3.2")
async def test_examples_that_are_built_in_an_event_open_nothing_that_the_caller_names(
    mounted: Mounts, tmp_path: Path
) -> None:
    (tmp_path / "here" / "samples").mkdir()
    (tmp_path / "here" / "samples" / "log.csv").write_text(f"text\n{SECRET}\n")
    built: list[str] = []
    with gr.Blocks() as demo:
        text = gr.Textbox()

        @gr.render(inputs=text, triggers=[text.change])  # type: ignore[untyped-decorator]
        def shows(said: str) -> None:
            try:
                folder = said.rpartition(" ")[2] + "s"
                built.append(str(gr.Examples(folder, gr.Textbox(), outputs=text).examples))
            except gr.Error as error:
                built.append(error.message)

    house = await mounted(demo)
    ada = await house.signed_in()
    index = next(n for n, fn in house.demo.fns.items() if fn.renderable is not None)
    named = f"{tmp_path}/here/samples/log.csv, sample"
    await ada.http.post(
        f"{API}/queue/join", json={"data": [named], "fn_index": index, "session_hash": "tab"}
    )
    await ada.stream("tab")

    assert built == [NOT_AT_YOUR_WORD]


FLAGS: Final = ["json", "browserstate", "paramviewer"]


def flagging(component: type[Any], folder: Path) -> gr.Blocks:
    demo, logger = gr.Blocks(), gr.CSVLogger()

    def flag(value: Any) -> None:
        logger.flag([value])

    with demo:
        shows = component()
        logger.setup([shows], str(folder / "here" / "flagged"))
        gr.Button().click(flag, shows, None, preprocess=False, api_name="flag")
    return demo


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize("where", ["value", "props"])
@pytest.mark.parametrize(
    "path", ["gradioapp-data/secret.key", "/dev/null", "{home}/a.csv", "a.csv"]
)
async def test_flagging_a_chat_copies_no_file_that_is_not_of_its_caller(
    kind: str, where: str, path: str, mounted: Mounts, elsewhere: Path, tmp_path: Path
) -> None:
    house = await mounted(
        flagging(gr.Chatbot, tmp_path), data_dir=str(tmp_path / "here" / "gradioapp-data")
    )
    (tmp_path / "here" / "gradioapp-data").mkdir(exist_ok=True)
    (tmp_path / "here" / "gradioapp-data" / "secret.key").write_text(SECRET)
    part = {
        "type": "component",
        "component": kind,
        "value": {},
        "constructor_args": {},
        "props": {},
    }
    part[where] = {"path": path.format(home=elsewhere)}
    ada = await house.signed_in()

    last = completed(await ada.runs("flag", [{"role": "user", "content": [part]}]))

    assert not last["success"]
    assert last["output"]["error"] in {NOT_TO_SHOW, OUT_OF_REACH, NOT_AT_YOUR_WORD}
    assert not [
        one
        for one in (tmp_path / "here" / "flagged").rglob("*")
        if one.suffix != ".csv" and one.is_file()
    ]


async def test_flagging_keeps_a_copy_of_what_the_caller_has_uploaded(
    mounted: Mounts, tmp_path: Path
) -> None:
    ada = await (await mounted(flagging(gr.File, tmp_path))).signed_in()
    path = await uploads(ada, content=b"of Ada", name="b.txt")

    last = completed(await ada.runs("flag", as_file(path)))
    assert last["success"], last
    [copy] = (tmp_path / "here" / "flagged").rglob("b.txt")
    assert copy.read_bytes() == b"of Ada"


@pytest.mark.asvs("5.3.2", "13.3.2")
@pytest.mark.parametrize(
    ("path", "refusal"), [("a.csv", NOT_AT_YOUR_WORD), ("/proc/self/environ", NOT_TO_SHOW)]
)
async def test_a_client_of_another_app_sends_no_file_that_the_caller_names(
    path: str, refusal: str, mounted: Mounts
) -> None:
    def sends(value: dict[str, Any]) -> None:
        Endpoint._upload_file(None, value, 0)

    with gr.Blocks() as demo:
        gr.Button().click(sends, gr.JSON(), None, api_name="send")
    ada = await (await mounted(demo)).signed_in()
    marked = {"path": path, "meta": {"_type": "gradio.FileData"}}

    last = completed(await ada.runs("send", marked))

    assert (last["success"], last["output"]["error"]) == (False, refusal)
