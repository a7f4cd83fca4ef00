"""What a user writes is shown by the template of a gr.HTML, and never runs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.served_apps import page_for_john, serving

pytestmark = pytest.mark.browser

NewBrowser = Callable[[], BrowserContext]

RUNS: Final = "document.title = 'hacked'"
WRITTEN: Final = (
    f"${{{RUNS}}}",
    f"$${{{RUNS}}}",
    f"\\${{{RUNS}}}",
    f"`+({RUNS})+`",
    f"\\`+({RUNS})+`",
    f"{{{RUNS}}}",
    f"\"+({RUNS})+'",
    "C:\\new\\u0041\\",
    "a $ {b} `c` \"d\" 'e' <i>f</i> & \n g",
    "$",
    f"{{{{lookup this}}}} {{{RUNS}}}",
)
"""Texts of users. The sixth follows a `$` of the template, or one of the text before it."""

APP: Final = """
import json
from pathlib import Path

import gradio as gr

texts = json.loads(Path("written.json").read_text())
each = "{{#each value}}<li>%s</li>{{/each}}"

with gr.Blocks(title="Wall") as demo:
    gr.HTML(texts, html_template=each % "{{this}}", elem_id="texts")
    gr.HTML([{"text": text} for text in texts], html_template=each % "{{text}}", elem_id="members")
    gr.HTML(dict.fromkeys(texts, 1), html_template=each % "{{@key}}", elem_id="keys")
    gr.HTML(texts, html_template=each % "${{this}}", elem_id="prices")
    gr.HTML("", texts=texts, html_template="{{#each texts}}<li>{{this}}</li>{{/each}}", elem_id="props")
    gr.HTML(texts, html_template="<ul>{{#each value}}{{this}}{{/each}}</ul>", elem_id="together")
    gr.HTML(texts, html_template="${value.map(text => `<li>${text.length}</li>`).join('')}", elem_id="lengths")
    gr.HTML("${1 + 1}", html_template="<li>${value}</li><li>${1 + 1} {{#if value}}yes{{/if}}</li>", elem_id="both")
    wall = gr.HTML([], html_template=each % "{{this}}", elem_id="wall")
    gr.Button("Show").click(lambda: texts, None, wall)

demo.launch()
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("templates")
    (folder / "written.json").write_text(json.dumps(WRITTEN))
    with serving(folder, APP) as origin:
        yield origin


@pytest.fixture
def tab(origin: str, new_browser: NewBrowser) -> Page:
    tab = page_for_john(new_browser, origin, "/gradio/wall/")
    expect(tab.locator("#both li")).to_have_count(2)
    return tab


def shown(tab: Page, name: str) -> list[str]:
    return [text or "" for text in tab.locator(f"#{name} li").all_text_contents()]


@pytest.mark.asvs("3.2.2", "1.3.2")
def test_a_text_in_a_template_is_shown_as_it_is_and_does_not_run(tab: Page) -> None:
    tab.get_by_role("button", name="Show").click()
    expect(tab.locator("#wall li")).to_have_count(len(WRITTEN))

    for name in ("texts", "members", "keys", "props", "wall"):
        assert shown(tab, name) == list(WRITTEN), name
    assert shown(tab, "prices") == [f"${text}" for text in WRITTEN]
    assert tab.locator("#together ul").text_content() == "".join(WRITTEN)
    assert tab.title() == "Wall"


def test_templates_of_javascript_have_the_values_themselves(tab: Page) -> None:
    assert shown(tab, "lengths") == [str(len(text)) for text in WRITTEN]
    assert shown(tab, "both") == ["${1 + 1}", "2 yes"]
    assert tab.title() == "Wall"
