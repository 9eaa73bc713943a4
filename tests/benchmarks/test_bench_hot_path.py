"""Every part of our own share of a request is measured."""

from __future__ import annotations

from unittest.mock import Mock

from benchmarks.hot_path import measure_parts


def test_all_parts_are_measured() -> None:
    parts = dict(measure_parts(Mock()))
    log_line = parts.pop("access log line")
    assert len(parts) == 7
    assert all(0 < micros < 10_000 for micros in (*parts.values(), log_line))
