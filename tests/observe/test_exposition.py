"""The page with the metrics of all workers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from transcoder.observe.catalogue import METRICS, Sample
from transcoder.observe.cells import shared_memory
from transcoder.observe.exposition import exposition
from transcoder.observe.metrics import Metrics

Labels = tuple[tuple[str, str], ...]


@pytest.fixture
def memories() -> Iterator[list[int]]:
    descriptors = [shared_memory() for _ in range(3)]
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def page(memories: list[int], gauges: list[Sample] | None = None) -> dict[str, dict[Labels, float]]:
    """Every sample by its name and its labels, in the order of their names."""
    text, _ = exposition(memories, gauges or [], "")
    found: dict[str, dict[Labels, float]] = {}
    for family in parse(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_counters_are_summed(memories: list[int]) -> None:
    for number, memory in enumerate(memories):
        count = Metrics(memory).counter
        for _ in range(number):
            count("transcoder_config_reloads_total", outcome="ok")()
    Metrics(memories[2]).counter("transcoder_config_reloads_total", outcome="failed")()
    found = page(memories)["transcoder_config_reloads_total"]
    assert found == {(("outcome", "ok"),): 3, (("outcome", "failed"),): 1}


def test_histograms_are_summed_and_cumulative(memories: list[int]) -> None:
    name = "transcoder_stream_duration_seconds"
    for memory in memories[:2]:
        observe = Metrics(memory).histogram(name, route="/a", http_method="GET", backend="b")
        for seconds in (0.05, 0.05, 5, 9000):
            observe(seconds)
    found = page(memories)
    buckets = {dict(labels)["le"]: count for labels, count in found[f"{name}_bucket"].items()}
    assert buckets == {
        "0.1": 4,
        "1.0": 4,
        "10.0": 6,
        "60.0": 6,
        "300.0": 6,
        "1800.0": 6,
        "7200.0": 6,
        "+Inf": 8,
    }
    assert list(found[f"{name}_count"].values()) == [8]
    assert list(found[f"{name}_sum"].values()) == pytest.approx([18010.2])


def test_gauges_are_merged_as_each_wants(memories: list[int]) -> None:
    name = "transcoder_schema_last_read_timestamp_seconds"
    gauges: list[Sample] = [
        ("transcoder_backend_state", ("b", "ready"), 1),
        ("transcoder_backend_state", ("b", "ready"), 1),
        ("transcoder_backend_state", ("b", "idle"), 0),
        (name, ("b",), 50.0),
        (name, ("b",), 40.0),
        ("transcoder_build_info", ("1", "3"), 1),
        ("transcoder_build_info", ("1", "3"), 1),
        ("transcoder_worker_ready", ("0",), 1),
        ("transcoder_worker_ready", ("1",), 0),
    ]
    found = page(memories, gauges)
    assert list(found["transcoder_backend_state"].values()) == [2, 0]
    assert list(found[name].values()) == [40]
    assert list(found["transcoder_build_info"].values()) == [1]
    assert list(found["transcoder_worker_ready"].values()) == [1, 0]


def test_hostile_labels_stay_labels(memories: list[int]) -> None:
    value = 'a"} 1\n# HELP b\\'
    Metrics(memories[0]).counter("transcoder_config_reloads_total", outcome=value)()
    assert page(memories)["transcoder_config_reloads_total"] == {(("outcome", value),): 1}


def test_every_metric_is_announced(memories: list[int]) -> None:
    text, content_type = exposition(memories, [], "text/plain")
    assert content_type.startswith("text/plain; version=")
    kinds = dict(line.split()[2:] for line in text.decode().splitlines() if line.startswith("# TYPE "))
    assert kinds == {name: metric.kind for name, metric in METRICS.items()}


def test_openmetrics(memories: list[int]) -> None:
    Metrics(memories[0]).counter("transcoder_config_reloads_total", outcome="ok")()
    text, content_type = exposition(memories, [], "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    samples = [sample for family in parse_openmetrics(text.decode()) for sample in family.samples]
    assert [(sample.name, sample.value) for sample in samples] == [("transcoder_config_reloads_total", 1)]
