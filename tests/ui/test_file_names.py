"""Files may have every name that a bare Gradio app takes, and come back under the same name with equal bytes."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file  # type: ignore[import-untyped]

from tests.processes import Process
from tests.ui.attacks import FILE_META
from tests.ui.conftest import GRADIO, Mounts
from tests.ui.serving import served

APP: Final = """
import shutil
import tempfile
from pathlib import Path

import gradio as gr


def copy(path):
    return shutil.copy(path, tempfile.mkdtemp())


with gr.Blocks() as demo:
    sent, shown = gr.File(), gr.File()
    gr.Button().click(lambda path: path, sent, shown, api_name="same")
    gr.Button().click(copy, sent, shown, api_name="copied")
    gr.Button().click(lambda paths: paths, gr.File(file_count="multiple"), gr.Files(), api_name="batch")
"""
NAMES: Final = (
    "a b.txt",
    " a .txt",
    "a'b.txt",
    'a"b.txt',
    "100%.txt",
    "a%20b.txt",
    "a#b.txt",
    "a?b.txt",
    "a;b.txt",
    "a&b=c+d.txt",
    "a,b.txt",
    "a\\b.txt",
    "(a) [b] {c}.txt",
    "<a>|*:b.txt",
    "$a`~!@^.txt",
    "资料.txt",
    "ملف.txt",
    "e\u0301t\u00e9.txt",  # é as two characters, and as one.
    "\u2066🎉 👩‍👩‍👧.txt",
    f"{'n' * 176}.txt",
    f"{'资' * 176}.txt",
    "a\nb.txt",
    "a..txt. .",
    "no ending",
    "CON.txt",
    ".gitignore",
    ".env",
    ".git",
    "...a",
    "#.txt",
)


@dataclass(frozen=True, slots=True)
class Returned:
    """A file in an event's output, as the client sees it."""

    name: str
    orig_name: str
    size: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Site:
    """An app at an address, used as its page uses it."""

    http: httpx.AsyncClient
    below: str

    async def gives_back(self, api_name: str, *names: str) -> list[Returned]:
        """Upload files together, let an event return them, and fetch them."""
        api = f"{self.below}/gradio_api"
        files = [("files", (name, name.encode())) for name in names]
        uploaded = await self.http.post(f"{api}/upload", files=files)
        assert uploaded.status_code == 200, uploaded.text
        sent: Any = [
            {"path": path, "orig_name": name, "meta": FILE_META}
            for name, path in zip(names, uploaded.json(), strict=True)
        ]
        data = [sent if api_name == "batch" else sent[0]]
        called = await self.http.post(f"{api}/call/{api_name}", json={"data": data})
        told = await self.http.get(f"{api}/call/{api_name}/{called.json()['event_id']}")
        event, _, line = told.text.strip().rpartition("\ndata: ")
        assert event.endswith("event: complete"), (names, told.text)
        [shown] = json.loads(line)
        return [await self._fetched(one) for one in (shown if api_name == "batch" else [shown])]

    async def _fetched(self, shown: dict[str, Any]) -> Returned:
        fetched = await self.http.get(shown["url"])
        assert fetched.status_code == 200, shown
        name = Path(shown["path"]).name
        return Returned(name, shown["orig_name"], shown["size"], fetched.content)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the app alone, and yield its address. Gradio keeps its files outside the working directory then."""
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "alone.py").write_text(f"{APP}\ndemo.launch()\n")
    with monkeypatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept alone"))
        process = Process("alone", folder=folder)
    yield process.hears(r"http://127\.0\.0\.1:\d+").group(0)
    process.end()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder that also has the folder of the app's files, as the data folder usually is."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder / "gradioapp-data/gradio"))
    return folder


def built() -> gr.Blocks:
    names: dict[str, Any] = {}
    exec(APP, names)
    demo: gr.Blocks = names["demo"]
    return demo


@pytest.mark.server
@pytest.mark.usefixtures("here")
async def test_a_file_with_any_name_comes_back_as_from_a_bare_app(
    mounted: Mounts, alone: str
) -> None:
    house = await mounted(built())
    ours = Site((await house.signed_in()).http, GRADIO)

    async with httpx.AsyncClient(base_url=alone, timeout=30) as http:
        bare = Site(http, "")
        for name in NAMES:
            # A file of ours with such a name, outside Gradio's folder, may hold secrets.
            for api_name in ("same",) if name in {".env", ".git"} else ("same", "copied"):
                expected = await bare.gives_back(api_name, name)
                assert [one.content for one in expected] == [name.encode()]
                assert await ours.gives_back(api_name, name) == expected, name
        assert await ours.gives_back("batch", *NAMES) == await bare.gives_back("batch", *NAMES)


@pytest.mark.server
async def test_gradios_client_gets_the_same_files_as_from_a_bare_app(
    mounted: Mounts, alone: str, here: Path
) -> None:
    house = await mounted(built())
    ada = await house.signed_in()
    sent = [here / name for name in (".gitignore", "a\nb 100%.txt", "资料 ?#.txt", "🎉.txt")]
    for path in sent:
        path.write_text(path.name)

    def runs(address: str, **headers: str) -> list[tuple[str, str]]:
        folder = str(here / "downloads")
        client = Client(address, headers=headers, download_files=folder, verbose=False)
        try:
            files = client.predict([handle_file(path) for path in sent], api_name="/batch")
        finally:
            client.close()
        return [(Path(file).name, Path(file).read_text()) for file in files]

    async with served(house) as origin:
        cookie = f"gradioapp-session={ada.http.cookies['gradioapp-session']}"
        ours = await asyncio.to_thread(runs, f"{origin}{GRADIO}/", cookie=cookie, origin=origin)

    assert ours == await asyncio.to_thread(runs, alone)
    assert [content for _, content in ours] == [path.name for path in sent]
