"""Only accounts that own a file can fetch it or send it as an input."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import gradio as gr
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from gradio.data_classes import _StaticFiles

from entrypoints import ui
from tests.ui.attacks import (
    API,
    as_file,
    fetches,
    index_of,
    is_problem,
    joins,
    uploads,
)
from tests.ui.conftest import GRADIO, Browser, House, Mounts, completed


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where Gradio keeps the files of this test's apps."""
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(kept))
    static = list(_StaticFiles.all_paths)
    yield kept
    _StaticFiles.all_paths = static


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder where the app makes its outputs."""
    place = tmp_path / "made"
    place.mkdir()
    return place


def reading(seen: list[str]) -> gr.Blocks:
    """An app that reads the file in its input."""

    def read(path: str | None) -> str:
        text = Path(path).read_text() if path else "nothing"
        seen.append(text)
        return text

    with gr.Blocks() as demo:
        file, shown = gr.File(), gr.Textbox()
        gr.Button().click(read, file, shown, api_name="read")
    return cast("gr.Blocks", demo)


def paths_of(told: list[dict[str, Any]]) -> set[str]:
    """Return all paths in the messages, however deep."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                found.add(value["path"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(told)
    return found


async def everybody(house: House) -> tuple[Browser, Browser, Browser]:
    return (
        await house.signed_in(),
        await house.signed_in("bob@example.org"),
        house.anonymous(),
    )


async def is_hers_alone(house: House, path: str, ada: Browser, bob: Browser) -> None:
    assert (await fetches(ada, path)).status_code == 200, path
    assert (await fetches(bob, path)).status_code == 404, path
    assert (await fetches(house.anonymous(), path)).status_code == 401, path


@pytest.mark.asvs("8.2.2", "8.4.1", "5.3.2")
async def test_an_upload_is_fetched_only_by_its_account_also_after_a_restart(
    mounted: Mounts,
) -> None:
    house = await mounted(reading([]))
    ada, bob, _ = await everybody(house)

    path = await uploads(ada, b"of Ada", upload_id="up")

    await is_hers_alone(house, path, ada, bob)
    phone = await house.signed_in()
    assert (await fetches(phone, path)).text == "of Ada"
    claims: Any = house.pages.claims
    claims._known.clear()  # Like after a restart, or on another replica.
    await is_hers_alone(house, path, ada, bob)


async def test_accounts_that_upload_equal_files_both_own_the_file(mounted: Mounts) -> None:
    house = await mounted(reading([]))
    ada, bob, _ = await everybody(house)

    assert await uploads(ada, b"same") == await uploads(bob, b"same")
    hers = await uploads(ada, b"same", "other name.txt")

    assert (await fetches(bob, await uploads(bob, b"same"))).text == "same"
    assert (await fetches(bob, hers)).status_code == 404


def tricks(path: str) -> list[str]:
    folder, sha, name = path.rsplit("/", 2)
    here = os.path.relpath(path)
    return [
        path,
        f"/{path}",
        f"//{path}",
        f"/../..{path}",
        f"{folder}/../{Path(folder).name}/{sha}/{name}",
        f"{folder}//{sha}//{name}",
        f"{folder}/./{sha}/./{name}",
        f"{folder}/{sha}/../{sha}/{name}",
        f"{folder}/nothing/../{sha}/{name}",
        f"{path}/",
        f"{path}/.",
        f"{path}.",
        f"{path}..",
        f"{path} ",
        here,
        f"./{here}",
        path.replace("/", "%2F"),
        path.replace("/", "%252F"),
        path.replace(".", "%2e"),
        path.upper(),
        f"{folder}/{sha.upper()}/{name}",
        f"{folder}/{sha}/{name.upper()}",
        f"file://{path}",
        f"file:{path}",
        f"FILE://{path}",
        f"{path}?x=1",
        f"{path}#x",
        f"{path}\\",
        path.replace("/", "\\"),
    ]


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_no_spelling_of_its_path_opens_a_file_of_another_account(
    mounted: Mounts, folder: Path
) -> None:
    house = await mounted(reading([]))
    ada, bob, _ = await everybody(house)
    path = await uploads(ada, b"of Ada")
    link = folder.parent / "link"
    link.symlink_to(folder)
    (folder / "inner").symlink_to(path)
    ways = [*tricks(path), *tricks(path.replace(str(folder), str(link))), f"{folder}/inner"]

    for way in ways:
        quoted = way.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
        for address in (f"file={quoted}", f"file={way}", f"file/{quoted}", f"file//{quoted}"):
            answer = await bob.http.get(f"{API}/{address}")
            assert answer.status_code in {307, 400, 404}, address
            assert "of Ada" not in answer.text, address
    for way in (f"{path}%00", f"{path}%0a", "%00", "", ".", "~", "x" * 5000):
        assert (await bob.http.get(f"{API}/file={way}")).status_code in {400, 404}, way


