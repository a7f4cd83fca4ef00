"""Components that are installed as packages: their scripts and styles are served, and nothing else beside them."""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from tests.ui.attacks import API
from tests.ui.conftest import Browser, Mounts, completed

PACKAGE: Final = """
import gradio as gr
from gradio.components.base import Component


class Chart(Component):
    EVENTS = []

    def preprocess(self, payload):
        return payload

    def postprocess(self, value):
        return value

    def example_payload(self):
        return ""

    def example_value(self):
        return ""

    def api_info(self):
        return {"type": "string"}


class Unused(Chart):
    EVENTS = []


class Plain(gr.Textbox):
    EVENTS = []
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "a_package_of_components"
    templates = folder / "templates"
    (templates / "component" / "inner").mkdir(parents=True)
    (templates / "example").mkdir()
    (folder / "__init__.py").write_text(PACKAGE)
    for place in (
        *(
            "component/index.js",
            "component/style.css",
            "component/Chunk-a1_B.js",
            "example/index.js",
        ),
        *("component/.env", "component/notes.html", "component/inner/index.js", "secret.js"),
    ):
        (templates / place).write_text(f"of {place}")
    (templates / "component" / "link.js").symlink_to(templates / "secret.js")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield importlib.import_module(folder.name)
    del sys.modules[folder.name]


def _address(kind: Any, file: str = "component/index.js") -> str:
    return f"{API}/custom_component/{kind.get_component_class_id()}/client/{file}"


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        ("component/index.js", "text/javascript"),
        ("component/style.css", "text/css"),
        ("component/Chunk-a1_B.js", "text/javascript"),
        ("example/index.js", "text/javascript"),
    ],
)
async def test_files_of_a_used_component_are_served(
    mounted: Mounts, package: Any, file: str, media_type: str
) -> None:
    with gr.Blocks() as demo:
        package.Chart()
    ada = await (await mounted(demo)).signed_in()

    response = await ada.http.get(_address(package.Chart, file))
    again = await ada.http.get(
        _address(package.Chart, file), headers={"if-none-match": response.headers["etag"]}
    )
    page = await ada.http.get("/gradio/")

    assert (response.status_code, response.text) == (200, f"of {file}")
    assert response.headers["content-type"].startswith(media_type)
    assert response.headers["cache-control"] == "private, no-cache"
    assert again.status_code == 304
    assert f"{API}/custom_component/" in page.headers["content-security-policy"]


@pytest.mark.asvs("5.3.2", "13.4.2")
@pytest.mark.parametrize(
    "file",
    [
        *(
            "component/.env",
            "component/notes.html",
            "component/inner/index.js",
            "component/link.js",
        ),
        *("component/inner", "component/missing.js", "secret.js", "other/index.js"),
        *("component/../secret.js", "component/%2e%2e%2fsecret.js", "component/..%5csecret.js"),
        *("../templates/component/index.js", "component/index.js%00", "component/"),
    ],
)
async def test_no_other_file_of_the_package_is_served(
    mounted: Mounts, package: Any, file: str
) -> None:
    with gr.Blocks() as demo:
        package.Chart()
    ada = await (await mounted(demo)).signed_in()

    response = await ada.http.get(_address(package.Chart, file))

    assert response.status_code in {400, 404}
    assert "of " not in response.text


@pytest.mark.parametrize("kind", ["Unused", "Plain"])
async def test_a_component_that_the_app_does_not_use_is_not_served(
    mounted: Mounts, package: Any, kind: str
) -> None:
    with gr.Blocks() as demo:
        package.Chart()
    ada = await (await mounted(demo)).signed_in()

    assert (await ada.http.get(_address(getattr(package, kind)))).status_code == 404
    assert (await ada.http.get(_address(gr.Textbox))).status_code == 404
    assert (
        await ada.http.get(f"{API}/custom_component/0/client/component/index.js")
    ).status_code == 404


@pytest.mark.asvs("8.2.2")
async def test_strangers_get_no_file_of_a_component(mounted: Mounts, package: Any) -> None:
    with gr.Blocks() as demo:
        package.Chart()
    house = await mounted(demo)

    response = await house.anonymous().http.get(_address(package.Chart))

    assert response.status_code == 401


async def test_a_component_that_gr_render_builds_is_served_from_then_on(
    mounted: Mounts, package: Any
) -> None:
    with gr.Blocks() as demo:

        @gr.render()  # type: ignore[untyped-decorator]
        def build() -> None:
            package.Chart()

    ada: Browser = await (await mounted(demo)).signed_in()

    before = await ada.http.get(_address(package.Chart))
    body = {"data": [], "fn_index": 0, "session_hash": "tab"}
    await ada.http.post(f"{API}/queue/join", json=body)
    assert completed(await ada.told("tab"))["success"]
    after = await ada.http.get(_address(package.Chart))

    assert (before.status_code, after.status_code) == (404, 200)
