"""Gradio's own files are read and compressed once for all callers."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import gradio as gr
import httpx
import pytest
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from entrypoints.ui import Page
from entrypoints.ui.delivery import assets
from entrypoints.ui.delivery.assets import Assets
from entrypoints.ui.delivery.front_end import (
    FRONT_END,
    assets_folder,
    changed_scripts,
)
from entrypoints.ui.wire.exchange import Exchange
from tests.ui.conftest import GRADIO, Mounts

SCRIPT = "/assets/a.js"
OF_ANOTHER_RELEASE = "assets_00000000"


class Files:
    """The app behind the cache, in Gradio's place; counts its requests."""

    def __init__(self, *, status: int = 200) -> None:
        self.asked: Counter[str] = Counter()
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked[scope["path"]] += 1
        encoding = dict(scope["headers"]).get(b"accept-encoding", b"none").decode()
        text = f"{scope['path']} as {encoding}"
        headers = {"etag": '"1"', "vary": "accept-encoding"}
        is_known = b"if-none-match" in dict(scope["headers"])
        answer = Response(text, 304 if is_known else self.status, headers)
        await answer(scope, receive, send)


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
async def http(files: Files) -> AsyncIterator[httpx.AsyncClient]:
    kept = Assets()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        names = {"path": scope["path"]}
        exchange = Exchange(scope=scope, receive=receive, send=send, names=names)
        await kept.respond(files, exchange)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def test_a_file_is_made_once_and_is_the_same_for_all_callers(
    http: httpx.AsyncClient, files: Files
) -> None:
    first, second = [await http.get(SCRIPT) for _ in range(2)]

    assert files.asked[SCRIPT] == 1
    assert (first.text, first.headers) == (second.text, second.headers)


async def test_each_encoding_is_made_once_whatever_else_a_client_accepts(
    http: httpx.AsyncClient, files: Files
) -> None:
    said = [
        (await http.get(SCRIPT, headers={"accept-encoding": accepted})).text.rpartition(" ")[2]
        for accepted in ("br, gzip", "gzip, deflate, br", "gzip", "deflate, gzip", "deflate", "")
    ]

    assert said == ["br", "br", "gzip", "gzip", "deflate", ""]
    assert files.asked[SCRIPT] == 2 + 2  # The last two are not compressed, and not kept.


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-1"},
        {"if-none-match": '"1"'},
        {"if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        {"accept-encoding": "gzip;q=0, br"},
    ],
)
async def test_conditional_and_partial_requests_are_passed_to_gradio(
    headers: dict[str, str], http: httpx.AsyncClient, files: Files
) -> None:
    await http.get(SCRIPT)

    for _ in range(2):
        await http.get(SCRIPT, headers=headers)

    assert files.asked[SCRIPT] == 3


async def test_only_the_body_of_a_get_is_kept(http: httpx.AsyncClient, files: Files) -> None:
    for _ in range(2):
        await http.head(SCRIPT)

    assert files.asked[SCRIPT] == 2


@pytest.mark.parametrize(
    "path",
    [
        *("/assets/x/%2e%2e/a.js", "/assets/%2e/a.js", "/assets/a.js/%2e", "/assets/..a.js"),
        *("/assets//a.js", "/assets/a.js/", "/assets/a%20b.js", "/theme.css"),
    ],
)
async def test_a_path_in_another_spelling_is_not_kept(
    path: str, http: httpx.AsyncClient, files: Files
) -> None:
    for _ in range(2):
        assert (await http.get(httpx.URL(f"http://here{path}"))).status_code == 200

    assert files.asked.total() == 2


async def test_a_missing_file_is_looked_up_again(http: httpx.AsyncClient, files: Files) -> None:
    files.status = 404
    assert (await http.get(SCRIPT)).status_code == 404
    files.status = 200

    assert (await http.get(SCRIPT)).status_code == 200


async def test_the_kept_files_take_no_more_memory_than_the_limit(
    http: httpx.AsyncClient, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "LARGEST", 30)
    paths = ["/assets/one.js", "/assets/two.js"]

    for _ in range(2):
        for path in paths:
            assert (await http.get(path)).text.startswith(path)

    assert [files.asked[path] for path in paths] == [1, 2]


async def test_a_file_whose_first_reader_left_is_whole_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    file.write_bytes(b"x" * 1_000_000)
    kept = Assets()

    async def asks(received: list[Message]) -> bytes:
        body = bytearray()

        async def receive() -> Message:
            return received.pop(0)

        async def send(message: Message) -> None:
            body.extend(message.get("body", b""))

        headers = [(b"accept-encoding", b"br")]
        scope: Scope = {"type": "http", "method": "GET", "path": SCRIPT, "headers": headers}
        exchange = Exchange(scope=scope, receive=receive, send=send, names={"path": SCRIPT})
        await kept.respond(FileResponse(file), exchange)
        return bytes(body)

    empty: Message = {"type": "http.request", "body": b"", "more_body": False}
    await asks([empty, {"type": "http.disconnect"}])

    assert len(await asks([empty])) == 1_000_000