@pytest.mark.asvs("5.3.2", "16.5.1")
async def test_a_path_of_the_server_and_an_invented_one_get_the_same_response(
    mounted: Mounts, tmp_path: Path
) -> None:
    house = await mounted(reading([]))
    ada = await house.signed_in()
    (tmp_path / "notes.txt").write_text("of the server")

    found = []
    for path in ("/etc/passwd", "/etc/invented", "/etc", tmp_path / "notes.txt", "README.md"):
        response = await ada.http.get(f"{API}/file={path}")
        found.append((response.status_code, {**response.json(), "request_id": ""}))

    assert found == [found[0]] * 5
    assert found[0][0] == 404


@pytest.mark.asvs("5.3.2", "8.2.2")
async def test_an_input_cannot_name_a_file_of_another_account(
    mounted: Mounts, folder: Path
) -> None:
    seen: list[str] = []
    house = await mounted(reading(seen))
    ada, bob, _ = await everybody(house)
    path = await uploads(ada, b"of Ada")
    link = folder.parent / "link"
    link.symlink_to(folder)

    ways = [*tricks(path), *tricks(path.replace(str(folder), str(link))), f"{path}\0"]
    for number, way in enumerate(ways):
        for value in ({"path": way}, as_file(way), as_file(way, url=f"{API}/file={path}")):
            body = {"data": [value], "session_hash": f"his{number}"}
            ran = await bob.http.post(f"{API}/run/read", json=body)
            called = await bob.http.post(f"{API}/call/v2/read", json={"file": value})
            assert is_problem(ran, 400), way
            assert is_problem(called, 400), way

    assert seen == []
    assert is_problem(await posts(bob, as_file(path)), 400)
    assert (await ada.gets("read", as_file(path))) == "of Ada"


@pytest.mark.asvs("1.3.6")
@pytest.mark.parametrize("scheme", ["http", "https", "HTTP", " http"])
async def test_a_url_in_a_file_input_is_not_fetched(
    scheme: str, mounted: Mounts, folder: Path
) -> None:
    seen: list[str] = []
    demo = reading(seen)
    with demo:
        gr.Button().click(lambda value: value, gr.JSON(), gr.JSON(), api_name="json")
    house = await mounted(demo)
    ada = await house.signed_in()
    file = as_file(f"{scheme}://127.0.0.1:9/a.txt")

    answers = [
        await posts(ada, file),
        await posts(ada, {"files": [{"file": file}]}),
        await ada.http.post(f"{API}/run/read", json={"data": [file]}),
        await ada.http.post(f"{API}/call/read", json={"data": [file]}),
        await ada.http.post(f"{API}/call/v2/read", json={"file": file}),
    ]

    assert all(is_problem(answer, 400) for answer in answers)
    assert all("downloads nothing" in answer.json()["detail"] for answer in answers)
    assert seen == []
    too_many = await ada.http.post(f"{API}/run/json", json={"data": [None, file]})
    assert is_problem(too_many, 400)
    assert await ada.gets("json", {"path": "https://example.org"}) == {
        "path": "https://example.org"
    }


async def posts(browser: Browser, *data: Any, raw: bytes | None = None, **more: Any) -> Any:
    body = {"data": data, "fn_index": 0, "session_hash": "his"} | more
    return await browser.http.post(
        f"{API}/queue/join",
        content=json.dumps(body) if raw is None else raw,
        headers={"content-type": "application/json"},
    )


