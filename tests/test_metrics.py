"""The Grafana dashboard and the documents use the names of the metrics that the service offers."""

import json
import re
from pathlib import Path
from typing import Any, Final

from prometheus_client.metrics_core import Metric

from application.container import build
from application.settings import load
from entrypoints.metrics import Metrics, ProcessMetrics

ROOT: Final = Path(__file__).parents[1]
DASHBOARD: Final[dict[str, Any]] = json.loads(
    (ROOT / "deploy" / "grafana" / "gradioapp.json").read_text()
)
OF_PROMETHEUS: Final = {"instance", "le"}
"""Labels that Prometheus adds."""


def offered() -> list[Metric]:
    metrics = Metrics.empty()
    container = build(load(env_file=None, environment="test"))
    metrics.show(
        ProcessMetrics(
            read_load=container.use_cases().read_load,
            count_sessions=lambda: 0,
            job_states=lambda: {"purge": "ok"},
        )
    )
    container.hasher().close()
    return list(metrics._registry.collect())


def series(metric: Metric) -> set[str]:
    """Return the names that a query may use, without the times of creation."""
    if metric.type == "counter":
        return {f"{metric.name}_total"}
    if metric.type == "histogram":
        return {f"{metric.name}_{end}" for end in ("bucket", "sum", "count")}
    return {metric.name}


def queries() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*found, *(one["definition"] for one in DASHBOARD["templating"]["list"][1:])]


def rows() -> dict[str, list[str]]:
    """Return the labels of each metric in the table of the documents."""
    text = (ROOT / "docs" / "operating.md").read_text()
    found = re.findall(r"^\| `(gradioapp_\w+)` \| ([^|]*)\|", text, flags=re.MULTILINE)
    return {name: re.findall(r"`(\w+)`", labels) for name, labels in found}


def test_the_dashboard_uses_only_metrics_that_the_service_offers() -> None:
    used = {name for query in queries() for name in re.findall(r"gradioapp_\w+", query)}

    assert used
    assert used <= set().union(*map(series, offered()))


def test_the_dashboard_shows_every_metric_of_the_service() -> None:
    used = {name for query in queries() for name in re.findall(r"gradioapp_\w+", query)}

    found = offered()

    assert len(found) > 10
    assert [metric.name for metric in found if series(metric).isdisjoint(used)] == []


def test_the_dashboard_groups_only_by_labels_of_the_metrics() -> None:
    labels = rows()
    for query in queries():
        names = re.findall(r"gradioapp_\w+", query)
        known = OF_PROMETHEUS | {
            label
            for name, found in labels.items()
            for label in found
            if any(used.startswith(name) for used in names)
        }
        for grouped in re.findall(r"by \(([^)]*)\)", query):
            assert set(grouped.split(", ")) <= known, query


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_the_documents_have_one_row_for_each_metric() -> None:
    names = {f"{m.name}_total" if m.type == "counter" else m.name for m in offered()}

    assert set(rows()) == names
