"""Whether anything was lost, grew, or stayed behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.soak.ledger import Ledger
from benchmarks.soak.sampling import Sample

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much may be more than before: a share of it, and something on top.

    of: what stands for many samples.
    """

    share: float
    extra: float
    of: Callable[[Iterable[float]], float] = median

    def limit(self, before: float) -> float:
        return before * (1 + self.share) + self.extra


GROWTH: Final[Mapping[str, Tolerance]] = {
    # of memory and tasks the least: a machine that is slow for a moment has more in flight, which is no leak;
    # what the allocator keeps of big bodies comes and goes; 10 minutes at 400 requests a second are 144,000
    # between the two fifths, so that 150 bytes kept of each are over this
    "rss": Tolerance(share=0.05, extra=8 * MIB, of=min),
    # visitors come and go: some 100 connections and 150 tasks at any time
    "fds": Tolerance(share=0.01, extra=40),
    "tasks": Tolerance(share=0.01, extra=60, of=min),
    "threads": Tolerance(share=0.0, extra=4),
}
LEFT: Final[Mapping[str, Tolerance]] = {
    "in_flight": Tolerance(share=0.0, extra=0),
    "fds": Tolerance(share=0.0, extra=6),  # both channels may be between two connections
    "tasks": Tolerance(share=0.0, extra=6),
    "threads": Tolerance(share=0.0, extra=8),  # pools of threads are filled when they are first used
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A figure before and after, and how much it may be."""

    figure: str
    before: float
    after: float
    limit: float

    @property
    def is_good(self) -> bool:
        return self.after <= self.limit


def growth(samples: Sequence[Sample]) -> list[Finding]:
    """The second and the last fifth of the samples, which are those under full load."""
    fifth = max(1, len(samples) // 5)
    second, last = samples[fifth : 2 * fifth], samples[-fifth:]
    return [
        _finding(name, _figure(second, name, tolerance), _figure(last, name, tolerance), tolerance)
        for name, tolerance in GROWTH.items()
    ]


def left_behind(idle: Sample, after: Sample) -> list[Finding]:
    """What there is when all clients have gone, beside what there was before they came."""
    return [
        _finding(name, getattr(idle, name), getattr(after, name), tolerance)
        for name, tolerance in LEFT.items()
    ]


def problems(ledger: Ledger, grown: Sequence[Finding], left: Sequence[Finding]) -> Iterator[str]:
    """A line for each reason to fail."""
    if ledger.losses:
        yield f"{ledger.lost.total()} lost, the first: {ledger.losses[0]}"
    for title, findings in (("grew", grown), ("left behind", left)):
        for one in findings:
            if not one.is_good:
                yield f"{title}: {one.figure} {one.before:.0f} -> {one.after:.0f}, limit {one.limit:.0f}"


def _finding(figure: str, before: float, after: float, tolerance: Tolerance) -> Finding:
    return Finding(figure=figure, before=before, after=after, limit=tolerance.limit(before))


def _figure(samples: Sequence[Sample], figure: str, tolerance: Tolerance) -> float:
    return float(tolerance.of([getattr(sample, figure) for sample in samples]))
