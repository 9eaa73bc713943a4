"""Every target in every cell, interleaved: what disturbs the machine disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.cells import Cell
from benchmarks.sample import Figures, Sample, cost_ratio
from benchmarks.targets import ENVOY, Measure

REFERENCE: Final = ENVOY


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target in one cell.

    samples: one for each round; ratio: of CPU to the reference, None without one.
    """

    cell: Cell
    target: str
    samples: Sequence[Sample]
    ratio: float | None

    @property
    def figures(self) -> Figures:
        return Figures.from_samples(self.samples)


def measure_rounds(
    cells: Sequence[Cell],
    targets: Mapping[str, Measure],
    *,
    rounds: int,
    seconds: int,
    tell: Callable[[str], None],
) -> list[Row]:
    """Measure each cell with each target, one right after the other, as often as there are rounds.

    tell: what is under way. Each round begins with another target.
    """
    samples: dict[tuple[Cell, str], list[Sample]] = {}
    for number in range(rounds):
        for cell in cells:
            tell(f"round {number + 1} of {rounds}: {cell.name}")
            for name in _rotated(list(targets), number):
                sample = targets[name](cell, seconds * cell.patience)
                if sample is not None:
                    samples.setdefault((cell, name), []).append(sample)
    return [
        Row(cell=cell, target=name, samples=found, ratio=_ratio(found, samples.get((cell, REFERENCE))))
        for cell in cells
        for name in targets
        if (found := samples.get((cell, name)))
    ]


def _ratio(samples: Sequence[Sample], reference: Sequence[Sample] | None) -> float | None:
    return None if reference is None else cost_ratio(samples, reference)


def _rotated(names: Sequence[str], by: int) -> list[str]:
    start = by % len(names)
    return [*names[start:], *names[:start]]
