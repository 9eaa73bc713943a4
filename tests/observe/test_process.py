"""What a worker costs."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import pytest

from transcoder.observe.process import LAG_INTERVAL, measure_lag, process_gauges


async def test_lag_is_how_late_a_sleeper_wakes() -> None:
    now, late, lags = 100.0, [0.0, 0.25, -0.001], []

    async def sleep(seconds: float) -> None:
        nonlocal now
        if not late:
            raise asyncio.CancelledError
        now += seconds + late.pop(0)

    with pytest.raises(asyncio.CancelledError):
        await measure_lag(lags.append, lambda: now, sleep)
    assert lags == pytest.approx([0, 0.25, 0])
    assert LAG_INTERVAL == 0.1


def test_figures_of_this_process() -> None:
    found = {name: (labels, value) for name, labels, value in process_gauges("3")}
    assert {labels for labels, _ in found.values()} == {("3",)}
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found["transcoder_process_max_fds"][1] == limit
    assert 10e6 < found["transcoder_process_resident_memory_bytes"][1] < 10e9
    before = found["transcoder_process_open_fds"][1]
    descriptors = [os.dup(0) for _ in range(5)]
    after = {name: value for name, _, value in process_gauges("3")}["transcoder_process_open_fds"]
    for descriptor in descriptors:
        os.close(descriptor)
    assert after == before + 5


def test_system_that_does_not_tell(tmp_path: Path) -> None:
    assert [name for name, _, _ in process_gauges("0", tmp_path / "none")] == ["transcoder_process_max_fds"]
