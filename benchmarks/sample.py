"""What one run of one cell gave, and what several of them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """load: what clients saw; cpu: seconds the server used meanwhile; rss: its bytes of memory afterwards."""

    load: Load
    cpu: float
    rss: int

    @property
    def cost(self) -> float:
        """Seconds of CPU for each request or message; infinite when there were none."""
        return self.cpu / self.load.done if self.load.done else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians over rounds.

    rate: requests or messages per second; cost: seconds of CPU for each; p50, p99: seconds; rss: bytes;
    errors: of all rounds together.
    """

    rate: float
    p50: float
    p99: float
    cost: float
    rss: float
    errors: int

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> Figures:
        """samples: one for each round, one at least."""
        return cls(
            rate=median(sample.load.done / sample.load.seconds for sample in samples),
            p50=median(sample.load.p50 for sample in samples),
            p99=median(sample.load.p99 for sample in samples),
            cost=median(sample.cost for sample in samples),
            rss=median(sample.rss for sample in samples),
            errors=sum(sample.load.errors for sample in samples),
        )


def cost_ratio(samples: Sequence[Sample], reference: Sequence[Sample]) -> float | None:
    """How much more CPU one costs than the other: the median of the ratios within each round.

    Rounds in which one of them finished nothing do not count; None when none is left.
    """
    ratios = [
        one.cost / other.cost
        for one, other in zip(samples, reference, strict=True)
        if one.load.done and other.load.done
    ]
    return median(ratios) if ratios else None