async def test_a_file_of_another_account_is_refused_anywhere_in_a_body(mounted: Mounts) -> None:
    seen: list[Any] = []
    with gr.Blocks() as demo:
        data = gr.JSON()
        gr.Button().click(seen.append, data, None, api_name="note")
    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    path = await uploads(ada)
    deep: Any = {"path": path}
    for _ in range(50):
        deep = [deep] if isinstance(deep, dict) else {"inner": deep}

    escaped = json.dumps({"data": [{"path": path}], "fn_index": 0, "session_hash": "his"})
    answers = [
        await posts(bob, {"path": path}),
        await posts(bob, [{"a": {"path": path, "meta": 1}}]),
        await posts(bob, deep),
        await posts(bob, {"path": {"path": path}}),
        await posts(bob, None, event_data={"value": {"image": as_file(path)}}),
        await posts(bob, raw=escaped.replace('"path"', '"\\u0070ath"').encode()),
        await posts(bob, raw=escaped.replace('"path"', '"p\\u0061th"').encode()),
    ]
    await bob.stream("his")

    assert all(is_problem(answer, 400) for answer in answers)
    assert seen == []
    assert (await posts(bob, {"path": "/etc/hosts", "more": [{"path": "a/b"}]})).status_code == 200


async def test_component_functions_and_streams_refuse_a_file_of_another_account(
    mounted: Mounts,
) -> None:
    with gr.Blocks() as demo:
        explorer = gr.FileExplorer(root_dir="domain")
        audio = gr.Audio(sources=["microphone"], streaming=True, type="filepath")
        audio.stream(str, audio, gr.Textbox(), api_name="hear", time_limit=30)
    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    event_id = await joins(bob, house, "hear", None, tab="his")

    for path in (await uploads(ada), "/etc/passwd", "http://127.0.0.1:9/"):
        served = await bob.http.post(
            f"{API}/component_server",
            json={
                "data": [{"path": path}],
                "component_id": explorer._id,
                "fn_name": "ls",
                "session_hash": "his",
            },
        )
        streamed = await bob.http.post(
            f"{API}/stream/{event_id}", json={"data": [as_file(path)], "session_hash": "his"}
        )

        assert is_problem(served, 400)
        assert is_problem(streamed, 400)
    await bob.http.post(f"{API}/stream/{event_id}/close")


EXAMPLES: Final = {"https://github.com/gradio-app/gradio/raw/main/test/test_files/sample_file.pdf"}
"""Paths in the description of a component that is rendered later."""


def giving(made: Path) -> gr.Blocks:
    """An app that returns files in every possible way; each file is named after the input."""

    def file(said: str, name: str = "a.txt") -> str:
        path = made / f"{said}-{name}"
        path.write_text(f"{said} {name}")
        return str(path)

    def files(said: str) -> list[str]:
        return [file(said, "1.txt"), file(said, "2.txt")]

    def gallery(said: str) -> list[tuple[str, str]]:
        return [(file(said, "1.txt"), "one"), (file(said, "2.txt"), "two")]

    def chat(said: str) -> list[dict[str, Any]]:
        return [
            {"role": "user", "content": said},
            {"role": "assistant", "content": {"path": file(said)}},
        ]

    def grow(said: str) -> Iterator[str]:
        for step in range(3):
            yield file(said, f"{step}.txt")

    async def grow_slowly(said: str) -> AsyncIterator[list[tuple[str, str]]]:
        shown: list[tuple[str, str]] = []
        for step in range(3):
            shown = [*shown, (file(said, f"{step}.txt"), "")]
            yield shown
            await asyncio.sleep(0)

    def batch(said: list[str]) -> list[list[str]]:
        return [[file(one) for one in said]]

    def table(said: str) -> Any:
        return pd.DataFrame({"file": [as_file(file(said))]})

    def html(said: str) -> Any:
        return as_file(file(said))

    def update(said: str) -> Any:
        return gr.File(value=file(said), label="changed")

    with gr.Blocks() as demo:
        said = gr.Textbox()
        single, several = gr.File(), gr.File(file_count="multiple")
        many, talk = gr.Gallery(), gr.Chatbot()
        button = gr.Button()
        button.click(file, said, single, api_name="file")
        button.click(file, said, gr.DownloadButton(), api_name="download")
        button.click(files, said, several, api_name="files")
        button.click(gallery, said, many, api_name="gallery")
        button.click(chat, said, talk, api_name="chat")
        button.click(grow, said, single, api_name="grow")
        button.click(grow_slowly, said, many, api_name="grow_slowly")
        button.click(batch, said, single, api_name="batch", batch=True, max_batch_size=4)
        button.click(update, said, single, api_name="update")
        shown = gr.HTML(html_template='<a href="${value.url}">it</a>')
        button.click(html, said, shown, api_name="html")
        button.click(table, said, gr.Dataframe(), api_name="table")

        @gr.render(  # type: ignore[untyped-decorator]
            inputs=said, triggers=[said.submit]
        )
        def show(said: str) -> None:
            if said:
                gr.File(value=file(said))

    return cast("gr.Blocks", demo)


