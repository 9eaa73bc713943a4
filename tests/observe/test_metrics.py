"""Counters and histograms of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from transcoder.observe.catalogue import METRICS
from transcoder.observe.cells import read_rows, shared_memory
from transcoder.observe.metrics import MAX_LABEL, Metrics


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = shared_memory()
    yield descriptor
    os.close(descriptor)


def rows(memory: int, name: str) -> dict[tuple[str, ...], Sequence[float]]:
    return {key[1:]: row for key, row in read_rows(memory) if key[0] == name}


def test_counter(memory: int) -> None:
    metrics = Metrics(memory)
    ok = metrics.counter("transcoder_config_reloads_total", outcome="ok")
    metrics.counter("transcoder_config_reloads_total", outcome="failed")
    ok()
    ok()
    assert rows(memory, "transcoder_config_reloads_total") == {("ok",): (2,), ("failed",): (0,)}


def test_labels_are_told_by_name(memory: int) -> None:
    metrics = Metrics(memory)
    metrics.counter("transcoder_stream_messages_total", direction="sent", method="S/M", backend="b")()
    assert rows(memory, "transcoder_stream_messages_total") == {("b", "S/M", "sent"): (1,)}


@pytest.mark.parametrize("labels", [{}, {"outcom": "ok"}, {"outcome": "ok", "worker": "1"}])
def test_wrong_labels(memory: int, labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="labels are outcome, not"):
        Metrics(memory).counter("transcoder_config_reloads_total", **labels)


def test_labels_are_bounded_and_plain(memory: int) -> None:
    count = Metrics(memory).counter
    for outcome in ("x" * 5000, "lone \ud800 surrogate", 'quote " and\nline'):
        count("transcoder_config_reloads_total", outcome=outcome)()
    found = rows(memory, "transcoder_config_reloads_total")
    assert set(found) == {("x" * MAX_LABEL,), ("lone ? surrogate",), ('quote " and\nline',)}


def test_histogram(memory: int) -> None:
    name = "transcoder_stream_duration_seconds"
    assert METRICS[name].buckets == (0.1, 1, 10, 60, 300, 1800, 7200)
    observe = Metrics(memory).histogram(name, route="/a", http_method="GET", backend="b")
    for seconds in (0, 0.1, 0.11, 7200, 7201):
        observe(seconds)
    assert rows(memory, name) == {("/a", "GET", "b"): (2, 1, 0, 0, 0, 0, 1, 1, 14401.21)}


def test_total_goes_on_where_a_predecessor_ended(memory: int) -> None:
    name = "transcoder_process_cpu_seconds_total"
    before = Metrics(memory).total(name, worker="0")
    before(3)
    before(5)
    after = Metrics(memory).total(name, worker="0")
    assert rows(memory, name) == {("0",): (5,)}
    after(2)
    after(2.5)
    assert rows(memory, name) == {("0",): (7.5,)}


def test_counter_goes_on_where_a_predecessor_ended(memory: int) -> None:
    for _ in range(2):
        Metrics(memory).counter("transcoder_config_reloads_total", outcome="ok")()
    assert rows(memory, "transcoder_config_reloads_total") == {("ok",): (2,)}
