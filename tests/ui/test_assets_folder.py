"""Pages load Gradio's front end from a folder whose name changes with our changes of it."""

import os
import re
import subprocess
import sys

import gradio as gr
import pytest

from entrypoints.ui.delivery import front_end
from entrypoints.ui.delivery.front_end import (
    FRONT_END,
    ChangedScript,
    assets_folder,
    changed_scripts,
)
from tests.processes import ROOT
from tests.ui.conftest import GRADIO, Mounts

OF_ANOTHER_RELEASE = "assets_00000000"


async def test_a_page_of_another_release_gets_the_files_of_this_one(mounted: Mounts) -> None:
    stranger = (await mounted(gr.Blocks())).anonymous().http
    names = [path.name for path in (FRONT_END / "assets").glob("[HI]*-*.js")]

    for name in sorted(names):
        answers = [
            await stranger.get(f"{GRADIO}/{at}/{name}")
            for at in (assets_folder(), OF_ANOTHER_RELEASE, "assets")
        ]

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
    assert names


async def test_a_page_names_the_folder_of_this_release_only(mounted: Mounts) -> None:
    written = """<script src="./assets/a.js"> ='./assets/' ="./assets/"""
    with gr.Blocks(title=written) as demo:
        gr.Markdown(written)
    with demo.route("Second", "/second"):
        gr.Textbox(written)
    ada = await (await mounted(demo)).signed_in()

    for path in ("/", "/second"):
        page = (await ada.http.get(f"{GRADIO}{path}")).text
        named = re.findall(r'(?:src|href)="\./(\w+)/', page)

        assert named == [assets_folder()] * 2
        assert page.count('\\"./assets/a.js') >= 1
        assert page.count(assets_folder()) == 2


def test_the_folder_is_the_same_in_another_process() -> None:
    code = "from entrypoints.ui.delivery.front_end import assets_folder; print(assets_folder())"

    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split()[-1] == assets_folder()


def test_the_folder_changes_with_each_script_that_is_changed_and_with_gradio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripts = changed_scripts()
    found = {assets_folder()}

    for path, script in scripts.items():
        text = script.bodies[b""] + b";"
        changed = {**scripts, path: ChangedScript({**script.bodies, b"": text})}
        monkeypatch.setattr(front_end, "changed_scripts", lambda changed=changed: changed)
        found.add(assets_folder.__wrapped__())
    monkeypatch.setattr(front_end, "changed_scripts", lambda: scripts)
    assert assets_folder.__wrapped__() == assets_folder()
    monkeypatch.setattr(gr, "__version__", "6.999.0")
    found.add(assets_folder.__wrapped__())

    assert len(found) == 1 + len(scripts) + 1
