"""A worker, from ready to drained, in this process."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.events import Events
from tests.support.ports import free_port
from transcoder.collector import THRESHOLDS
from transcoder.server.options import ServeOptions
from transcoder.server.sockets import bind
from transcoder.server.team import Team
from transcoder.server.worker import SWITCH_INTERVAL, Worker


@pytest.fixture(autouse=True)
def _switch_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


async def test_interpreter_of_a_worker(tmp_path: Path) -> None:
    """What stays is not looked at while it serves, and threads take turns faster."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{{server: {{port: {free_port()}, drain_delay: 0s}}, admin: {{enabled: false}}}}")
    options = ServeOptions(path=str(path))
    loaded, events = options.load(), Events()
    worker = Worker(options, loaded, bind(loaded.config), Team(), events)
    running = asyncio.create_task(worker.run())
    await events.wait_for("ready")
    try:
        assert (gc.get_threshold(), sys.getswitchinterval()) == (THRESHOLDS, SWITCH_INTERVAL)
        assert gc.get_freeze_count() > 1000
    finally:
        worker.stop()
        await running
    assert gc.get_threshold() != THRESHOLDS
    assert gc.get_freeze_count() == 0
