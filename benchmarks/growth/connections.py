"""1 to 2,000 connections that all ask at once, beside Envoy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.cells import WORKLOADS, Cell
from benchmarks.growth.series import Growth, Panel
from benchmarks.sample import Sample
from benchmarks.targets import ENVOY, GATEWAY, Site, running_targets

COUNTS: Final = (1, 2, 4, 8, 32, 128, 512, 1000, 2000)
_X: Final = "connections"
_FIGURES: Final[dict[str, Callable[[Sample], float]]] = {
    "requests per second": lambda sample: sample.load.done / sample.load.seconds,
    "ms to the answer (p99)": lambda sample: sample.load.p99 * 1e3,
    "us of CPU for each request": lambda sample: sample.cost * 1e6,
    "MiB of resident memory": lambda sample: sample.rss / 2**20,
}


def measure_connections(site: Site, seconds: int, counts: Sequence[int] = COUNTS) -> Growth:
    """seconds: of load for each number of connections."""
    samples: dict[str, list[tuple[int, Sample]]] = {GATEWAY: [], ENVOY: []}
    with running_targets(site, list(samples), [False]) as targets:
        for count in counts:
            cell = Cell(workload=WORKLOADS[0], connections=count, has_auth=False)
            for name, measure in targets.items():
                if sample := measure(cell, seconds):
                    samples[name].append((count, sample))
    panels = [
        Panel(
            x=_X, y=y, lines={name: [(x, value(one)) for x, one in found] for name, found in samples.items()}
        )
        for y, value in _FIGURES.items()
    ]
    return Growth(name="connections", title="A small GET over the number of connections", panels=panels)
