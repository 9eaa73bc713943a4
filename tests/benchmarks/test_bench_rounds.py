"""Medians, ratios, and the order in which targets take turns."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from benchmarks.cells import CONNECTIONS, WORKLOADS, Cell, matrix
from benchmarks.load import Load
from benchmarks.report import to_json, to_markdown, to_table
from benchmarks.rounds import Row, measure_rounds
from benchmarks.sample import Figures, Sample, cost_ratio
from benchmarks.targets import DIRECT, ENVOY, GATEWAY, Measure

SMALL = WORKLOADS[0]
CELL = Cell(workload=SMALL, connections=32, has_auth=False)


def sample(*, cpu: float, done: int = 1000, p99: float = 0.02, errors: int = 0) -> Sample:
    return Sample(load=Load(done=done, seconds=2, p50=0.01, p99=p99, errors=errors), cpu=cpu, rss=2**20)


def turns(*samples: Sample | None, log: Callable[[int], None] = lambda _: None) -> Measure:
    """Gives one of the samples after the other."""
    left = iter(samples)

    def measure(_: Cell, seconds: int) -> Sample | None:
        log(seconds)
        return next(left)

    return measure


def test_figures_are_medians_and_errors_a_sum() -> None:
    samples = [sample(cpu=1, p99=0.5, errors=1), sample(cpu=9), sample(cpu=3, done=3000, errors=2)]
    figures = Figures.from_samples(samples)
    assert figures == Figures(rate=500, p50=0.01, p99=0.02, cost=0.001, rss=2**20, errors=3)


def test_ratio_is_taken_within_each_round() -> None:
    ours = [sample(cpu=3), sample(cpu=40), sample(cpu=10)]
    theirs = [sample(cpu=1), sample(cpu=10), sample(cpu=5)]
    assert cost_ratio(ours, theirs) == 3  # of 3, 4 and 2; that of the medians is 2


def test_round_in_which_nothing_was_done_has_no_ratio() -> None:
    ours, theirs = [sample(cpu=2), sample(cpu=8)], [sample(cpu=1, done=0), sample(cpu=2)]
    assert cost_ratio(ours, theirs) == 4
    assert cost_ratio(ours[:1], theirs[:1]) is None


def test_nothing_done_costs_infinitely_much() -> None:
    assert sample(cpu=1, done=0).cost == float("inf")


def test_targets_take_turns_and_another_begins_each_round() -> None:
    order: list[str] = []
    told: list[str] = []
    targets = {
        name: turns(*[sample(cpu=cost)] * 2, log=lambda _, name=name: order.append(name))
        for name, cost in ((GATEWAY, 2), (ENVOY, 1), (DIRECT, 0.5))
    }
    rows = measure_rounds([CELL], targets, rounds=2, seconds=1, tell=told.append)
    assert order == [GATEWAY, ENVOY, DIRECT, ENVOY, DIRECT, GATEWAY]
    assert told == ["round 1 of 2: small x32", "round 2 of 2: small x32"]
    assert [(row.target, row.ratio) for row in rows] == [(GATEWAY, 2), (ENVOY, 1), (DIRECT, 0.5)]


def test_target_that_does_not_take_part_has_no_row() -> None:
    targets = {ENVOY: turns(sample(cpu=1)), DIRECT: turns(None)}
    rows = measure_rounds([CELL], targets, rounds=1, seconds=1, tell=lambda _: None)
    assert [row.target for row in rows] == [ENVOY]


def test_without_the_reference_there_is_no_ratio() -> None:
    (row,) = measure_rounds([CELL], {GATEWAY: turns(sample(cpu=1))}, rounds=1, seconds=1, tell=lambda _: None)
    assert row.ratio is None


def test_a_thousand_connections_are_given_longer() -> None:
    asked: list[int] = []
    cell = Cell(workload=SMALL, connections=1000, has_auth=False)
    targets = {GATEWAY: turns(sample(cpu=1), log=asked.append)}
    measure_rounds([cell], targets, rounds=1, seconds=2, tell=lambda _: None)
    assert asked == [4]


def test_matrix_is_every_load_of_the_workloads_asked_for() -> None:
    names = [cell.name for cell in matrix(["small", "stream"], CONNECTIONS, [False, True])]
    loads = ["x1", "x32", "x1000", "x1 auth", "x32 auth", "x1000 auth"]
    assert names == [f"{workload} {load}" for workload in ("small", "stream") for load in loads]


ROWS = (
    Row(cell=CELL, target=GATEWAY, samples=[sample(cpu=0.15, errors=4)], ratio=1.5),
    Row(cell=CELL, target=ENVOY, samples=[sample(cpu=0.05)], ratio=1.0),
)


def test_markdown_has_a_line_for_each_load_and_a_column_for_each_target() -> None:
    *_, head, _, line = to_markdown(ROWS).splitlines()
    assert head == "| load | transcoder | envoy | transcoder / envoy |"
    assert line == "| 32 | **150** · 500/s · 20.0 | **50.0** · 500/s · 20.0 | **1.50** |"


def test_table_has_every_figure_of_a_row() -> None:
    cells = [next(column.cells) for column in to_table(ROWS).columns]
    assert cells == ["small", "32", "-", GATEWAY, "500", "10.00", "20.00", "150", "1.50", "1", "4"]


def test_json_has_every_round() -> None:
    document = orjson.loads(to_json(ROWS, {"versions": {"python": "3"}}))
    assert document["versions"] == {"python": "3"}
    first = document["rows"][0]
    assert (first["target"], first["ratio"], first["median"]["cost"]) == (GATEWAY, 1.5, 0.00015)
    assert first["rounds"][0]["load"]["errors"] == 4
