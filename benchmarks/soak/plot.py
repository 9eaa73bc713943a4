"""The soak as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from benchmarks.soak.events import Happened
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.sampling import Sample
from benchmarks.soak.verdict import MIB

_GATEWAY: Final = "#1668b8"
_SECOND: Final = "#d9822b"
_DOWN: Final = "#d9534f"


def draw(samples: Sequence[Sample], ledger: Ledger, happened: Sequence[Happened], file: Path) -> None:
    """Memory, descriptors, tasks, and what was lost when; backends are down where it is red."""
    figure = Figure(figsize=(11, 11), layout="constrained", dpi=110)
    panels = figure.subplots(5, 1, sharex=True)
    times = [sample.at for sample in samples]
    _draw_lines(panels[0], times, {"RSS, MiB": [sample.rss / MIB for sample in samples]})
    _draw_lines(
        panels[1],
        times,
        {"file descriptors": [one.fds for one in samples], "threads": [one.threads for one in samples]},
    )
    _draw_lines(
        panels[2],
        times,
        {"tasks": [one.tasks for one in samples], "in flight": [one.in_flight for one in samples]},
    )
    _draw_lines(panels[3], times, {"mean lag of the event loop, ms": [one.lag * 1e3 for one in samples]})
    _draw_errors(panels[4], ledger, happened)
    for axes in panels:
        for outage in ledger.outages:
            axes.axvspan(outage.since, outage.until or times[-1], color=_DOWN, alpha=0.12)
    panels[-1].set_xlabel("seconds")
    figure.savefig(file)


def _draw_lines(axes: Any, times: Sequence[float], lines: dict[str, list[float]]) -> None:
    for (name, values), color in zip(lines.items(), (_GATEWAY, _SECOND), strict=False):
        axes.plot(times, values, label=name, color=color, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, fontsize="small", loc="lower right")


def _draw_errors(axes: Any, ledger: Ledger, happened: Sequence[Happened]) -> None:
    axes.hist([loss.at for loss in ledger.losses], bins=60, color=_DOWN, label="lost")
    axes.set_ylim(bottom=0, top=max(1, axes.get_ylim()[1]))
    for event in happened:
        axes.axvline(event.at, color="#8a8a8a", linewidth=0.8)
        axes.text(event.at, axes.get_ylim()[1], event.event, rotation=90, va="top", ha="right", fontsize=7)
    axes.legend(frameon=False, fontsize="small", loc="lower right")
