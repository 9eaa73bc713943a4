"""Tables of 10 to 100,000 routes: what a match costs, and building one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from benchmarks.growth.series import Growth, Panel, seconds_of
from transcoder.errors import TranscodeError
from transcoder.routing.table import RouteTable
from transcoder.routing.template import Template, parse_template

Entry: TypeAlias = tuple[str, Template, int]

SIZES: Final = (10, 100, 1000, 10_000, 100_000)
_X: Final = "routes"
_REQUESTS: Final = 1000
_KINDS: Final = (
    ("/v1/service%d/orders/{id}", "/v1/service%d/orders/42"),
    ("/v1/service%d/{name=users/*/books/*}:publish", "/v1/service%d/users/7/books/9:publish"),
    ("/v1/service%d/files/{path=**}", "/v1/service%d/files/a/b/c.txt"),
    ("/v1/service%d/orders/{order_id}/items/{id}", "/v1/service%d/orders/42/items/3"),
)
"""The templates of one service, and a path for each."""


def measure_routes(sizes: Sequence[int] = SIZES) -> Growth:
    found: dict[str, list[tuple[float, float]]] = {"a route": [], "no route": [], "table": []}
    for size in sizes:
        entries = entries_of(size)
        table = RouteTable(entries)
        paths = paths_of(size, random.Random(size))
        found["a route"].append((size, _micros_each(table, paths)))
        found["no route"].append((size, _micros_each(table, [f"{path}/none" for path in paths])))
        found["table"].append((size, seconds_of(partial(RouteTable, entries)) * 1e3))
    table_line = {"parsed templates to a table": found.pop("table")}
    return Growth(
        name="routes",
        title="Cost over the number of routes",
        panels=[
            Panel(x=_X, y="us for each match", lines=found, scale="linear"),
            Panel(x=_X, y="ms to build", lines=table_line),
        ],
    )


def entries_of(size: int) -> list[Entry]:
    """So many routes of all kinds."""
    return [
        ("GET", parse_template(_KINDS[index % len(_KINDS)][0] % (index // len(_KINDS))), index)
        for index in range(size)
    ]


def paths_of(size: int, choose: random.Random) -> list[str]:
    """Paths of routes all over such a table, in no order."""
    indexes = (choose.randrange(size) for _ in range(_REQUESTS))
    return [_KINDS[index % len(_KINDS)][1] % (index // len(_KINDS)) for index in indexes]


def _micros_each(table: RouteTable[int], paths: Sequence[str]) -> float:
    def match_all() -> None:
        for path in paths:
            with suppress(TranscodeError):
                table.match("GET", path)

    return seconds_of(match_all) / len(paths) * 1e6
