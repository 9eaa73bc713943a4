"""What is said about metrics, and the dashboard, hold the same names as the gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transcoder.observe.catalogue import METRICS, Metric

DOCS = Path(__file__).parents[2] / "docs"


def kind_of(metric: Metric) -> str:
    has_one_value = metric.kind == "gauge" and metric.merge is not sum
    return f"{metric.kind} ({metric.merge.__name__})" if has_one_value else metric.kind


def test_every_metric_is_documented() -> None:
    text = (DOCS / "metrics.md").read_text()
    rows = re.findall(r"^\| `(transcoder_\w+)` \| (.+?) \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted(
        (name, kind_of(metric), ", ".join(f"`{label}`" for label in metric.labels) or "-", metric.help)
        for name, metric in METRICS.items()
    )


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"transcoder(_[a-z]+)+", name)
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert bool(metric.buckets) == (metric.kind == "histogram"), name
        if metric.kind == "histogram":
            assert name.endswith("_seconds"), name


def series() -> Iterator[str]:
    """The names under which a query finds the metrics."""
    for name, metric in METRICS.items():
        suffixes = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        yield from (name + suffix for suffix in suffixes)


def queries(dashboard: Any) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_dashboard_asks_for_metrics_there_are_and_for_all_of_them() -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    asked = {name for query in queries(dashboard) for name in re.findall(r"transcoder_\w+", query)}
    assert asked - set(series()) == set()
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in asked}
    assert families == set(METRICS)


def test_dashboard_groups_by_labels_there_are() -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    for query in queries(dashboard):
        name = re.sub("_(bucket|count|sum)$", "", re.findall(r"transcoder_\w+", query)[0])
        used = re.findall(r"\bby \((.*?)\)", query) + re.findall(r"(\w+)(?:=~|!=|=)\"", query)
        labels = {label for names in used for label in names.split(", ")}
        assert labels <= {*METRICS[name].labels, "le", "instance"}, query


def test_dashboard_can_be_imported() -> None:
    panels = json.loads((DOCS / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"]
