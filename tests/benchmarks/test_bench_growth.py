"""What is made to grow has the size it should have, and does what is measured."""

from __future__ import annotations

import random

import pytest

from benchmarks.growth.routes import entries_of, measure_routes, paths_of
from benchmarks.growth.schemas import descriptors_of, measure
from benchmarks.growth.series import Growth, Panel, seconds_of
from benchmarks.growth.sizes import codec_panels
from benchmarks.shop.build import PROTO
from tests.support.protos import Schema as Protos
from transcoder.routing.table import RouteTable
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set


def lines_of(*panels: Panel) -> dict[str, list[float]]:
    return {
        f"{panel.y}: {name}": [x for x, y in points if y > 0]
        for panel in panels
        for name, points in panel.lines.items()
    }


def test_every_path_of_a_table_is_a_route_of_it() -> None:
    table = RouteTable(entries_of(1000))
    assert not table.conflicts
    found = {table.match("GET", path)[0] for path in paths_of(1000, random.Random(1))}
    assert len(found) > 500
    assert found <= set(range(1000))


def test_tables_are_measured_at_every_size() -> None:
    growth: Growth = measure_routes([4, 8])
    assert lines_of(*growth.panels) == {
        "us for each match: a route": [4, 8],
        "us for each match: no route": [4, 8],
        "ms to build: parsed templates to a table": [4, 8],
    }


@pytest.mark.parametrize("messages", [1, 20, 41])
def test_schema_has_as_many_messages_and_methods_as_asked_for(messages: int) -> None:
    schema = Schema.from_files(from_descriptor_set(descriptors_of(messages)))
    assert schema.problems == ()
    assert len({method.request for method in schema.methods()}) == messages


async def test_schema_is_measured_until_its_methods_are_served() -> None:
    cost = await measure(5)
    assert 0 < cost.read < cost.serve
    assert 0 <= cost.stall < cost.serve


def test_codec_is_measured_both_ways_at_every_size() -> None:
    descriptors = Protos.from_protos({"shop.proto": PROTO.read_text()}).files.SerializeToString()
    assert lines_of(*codec_panels(descriptors, [1, 2])) == {
        "us, protobuf to JSON: transcoder": [1, 2],
        "us, protobuf to JSON: json_format": [1, 2],
        "us, JSON to protobuf: transcoder": [1, 2],
        "us, JSON to protobuf: json_format": [1, 2],
    }


def test_time_of_an_action() -> None:
    calls: list[None] = []
    assert 0 < seconds_of(lambda: calls.append(None)) < 0.01
    assert len(calls) > 100
