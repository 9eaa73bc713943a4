"""The metrics of all workers as one page, in the formats Prometheus reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from transcoder.observe.catalogue import METRICS, Metric, Sample
from transcoder.observe.cells import read_rows

Values = Mapping[tuple[str, ...], Sequence[float]]
"""The numbers of a metric by the values of its labels."""


def exposition(memories: Iterable[int], gauges: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """The page, and its content type. It takes its time: not for an event loop.

    memories: of all workers, dead ones included; gauges: of those that live; accept: the header of that name,
    which chooses the format (text of Prometheus, or OpenMetrics).
    """
    values = {**_counted(memories), **_gauged(gauges)}
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page(values))
    return encode(registry), content_type


class _Page(Collector):
    def __init__(self, values: Mapping[str, Values]) -> None:
        self._values = values

    def collect(self) -> Iterator[Family]:
        for name, metric in METRICS.items():
            yield _family(name, metric, self._values.get(name, {}))


def _counted(memories: Iterable[int]) -> dict[str, Values]:
    """Counters and histograms, summed over the workers."""
    sums: dict[str, dict[tuple[str, ...], Sequence[float]]] = defaultdict(dict)
    for memory in memories:
        for (name, *labels), row in read_rows(memory):
            before = sums[name].get(tuple(labels))
            sums[name][tuple(labels)] = row if before is None else [*map(sum, zip(before, row, strict=True))]
    return {**sums}


def _gauged(gauges: Iterable[Sample]) -> dict[str, Values]:
    """Gauges, each merged as it wants."""
    found: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, labels, value in gauges:
        found[name][tuple(labels)].append(value)
    return {
        name: {labels: [METRICS[name].merge(several)] for labels, several in values.items()}
        for name, values in found.items()
    }


def _family(name: str, metric: Metric, values: Values) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
        for labels, (*counts, total) in values.items():
            histogram.add_metric(labels, _buckets(metric, counts), total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(name, metric.help, labels=metric.labels)
    for labels, (value,) in values.items():
        family.add_metric(labels, value)
    return family


def _buckets(metric: Metric, counts: Iterable[float]) -> list[tuple[str, float]]:
    """Upper bounds, and how many measurements lie below."""
    bounds = [*map(str, metric.buckets), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))
