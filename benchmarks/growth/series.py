"""Measured lines, ready to be drawn."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Final, Literal, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

_LONG_ENOUGH: Final = 0.5
_REPEATS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Lines over one pair of axes. x, y: what they are, with the unit; scale: of y; that of x is "log"."""

    x: str
    y: str
    lines: Mapping[str, Points]
    scale: Literal["log", "linear"] = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One thing that grows, and what that costs."""

    name: str
    title: str
    panels: Sequence[Panel]


def seconds_of(action: Callable[[], object]) -> float:
    """The CPU an action takes: the best of some repeats, as others only ever make it slower."""
    timer = timeit.Timer(action, timer=process_time)
    once = max(timer.timeit(1), 1e-7)
    number = max(1, round(_LONG_ENOUGH / _REPEATS / once))
    return min(timer.repeat(_REPEATS, number)) / number