async def test_apps_share_gradios_files_but_not_their_themes(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    with gr.Blocks() as other:
        gr.Textbox()
    vars(other)["_gradioapp_launched"] = {"theme": gr.themes.Monochrome()}
    house = await mounted(demo, others=[Page(other, title="Other")])
    ada = await house.signed_in()
    document = (await ada.http.get(f"{GRADIO}/")).text
    name = re.search(r'src="\./(assets\w*/[^"]+\.js)"', document)
    assert name

    scripts = [await ada.http.get(f"{GRADIO}{at}/{name.group(1)}") for at in ("", "/other", "")]
    themes = [await ada.http.get(f"{GRADIO}{at}/theme.css?v=1") for at in ("", "/other")]

    assert [script.status_code for script in scripts] == [200] * 3
    assert len({script.content for script in scripts}) == 1
    assert "immutable" in scripts[1].headers["cache-control"]
    assert len({script.headers["x-request-id"] for script in scripts}) == 3
    assert themes[0].text != themes[1].text


# The folder of the front end


async def test_a_file_is_kept_once_for_all_folders(http: httpx.AsyncClient, files: Files) -> None:
    for name in ("assets", assets_folder(), OF_ANOTHER_RELEASE):
        assert (await http.get(f"/{name}/a.js")).text.startswith(SCRIPT)

    assert files.asked == {SCRIPT: 1}


@pytest.mark.parametrize(
    "headers", [{}, {"accept-encoding": "identity"}, {"if-none-match": '"1"'}], ids=repr
)
async def test_browsers_keep_a_file_of_the_folder_of_this_release_and_ask_again_for_all_others(
    headers: dict[str, str], http: httpx.AsyncClient
) -> None:
    script = next(iter(changed_scripts())).rpartition("/")[2]

    rules = {
        (name, file): (await http.get(f"/{name}/{file}", headers=headers)).headers["cache-control"]
        for name in (assets_folder(), "assets", OF_ANOTHER_RELEASE, "static")
        for file in ("a.js", script)
    }

    assert rules == {
        **dict.fromkeys([(assets_folder(), "a.js"), (assets_folder(), script)], assets.HASHED),
        **dict.fromkeys([("assets", "a.js"), ("assets", script)], "no-cache"),
        **dict.fromkeys([(OF_ANOTHER_RELEASE, "a.js"), (OF_ANOTHER_RELEASE, script)], "no-cache"),
        **dict.fromkeys([("static", "a.js"), ("static", script)], assets.UNHASHED),
    }


# The scripts that are changed


@pytest.fixture(params=["/assets/index-", "/assets/HTML-", "/assets/AltairPlot-", "/assets/embed-"])
def changed(request: pytest.FixtureRequest) -> str:
    """Return the path of a script: that with which each page begins, that of gr.HTML, and two that draw charts."""
    [path] = [path for path in changed_scripts() if path.startswith(request.param)]
    return path


def scripts_with(pattern: str) -> set[str]:
    """Return the paths of all scripts of Gradio that contain the pattern."""
    return {
        f"/{path.relative_to(FRONT_END).as_posix()}"
        for path in FRONT_END.rglob("*.js")
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }


def test_each_script_that_runs_texts_of_users_is_changed() -> None:
    defining = scripts_with(r"define\([`'\"]gradio-app")
    filling = scripts_with(r"Handlebars")
    drawing = scripts_with(r"expressionInterpreter")

    assert (len(defining), len(filling), len(drawing)) == (1, 1, 2)
    assert defining | filling | drawing == changed_scripts().keys()


@pytest.mark.parametrize(
    "headers",
    [
        {"accept-encoding": "br"},
        {"accept-encoding": "gzip, deflate"},
        {"accept-encoding": "identity"},
        {"accept-encoding": "gzip;q=0.5"},
        {"range": "bytes=0-99"},
        {"if-none-match": '"1"'},
    ],
)
@pytest.mark.parametrize("spelling", ["/{}/{}", "/{}/./{}", "/{}//{}", "/{}/x/../{}"])
@pytest.mark.parametrize("named", ["assets", assets_folder(), OF_ANOTHER_RELEASE])
async def test_the_script_is_sent_changed_and_whole_whatever_is_asked(
    changed: str, named: str, spelling: str, headers: dict[str, str], mounted: Mounts
) -> None:
    house = await mounted(gr.Blocks())
    ada = await house.signed_in()
    name = changed.rpartition("/")[2]

    url = httpx.URL(house.origin, raw_path=f"{GRADIO}{spelling.format(named, name)}".encode())
    answer = await ada.http.get(url, headers=headers)

    if answer.status_code != 404:
        assert answer.status_code == 200
        assert answer.content == changed_scripts()[changed].bodies[b""]
        assert answer.content != (FRONT_END / changed[1:]).read_bytes()
        assert ("immutable" in answer.headers["cache-control"]) == (named == assets_folder())
    assert answer.status_code == 200 or spelling != "/{}/{}"


async def test_a_head_request_of_the_script_has_no_body(changed: str, mounted: Mounts) -> None:
    ada = await (await mounted(gr.Blocks())).signed_in()

    answer = await ada.http.head(f"{GRADIO}{changed}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 10_000