@pytest.mark.asvs("8.2.2", "8.4.1")
@pytest.mark.parametrize(
    ("how", "count"),
    [
        *(("file", 1), ("download", 1), ("files", 2), ("gallery", 2), ("chat", 1)),
        *(("grow", 3), ("grow_slowly", 3), ("batch", 1), ("update", 1), ("render", 1)),
        *(("table", 1), ("html", 1)),
    ],
)
async def test_an_output_is_fetched_only_by_the_account_that_asked_for_it(
    mounted: Mounts, made: Path, folder: Path, how: str, count: int
) -> None:
    house = await mounted(giving(made))
    ada, bob, _ = await everybody(house)
    if how == "render":
        index = next(i for i, fn in house.demo.fns.items() if fn.renderable)
    else:
        index = index_of(house, how)

    await ada.http.post(
        f"{API}/queue/join",
        json={"data": ["ada"], "fn_index": index, "session_hash": "mine"},
    )
    told = await ada.told("mine")

    assert completed(told)["success"], told
    given = [path for path in folder.rglob("*ada*") if path.is_file()]  # noqa: ASYNC240
    assert len(given) == count
    for path in given:
        await is_hers_alone(house, str(path), ada, bob)
    shown = paths_of(told) - EXAMPLES
    assert shown
    assert shown <= {*map(str, given)}


def a_giver() -> tuple[gr.Blocks, Callable[[str], int]]:
    """Return an app that returns a chosen file, and a function that adds a choice and returns its number."""
    chosen: list[str] = []
    with gr.Blocks() as demo:
        number = gr.Number(precision=0)
        gr.Button().click(lambda n: chosen[n], number, gr.File(), api_name="give")

    def names(path: str) -> int:
        chosen.append(path)
        return len(chosen) - 1

    return demo, names


@pytest.mark.asvs("13.3.2", "5.3.2")
@pytest.mark.parametrize("through_a_link", [False, True])
async def test_the_secrets_of_the_service_are_given_to_nobody(
    mounted: Mounts,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    through_a_link: bool,
) -> None:
    """Gradio serves any file that an app names in the working directory or the temporary folder."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    if through_a_link:
        (tmp_path / "link").symlink_to(data)
    demo, names = a_giver()
    house = await mounted(demo, data_dir=tmp_path / ("link" if through_a_link else "data"))
    secrets = ["secret.key", "secret.key.old", "inner/copy.txt"]
    secrets += [f"gradioapp.sqlite3{end}" for end in ("", "-wal", "-shm", ".bak")]
    (data / "inner").mkdir()
    for name in secrets:
        (data / name).write_text("of the service")
    (tmp_path / "plain.txt").write_text("of the author")
    ada = await house.signed_in()

    given = completed(await ada.runs("give", names("plain.txt")))
    told = [
        completed(await ada.runs("give", names(place)))
        for name in secrets
        for place in (
            f"data/{name}",
            str(data / name),
            str(tmp_path / "data" / ".." / "data" / name),
        )
    ]

    assert given["success"], given
    assert [answer["success"] for answer in told] == [False] * len(told)
    assert not [path for path in folder.rglob("*") if path.name in secrets]  # noqa: ASYNC240


@pytest.mark.asvs("13.3.2", "13.4.1")
async def test_secret_files_of_developers_next_to_an_app_are_given_to_nobody(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secrets = [".env", ".env.local", ".ENV", ".git/config", "outputs/.env.prod", "link"]
    for name in secrets[:-1]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("of the author")
    (tmp_path / "link").symlink_to(tmp_path / ".env")
    (tmp_path / "outputs" / "plain.txt").write_text("for all")
    elsewhere = tmp_path / "elsewhere.sqlite3"
    for end in ("", "-wal", ".bak"):
        elsewhere.with_name(f"elsewhere.sqlite3{end}").write_text("of the service")
        secrets.append(f"elsewhere.sqlite3{end}")
    demo, names = a_giver()
    demo.allowed_paths = [str(tmp_path)]
    house = await mounted(demo, database_url=f"sqlite:///{elsewhere}")
    ada = await house.signed_in()

    given = [completed(await ada.runs("give", names(name))) for name in secrets]
    fetched = [(await fetches(ada, str(tmp_path / name))).status_code for name in secrets]
    plain = completed(await ada.runs("give", names("outputs/plain.txt")))

    assert [answer["success"] for answer in given] == [False] * len(secrets)
    assert fetched == [404] * len(secrets)
    assert plain["success"]


@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_cached_examples_are_given_only_by_their_own_page(
    mounted: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples of a page with roles are kept next to those of pages without roles."""
    kept = tmp_path / "data" / "examples"
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", str(kept))
    for place in ("mine/7/log.csv", "theirs/8/log.csv"):
        (kept / place).parent.mkdir(parents=True)
        (kept / place).write_text("of the page")
    demo, names = a_giver()
    with demo:
        explorer = gr.FileExplorer(root_dir=str(tmp_path))
    page = ui.Page(demo, title="Mine", kept_examples=kept / "mine")
    with gr.Blocks() as home:
        gr.Markdown("Home")
    house = await mounted(home, others=[page], data_dir=tmp_path / "data")
    ada = await house.signed_in()
    below = f"{GRADIO}/mine/gradio_api"

    def gives(place: str) -> Any:
        return ada.http.post(f"{below}/run/give", json={"data": [names(str(kept / place))]})

    fetched = [
        await ada.http.get(f"{api}/file={kept / place}")
        for api in (API, below)
        for place in ("mine/7/log.csv", "theirs/8/log.csv")
    ]
    listed = await ada.http.post(
        f"{below}/component_server",
        json={
            "data": ["data", "examples"],
            "component_id": explorer._id,
            "fn_name": "ls",
            "session_hash": "hers",
        },
    )

    assert [answer.status_code for answer in fetched] == [404] * 4
    assert (await gives("theirs/8/log.csv")).status_code == 400
    assert (await gives("mine/7/log.csv")).status_code == 200
    assert listed.json() == []


