"""Gradio's own files, which are read and compressed once for everybody."""

import re
from collections import Counter
from collections.abc import AsyncIterator

import gradio as gr
import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from entrypoints.ui import Page, assets
from entrypoints.ui.assets import Assets
from tests.ui.conftest import GRADIO, Mounts

SCRIPT = "/assets/a.js"


class Files:
    """Behind it, as Gradio is; counts what it is asked."""

    def __init__(self, *, status: int = 200) -> None:
        self.asked: Counter[str] = Counter()
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked[scope["path"]] += 1
        encoding = dict(scope["headers"]).get(b"accept-encoding", b"none").decode()
        text = f"{scope['path']} as {encoding}"
        answer = Response(text, self.status, {"etag": '"1"', "vary": "accept-encoding"})
        await answer(scope, receive, send)


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
async def http(files: Files) -> AsyncIterator[httpx.AsyncClient]:
    kept = Assets()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await kept.answer(files, scope, receive, send, path=scope["path"])

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def test_a_file_is_made_once_and_is_the_same_for_everybody(
    http: httpx.AsyncClient, files: Files
) -> None:
    first, second = [await http.get(SCRIPT) for _ in range(2)]

    assert files.asked[SCRIPT] == 1
    assert (first.text, first.headers) == (second.text, second.headers)


async def test_each_encoding_is_made_once_whatever_else_a_client_takes(
    http: httpx.AsyncClient, files: Files
) -> None:
    said = [
        (await http.get(SCRIPT, headers={"accept-encoding": accepted})).text.rpartition(" ")[2]
        for accepted in ("br, gzip", "gzip, deflate, br", "gzip", "deflate, gzip", "deflate", "")
    ]

    assert said == ["br", "br", "gzip", "gzip", "deflate", ""]
    assert files.asked[SCRIPT] == 2 + 2  # The last two are as they came.


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-1"},
        {"if-none-match": '"1"'},
        {"if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        {"accept-encoding": "gzip;q=0, br"},
    ],
)
async def test_what_is_asked_in_another_way_is_gradios_to_answer(
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
async def test_another_way_of_writing_a_path_is_not_kept(
    path: str, http: httpx.AsyncClient, files: Files
) -> None:
    for _ in range(2):
        assert (await http.get(httpx.URL(f"http://here{path}"))).status_code == 200

    assert files.asked.total() == 2


async def test_what_is_not_there_is_looked_for_again(http: httpx.AsyncClient, files: Files) -> None:
    files.status = 404
    assert (await http.get(SCRIPT)).status_code == 404
    files.status = 200

    assert (await http.get(SCRIPT)).status_code == 200


async def test_they_take_no_more_than_so_much_memory(
    http: httpx.AsyncClient, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "LARGEST", 30)
    paths = ["/assets/one.js", "/assets/two.js"]

    for _ in range(2):
        for path in paths:
            assert (await http.get(path)).text.startswith(path)

    assert [files.asked[path] for path in paths] == [1, 2]


async def test_apps_share_gradios_files_and_not_their_themes(mounted: Mounts) -> None:
    with gr.Blocks() as demo:
        gr.Textbox()
    with gr.Blocks() as other:
        gr.Textbox()
    vars(other)["_gradioapp_launched"] = {"theme": gr.themes.Monochrome()}
    house = await mounted(demo, others=[Page(other, title="Other")])
    ada = await house.signed_in()
    document = (await ada.http.get(f"{GRADIO}/")).text
    name = re.search(r'src="\./(assets/[^"]+\.js)"', document)
    assert name

    scripts = [await ada.http.get(f"{GRADIO}{at}/{name.group(1)}") for at in ("", "/other", "")]
    themes = [await ada.http.get(f"{GRADIO}{at}/theme.css?v=1") for at in ("", "/other")]

    assert [script.status_code for script in scripts] == [200] * 3
    assert len({script.content for script in scripts}) == 1
    assert "immutable" in scripts[1].headers["cache-control"]
    assert len({script.headers["x-request-id"] for script in scripts}) == 3
    assert themes[0].text != themes[1].text
