"""Charts are drawn as the app describes them, and an expression in a chart reaches nothing but the chart."""

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
_BOOLEAN, _FUNCTION = "true.constructor", "''.constructor.constructor"
_STEPS: Final = (
    f"n == 1 ? modify('d', null, null, null, {_BOOLEAN}, {{g: {_FUNCTION}}})"
    f" : n == 3 ? modify('d', null, null, null, {_BOOLEAN}, {{h: data('d')[0].g}}) : 0"
)
HACK: Final = {
    "$schema": "https://vega.github.io/schema/vega/v5.json",
    "usermeta": {"embedOptions": {"renderer": "svg", "ast": False}},
    "data": [{"name": "d", "values": [[RUNS]]}],
    "signals": [
        {"name": "n", "value": 0, "on": [{"events": "timer{300}", "update": "n + 1"}]},
        {"name": "a", "value": 0, "on": [{"events": {"signal": "n"}, "update": _STEPS}]},
    ],
}
"""Vega has functions of its own that call others. What runs is data of the chart."""

APP: Final = """
import json
from pathlib import Path

import gradio as gr
import pandas as pd

class Chart:
    def to_json(self):
        return Path("hack.json").read_text()

class Filtered:
    def to_json(self):
        return json.dumps({
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "usermeta": {"embedOptions": {"renderer": "svg"}},
            "data": {"values": [{"a": 1}, {"a": 2}, {"a": 3}]},
            "transform": [
                {"filter": "datum.a > 1 && isNumber(datum.a)"},
                {"calculate": "'n' + format(datum.a * 2, '.1f')", "as": "b"},
            ],
            "mark": {"type": "bar", "tooltip": True},
            "encoding": {"x": {"field": "b", "type": "nominal"}, "y": {"field": "a", "type": "quantitative"}},
        })

Chart.__module__ = Filtered.__module__ = "altair.vegalite"  # Gradio knows a chart by its module.
data = pd.DataFrame({"x": [1, 2, 3, 4], "y": [4, 1, 3, 2], "kind": ["a", "b", "a", "b"]})

with gr.Blocks(title="Charts") as demo:
    gr.HTML("<h2>Charts</h2>")  # The page may make functions of texts.
    gr.ScatterPlot(data, x="x", y="y", color="kind", elem_id="scatter")
    gr.BarPlot(data, x="kind", y="y", y_aggregate="sum", sort="-y", elem_id="bars")
    gr.LinePlot(data, x="x", y="y", color="kind", elem_id="lines")
    gr.Plot(Filtered(), elem_id="filtered")
    shown = gr.Plot(elem_id="hack")
    gr.Button("Show").click(Chart, None, shown)

demo.launch()
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("charts")
    (folder / "hack.json").write_text(json.dumps(HACK))
    with serving(folder, APP) as origin:
        yield origin


@pytest.fixture
def tab(origin: str, new_browser: NewBrowser) -> Page:
    tab = page_for_john(new_browser, origin, "/gradio/charts/")
    expect(tab.get_by_role("button", name="Show")).to_be_visible()
    return tab


def test_charts_are_drawn(tab: Page) -> None:
    for chart, kind, count in (
        ("scatter", "symbol", 4),
        ("bars", "rect", 2),
        ("lines", "line", 2),
        ("filtered", "rect", 2),
    ):
        marks = tab.locator(f"#{chart} .mark-{kind}.role-mark:not(.hover_marks) path")
        expect(marks).to_have_count(count)
    expect(tab.locator("#filtered")).to_contain_text("n4.0")


@pytest.mark.asvs("3.2.2", "1.3.2")
def test_an_expression_in_a_chart_runs_nothing_in_the_page(tab: Page) -> None:
    tab.get_by_role("button", name="Show").click()
    expect(tab.locator("#hack svg.marks")).to_have_count(1)
    tab.wait_for_timeout(3000)

    assert tab.title() == "Charts"