async def test_two_callers_in_one_batch_get_their_own_files(mounted: Mounts, made: Path) -> None:
    sizes: list[int] = []
    go_on, reached = asyncio.Event(), asyncio.Event()

    async def batch(said: list[str]) -> list[list[str]]:
        sizes.append(len(said))
        reached.set()
        await go_on.wait()
        for one in said:
            (made / one).write_text(one)
        return [[str(made / one) for one in said]]

    with gr.Blocks() as demo:
        gr.Button().click(
            batch, gr.Textbox(), gr.File(), api_name="batch", batch=True, max_batch_size=4
        )
    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    await joins(ada, house, "batch", "first", tab="earlier")
    await reached.wait()

    await joins(ada, house, "batch", "ada", tab="mine")
    await joins(bob, house, "batch", "bob", tab="his")
    go_on.set()
    [hers] = paths_of(await ada.told("mine"))
    [his] = paths_of(await bob.told("his"))

    assert sizes == [1, 2]
    await is_hers_alone(house, hers, ada, bob)
    await is_hers_alone(house, his, bob, ada)


async def test_an_output_without_the_queue_is_claimed(mounted: Mounts, made: Path) -> None:
    house = await mounted(giving(made))
    ada, bob, _ = await everybody(house)

    answer = await ada.http.post(f"{API}/run/gallery", json={"data": ["ada"]})

    paths = paths_of(answer.json()["data"])
    assert paths
    for path in paths:
        await is_hers_alone(house, path, ada, bob)


@pytest.mark.parametrize("way", ["queue", "run", "call"])
async def test_an_output_can_be_fetched_at_its_url(way: str, mounted: Mounts, made: Path) -> None:
    house = await mounted(giving(made))
    ada = await house.signed_in()

    if way == "queue":
        output = completed(await ada.runs("gallery", "ada"))["output"]["data"]
    elif way == "run":
        output = (await ada.http.post(f"{API}/run/gallery", json={"data": ["ada"]})).json()["data"]
    else:
        called = await ada.http.post(f"{API}/call/gallery", json={"data": ["ada"]})
        told = await ada.http.get(f"{API}/call/gallery/{called.json()['event_id']}")
        output = json.loads(told.text.partition("data: ")[2])

    assert [entry["caption"] for entry in output[0]] == ["one", "two"]
    for entry in output[0]:
        assert (await ada.http.get(entry["image"]["url"])).text.startswith("ada ")


