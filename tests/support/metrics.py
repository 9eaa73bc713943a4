"""Metrics: a page of them as Prometheus reads it, and a meter that remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from transcoder.observe.catalogue import METRICS

Labels = frozenset[tuple[str, str]]


class Page:
    """The samples of a page by name and labels."""

    def __init__(self, text: str) -> None:
        self.samples: Mapping[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of every sample of this name."""
        return [dict(labels) for found, labels in self.samples if found == name]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels, whatever others they have."""
        return sum(
            value
            for (found, has), value in self.samples.items()
            if found == name and has >= frozenset(labels.items())
        )


class Counts:
    """A transcoder.events.Meter whose counters can be looked at; it takes no names that the gateway lacks."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()

    def __call__(self, name: str, /, **labels: str) -> Callable[[], None]:
        assert METRICS[name].kind == "counter"
        assert labels.keys() == set(METRICS[name].labels)
        key = (name, frozenset(labels.items()))
        return lambda: self._counts.update([key])

    def by(self, label: str, name: str) -> dict[str, int]:
        """How often each value of a label of a metric was counted."""
        found: Counter[str] = Counter()
        for (counted, labels), count in self._counts.items():
            if counted == name:
                found[dict(labels)[label]] += count
        return dict(found)


async def read_metrics(admin: httpx.AsyncClient) -> Page:
    """The metrics of a gateway, whichever worker of it answers: over a connection of its own."""
    answer = await admin.get("/metrics", headers={"connection": "close"})
    assert answer.status_code == 200, answer.text
    return Page(answer.text)
