"""Rows as a table on the terminal, as JSON, and as Markdown for `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from math import isinf
from typing import Any

import orjson
from rich.table import Table

from benchmarks.cells import Cell, Workload
from benchmarks.rounds import REFERENCE, Row
from benchmarks.targets import GATEWAY


def to_table(rows: Sequence[Row]) -> Table:
    """Everything, a section for each cell."""
    table = Table(title=f"CPU of the gateway process, against {REFERENCE}")
    for name in ("workload", "connections", "auth", "target"):
        table.add_column(name)
    for name in ("per second", "p50 ms", "p99 ms", "CPU us", f"/ {REFERENCE}", "RSS MiB", "errors"):
        table.add_column(name, justify="right")
    for cell, members in groupby(rows, key=lambda row: row.cell):
        for row in members:
            table.add_row(*_cell_columns(cell), row.target, *_columns(row))
        table.add_section()
    return table


def _cell_columns(cell: Cell) -> tuple[str, str, str]:
    return cell.workload.name, str(cell.connections), "JWT" if cell.has_auth else "-"


def _columns(row: Row) -> Iterator[str]:
    figures = row.figures
    yield f"{figures.rate:,.0f}"
    yield f"{figures.p50 * 1e3:.2f}"
    yield f"{figures.p99 * 1e3:.2f}"
    yield _micros(figures.cost)
    yield "-" if row.ratio is None else f"{row.ratio:.2f}"
    yield f"{figures.rss / 2**20:.0f}"
    yield str(figures.errors)


def to_json(rows: Sequence[Row], about: Mapping[str, Any]) -> bytes:
    """Every sample of every round, its medians and ratio; about: what else is to be known of the run."""
    return orjson.dumps(
        {**about, "rows": [_as_object(row) for row in rows]},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def _as_object(row: Row) -> dict[str, Any]:
    return {
        "workload": row.cell.workload.name,
        "connections": row.cell.connections,
        "auth": row.cell.has_auth,
        "target": row.target,
        "unit": row.cell.workload.unit,
        "ratio": row.ratio,
        "median": asdict(row.figures),
        "rounds": [asdict(sample) for sample in row.samples],
    }


def to_markdown(rows: Sequence[Row]) -> str:
    """A table for each workload: a line for each load, a column for each target."""
    parts = ["# Every load"]
    for workload, members in groupby(rows, key=lambda row: row.cell.workload):
        parts.append("\n".join(_markdown_table(workload, list(members))))
    return "\n\n".join(parts) + "\n"


def _markdown_table(workload: Workload, rows: Sequence[Row]) -> Iterator[str]:
    targets = list(dict.fromkeys(row.target for row in rows))
    yield f"## {workload.title}"
    yield ""
    yield f"CPU for each {workload.unit} in us; {workload.unit}s per second; p99 in ms."
    yield ""
    yield "| load | " + " | ".join(targets) + f" | {GATEWAY} / {REFERENCE} |"
    yield "|---|" + "---|" * len(targets) + "---|"
    for cell, members in groupby(rows, key=lambda row: row.cell):
        found = {row.target: row for row in members}
        cells = (_markdown_cell(found.get(name)) for name in targets)
        yield f"| {_load(cell)} | {' | '.join(cells)} | {_ratio(found.get(GATEWAY))} |"


def _load(cell: Cell) -> str:
    return f"{cell.connections}{', JWT' if cell.has_auth else ''}"


def _markdown_cell(row: Row | None) -> str:
    if row is None:
        return ""
    figures = row.figures
    return f"**{_micros(figures.cost)}** · {figures.rate:,.0f}/s · {figures.p99 * 1e3:.1f}"


def _ratio(row: Row | None) -> str:
    return "" if row is None or row.ratio is None else f"**{row.ratio:.2f}**"


def _micros(seconds: float) -> str:
    if isinf(seconds):
        return "-"
    micros = seconds * 1e6
    return f"{micros:.1f}" if micros < 100 else f"{micros:,.0f}"