Words = Callable[[Any], Any]
REPEATING: dict[str, tuple[Callable[[], Any], Words]] = {
    "json": (gr.JSON, lambda value: {"word": value}),
    "browser state": (lambda: gr.BrowserState({}), lambda value: {"word": value}),
    "parameters": (lambda: gr.ParamViewer({}), lambda value: {"word": value}),
    "html": (gr.HTML, lambda value: {"word": value}),
    "lists": (gr.Dataframe, lambda value: [[value]]),
    "pandas": (gr.Dataframe, lambda value: pd.DataFrame({"word": [value]})),
    "styler": (gr.Dataframe, lambda value: pd.DataFrame({"word": [value]}).style),
    "numpy": (gr.Dataframe, lambda value: np.array([[value]], dtype=object)),
    "data": (gr.Dataframe, lambda value: {"headers": ["word"], "data": [[value]]}),
}


@pytest.mark.parametrize(("shows", "made_of"), REPEATING.values(), ids=REPEATING)
async def test_a_callers_words_that_an_app_repeats_do_not_claim_a_file(
    mounted: Mounts, shows: Callable[[], Any], made_of: Words
) -> None:
    """Use an innocent app that repeats its input, so that its output consists of the caller's words."""

    def words(said: str) -> Any:
        return made_of(json.loads(said))

    with gr.Blocks() as demo:
        text, shown = gr.Textbox(), shows()
        gr.Button().click(words, text, shown, api_name="show")
        gr.Button().click(lambda said: gr.update(value=words(said)), text, shown, api_name="change")
        gr.Button().click(lambda said: type(shown)(words(said)), text, shown, api_name="make")

        @gr.render(  # type: ignore[untyped-decorator]
            inputs=text, triggers=[text.submit]
        )
        def render(said: str) -> None:
            if said:
                type(shown)(words(said))

    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    path = await uploads(ada)
    said = json.dumps(as_file(path, url=f"{API}/file={path}"))

    told = [completed(await bob.runs(name, said)) for name in ("show", "change", "make")]
    index = next(i for i, fn in house.demo.fns.items() if fn.renderable)
    await bob.http.post(
        f"{API}/queue/join", json={"data": [said], "fn_index": index, "session_hash": "his"}
    )
    told.append(completed(await bob.told("his")))

    assert all(answer["success"] for answer in told), told
    assert all(path in json.dumps(answer["output"]) for answer in told), told
    assert (await fetches(bob, path)).status_code == 404
    assert (await fetches(ada, path)).status_code == 200


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("wrapped", [str, os.path.relpath, lambda path: json.dumps({"it": path})])
async def test_a_caller_who_names_a_file_does_not_become_its_owner(
    mounted: Mounts, wrapped: Callable[[str], str]
) -> None:
    """Use an app that trusts its input."""

    def give(said: str) -> str:
        return str(json.loads(said)["it"] if said.startswith("{") else said)

    with gr.Blocks() as demo:
        gr.Button().click(give, gr.Textbox(), gr.File(), api_name="give")
        gr.Button().click(lambda path: path, gr.File(), gr.File(), api_name="same")
    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    path = await uploads(ada)

    await bob.runs("give", wrapped(path))
    assert completed(await ada.runs("same", as_file(path)))["success"]

    await is_hers_alone(house, path, ada, bob)


