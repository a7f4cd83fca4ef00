"""Components from the package index are drawn behind sign-in as they are by `python FILE.py`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import signs_in
from tests.nginx import free_port
from tests.processes import Process

pytestmark = [pytest.mark.browser, pytest.mark.server]

APP: Final = """
import gradio as gr
import numpy as np
from gradio_huggingfacehub_search_next import HuggingfaceHubSearch
from gradio_image_annotation import image_annotator
from gradio_image_annotation_redaction import image_annotator as redactor

box = {"xmin": 10, "ymin": 10, "xmax": 60, "ymax": 60, "label": "A", "color": (255, 0, 0)}
picture = np.full((100, 100, 3), 200, np.uint8)
drawn = {"image": picture, "boxes": [box]}


def count(value, other):
    return f"{len(value['boxes'])} box, {value['image'].shape}, {other['boxes'][0]['label']}"


with gr.Blocks(title="Boxes") as demo:
    boxes = image_annotator(drawn, label_list=["A"], label_colors=[(255, 0, 0)])
    others = redactor(drawn, label_list=["A"], label_colors=[(255, 0, 0)])
    HuggingfaceHubSearch(label="Model", placeholder="Find a model")
    out = gr.Textbox(label="Out")
    gr.Button("Count").click(count, [boxes, others], out)

demo.launch(server_port=PORT, footer_links=[])
"""

NewBrowser = Callable[[], BrowserContext]


@contextmanager
def started(*command: str, folder: Path, pattern: str) -> Iterator[str]:
    process = Process(*command, folder=folder)
    try:
        yield process.hears(pattern).group(1)
    finally:
        process.end()


def seen(page: Page) -> tuple[str, int, str]:
    """Return the text of the app's page, the number of drawn pictures, and the result of an event."""
    expect(page.locator("canvas")).to_have_count(2)
    expect(page.get_by_placeholder("Find a model")).to_be_visible()
    text = page.locator("gradio-app").inner_text()
    page.get_by_role("button", name="Count", exact=True).dispatch_event("click")
    out = page.get_by_label("Out")
    expect(out).not_to_have_value("")
    return text, page.locator("canvas").count(), out.input_value()


def test_three_packages_from_the_index_are_drawn_as_they_are_without_the_service(
    new_browser: NewBrowser, tmp_path: Path
) -> None:
    (tmp_path / "boxes.py").write_text(APP.replace("PORT", str(free_port())))
    with started("boxes", folder=tmp_path, pattern=r"local URL:\s+(\S+)") as url:
        page = new_browser().new_page()
        page.goto(url)
        bare = seen(page)

    serve = ("gradioapp", "serve", "--app", "boxes.py", "--sample-users", "--port", "0")
    with started(*serve, folder=tmp_path, pattern=r"Serving at (http://127\.0\.0\.1:\d+)") as url:
        page = new_browser().new_page()
        faults: list[str] = []
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/gradio/boxes/")
        signs_in(page, "jane@test.com", "secret")

        assert seen(page) == bare
        assert bare[2] == "1 box, (100, 100, 3), A"
        assert not faults
        assert [one for one in asked if "/custom_component/" in one]
        assert [one for one in asked if "/assets/" in one] == []
