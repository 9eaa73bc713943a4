"""What this worker counts, where `exposition` finds it, even after the worker has died."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final

from transcoder.observe.catalogue import METRICS, Metric
from transcoder.observe.cells import Cells

MAX_LABEL: Final = 200
"""Characters of the value of a label; backends choose some of them."""


class Metrics:
    """Counters and histograms of one worker; a `transcoder.events.Meter`. For one thread.

    memory: see `cells`; what a predecessor has counted there is counted on.
    """

    def __init__(self, memory: int) -> None:
        self._cells = Cells(memory)

    def counter(self, name: str, /, **labels: str) -> Callable[[], None]:
        """What adds one."""
        row = self._row(name, labels, 1)

        def add() -> None:
            row[0] += 1.0

        return add

    def total(self, name: str, /, **labels: str) -> Callable[[float], None]:
        """What sets a counter to this process's share, on top of its predecessors'."""
        row = self._row(name, labels, 1)
        before = row[0]

        def set_share(value: float) -> None:
            row[0] = before + value

        return set_share

    def histogram(self, name: str, /, **labels: str) -> Callable[[float], None]:
        """What takes a measurement."""
        bounds = METRICS[name].buckets
        # a cell for each bucket, one for what is above them all, and the sum
        total = len(bounds) + 1
        row = self._row(name, labels, total + 1)

        def observe(value: float) -> None:
            row[bisect_left(bounds, value)] += 1.0
            row[total] += value

        return observe

    def _row(self, name: str, labels: Mapping[str, str], width: int) -> memoryview[float]:
        return self._cells.row((name, *label_values(METRICS[name], labels)), width)


def label_values(metric: Metric, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The values of labels in their order, fit for any text format. Raises ValueError for wrong names."""
    if labels.keys() != set(metric.labels):
        raise ValueError(f"labels are {', '.join(metric.labels)}, not {', '.join(labels)}")
    return tuple(_plain(labels[name]) for name in metric.labels)


def _plain(value: str) -> str:
    return value[:MAX_LABEL].encode(errors="replace").decode()