@pytest.mark.asvs("8.2.2", "13.3.2")
async def test_a_file_explorer_hides_files_of_other_accounts_and_of_the_service(
    mounted: Mounts, tmp_path: Path, folder: Path
) -> None:
    """The data folder is inside the explorer's folder, like for an app in the folder where the service starts."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "plain.txt").write_text("of the author")
    for name in ("secret.key", "secret.key.old", "gradioapp.sqlite3.bak"):
        (data / name).write_text("of the service")
    seen: list[str | None] = []

    def pick_all(paths: list[str]) -> list[list[str]]:
        seen.extend(paths)
        return [paths]

    with gr.Blocks() as demo:
        files = gr.FileExplorer(root_dir=str(tmp_path), file_count="single")
        gr.Button().click(seen.append, files, None, api_name="pick")
        gr.Button().click(lambda path: path, files, gr.File(), api_name="give")
        gr.Button().click(pick_all, files, gr.Textbox(), api_name="pick_all", batch=True)
    house = await mounted(demo, data_dir=data)
    ada, bob, _ = await everybody(house)
    [digest, name] = Path(await uploads(ada)).parts[-2:]

    async def lists(*steps: str) -> set[str]:
        body = {"data": steps, "component_id": files._id, "fn_name": "ls", "session_hash": "his"}
        return {
            item["name"]
            for item in (await bob.http.post(f"{API}/component_server", json=body)).json()
        }

    assert await lists() == {"plain.txt"}
    assert await lists("data") == set()
    assert await lists(folder.name) == await lists(folder.name, digest) == set()
    for steps in (
        ["data", "secret.key"],
        ["data/../data", "secret.key"],
        ["data", "secret.key.old"],
        ["data", "gradioapp.sqlite3.bak"],
        [folder.name, digest, name],
    ):
        for event in ("pick", "give", "pick_all"):
            assert not completed(await bob.runs(event, [steps]))["success"], steps
            direct = await bob.http.post(f"{API}/run/{event}", json={"data": [[steps]]})
            assert direct.status_code == 400, steps
    for event in ("pick", "pick_all"):
        assert completed(await bob.runs(event, [["plain.txt"]]))["success"]
    assert seen == [str(tmp_path / "plain.txt")] * 2


async def test_an_svg_is_not_more_public_than_other_files(mounted: Mounts) -> None:
    """Before an app runs, Gradio makes SVG files of the app static, so anybody could fetch them."""
    with gr.Blocks() as demo:
        picture = gr.Image(type="filepath")
        gr.Button().click(lambda path: path, picture, gr.File(), api_name="show")
    house = await mounted(demo)
    ada, bob, _ = await everybody(house)
    path = await uploads(ada, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg")

    shown = paths_of(await ada.runs("show", as_file(path, orig_name="a.svg")))

    assert shown
    for there in shown | {path}:
        await is_hers_alone(house, there, ada, bob)


async def test_files_that_the_app_is_built_with_are_fetched_by_all_callers(
    mounted: Mounts, made: Path
) -> None:
    seen: list[str] = []
    default, example, still = made / "default.txt", made / "example.txt", made / "still.txt"
    for file in (default, example, still):
        file.write_text(file.stem)
    gr.set_static_paths([still])
    with gr.Blocks() as demo:
        shown = gr.File(value=str(default))
        gr.Examples([[str(example)]], inputs=[shown])
        gr.Button().click(
            lambda path: seen.append(Path(path).read_text()), shown, None, api_name="read"
        )
    house = await mounted(demo)
    ada, _, _ = await everybody(house)

    config = (await ada.http.get("/gradio/config")).json()
    paths = {path for path in paths_of([config]) if path.startswith("/")}
    paths |= paths_of(await ada.runs("load_example", 0))
    texts = {(await fetches(ada, path)).text for path in [*paths, str(still)]}

    assert texts == {"default", "example", "still"}
    for path in paths:
        await ada.runs("read", as_file(path))
    assert set(seen) == {"default", "example"}


async def test_a_static_folder_around_ours_makes_nothing_public(
    mounted: Mounts, folder: Path
) -> None:
    gr.set_static_paths([folder.parent])
    house = await mounted(reading([]))
    ada, bob, _ = await everybody(house)

    await is_hers_alone(house, await uploads(ada), ada, bob)


async def test_the_upload_of_another_account_cannot_be_watched(mounted: Mounts) -> None:
    house = await mounted(reading([]))
    ada, bob, _ = await everybody(house)
    await uploads(ada, b"x" * 1000, "secret name.txt", upload_id="up")

    told = [
        await bob.http.get(f"{API}/upload_progress?upload_id=up"),
        await bob.http.get(f"{API}/upload_progress?upload%5Fid=up.{ada.session.id.hex}"),  # type: ignore[union-attr]
    ]
    own = await ada.http.get(f"{API}/upload_progress?upload_id=up")

    assert [answer.status_code for answer in told] == [404, 404]
    assert "done" in own.text


async def test_a_claimed_file_needs_no_further_query(mounted: Mounts, made: Path) -> None:
    house = await mounted(giving(made))
    ada, _, _ = await everybody(house)
    path = next(iter(paths_of(await ada.runs("file", "ada"))))
    house.pages.claims._use_cases = NoStore()  # type: ignore[assignment]

    assert path in paths_of(await ada.runs("file", "ada"))
    assert (await fetches(ada, path)).status_code == 200


class NoStore:
    """Has no methods, so every use fails."""
