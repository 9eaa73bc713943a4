"""The pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from benchmarks.growth.series import Growth, Panel
from benchmarks.rounds import REFERENCE, Row
from benchmarks.targets import DIRECT, ENVOY, GATEWAY, NAIVE

_COLORS: Final[Mapping[str, str]] = {
    GATEWAY: "#1668b8",
    ENVOY: "#8a8a8a",
    NAIVE: "#d9822b",
    DIRECT: "#7bb37b",
    "json_format": "#d9822b",
}
_BAR: Final = 0.2


def draw_costs(rows: Sequence[Row], file: Path) -> None:
    """A panel for each workload: the CPU of each target under each load, ours with its ratio."""
    panels = [(workload, list(found)) for workload, found in groupby(rows, lambda row: row.cell.workload)]
    figure = _figure(len(panels), width=7.0, height=3.6)
    for axes, (workload, found) in zip(figure.axes, panels, strict=False):
        _draw_bars(axes, found)
        axes.set_title(workload.title)
        axes.set_ylabel(f"us of CPU for each {workload.unit}")
    figure.axes[0].legend(frameon=False, fontsize="small")
    figure.suptitle(f"CPU of the gateway process; above the bars: {GATEWAY} / {REFERENCE}")
    figure.savefig(file)


def _draw_bars(axes: Any, rows: Sequence[Row]) -> None:
    cells = list(dict.fromkeys(row.cell for row in rows))
    targets = list(dict.fromkeys(row.target for row in rows))
    for index, target in enumerate(targets):
        found = [row for row in rows if row.target == target]
        places = [cells.index(row.cell) + (index - (len(targets) - 1) / 2) * _BAR for row in found]
        costs = [row.figures.cost * 1e6 for row in found]
        bars = axes.bar(places, costs, _BAR, label=target, color=_COLORS[target])
        if target == GATEWAY:
            labels = ["" if row.ratio is None else f"{row.ratio:.2f}x" for row in found]
            axes.bar_label(bars, labels, fontsize="small", padding=2)
    names = [f"{cell.connections}{' JWT' if cell.has_auth else ''}" for cell in cells]
    axes.set_xticks(range(len(cells)), names)
    axes.set_xlabel("connections")
    axes.margins(y=0.15)


def draw_growth(growth: Growth, file: Path) -> None:
    """A panel for each cost of what grows."""
    figure = _figure(len(growth.panels), width=5.5, height=4.0)
    for axes, panel in zip(figure.axes, growth.panels, strict=False):
        _draw_lines(axes, panel)
    figure.suptitle(growth.title)
    figure.savefig(file)


def _draw_lines(axes: Any, panel: Panel) -> None:
    for name, points in panel.lines.items():
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, marker="o", markersize=3, label=name, color=_COLORS.get(name))
    axes.set_xscale("log")
    axes.set_yscale(panel.scale)
    if panel.scale == "linear":
        axes.set_ylim(bottom=0)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, fontsize="small")


def _figure(panels: int, *, width: float, height: float) -> Figure:
    """So many axes, two in a row."""
    columns = min(panels, 2)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False)
    for unused in axes.flat[panels:]:
        unused.remove()
    return figure
