"""Stacks of py-spy are added up rightly."""

from __future__ import annotations

from benchmarks.profile import parse_stacks, to_table

RUN = "run (/v/lib/python3.11/asyncio/runners.py:118)"
HANDLE = "handle (/src/transcoder/gateway.py:%d)"
MATCH = "<module>.match (/v/lib/python3.11/site-packages/a/b.py:7)"
STACKS = (
    f"{RUN};{HANDLE % 88} 6",
    f"{RUN};{HANDLE % 91};{MATCH} 3",
    f"{RUN};walk (/src/x.py:1);walk (/src/x.py:2) 1",
)


def test_shares_are_of_functions_wherever_in_them() -> None:
    profile = parse_stacks(STACKS)
    assert profile.own == {
        "handle (/src/transcoder/gateway.py)": 0.6,
        "<module>.match (a/b.py)": 0.3,
        "walk (/src/x.py)": 0.1,
    }
    assert profile.total["run (asyncio/runners.py)"] == 1
    assert profile.total["handle (/src/transcoder/gateway.py)"] == 0.9
    assert profile.total["walk (/src/x.py)"] == 0.1  # a function that calls itself counts once


def test_table_has_the_largest_first() -> None:
    table = to_table(parse_stacks(STACKS), most=2)
    assert [list(column.cells) for column in table.columns][:2] == [["60.0%", "30.0%"], ["90.0%", "30.0%"]]


def test_nothing_seen_is_an_empty_profile() -> None:
    assert parse_stacks([]).own == {}
