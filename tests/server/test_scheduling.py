"""The policy of the threads that serve; what changes it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import os

import pytest

from transcoder.server.scheduling import schedule_in_batches


def policy_after(before: int) -> int:
    os.sched_setscheduler(0, before, os.sched_param(0))
    schedule_in_batches()
    return os.sched_getscheduler(0)


async def test_the_usual_policy_is_replaced() -> None:
    assert await asyncio.to_thread(policy_after, os.SCHED_OTHER) == os.SCHED_BATCH


async def test_another_policy_is_kept() -> None:
    assert await asyncio.to_thread(policy_after, os.SCHED_IDLE) == os.SCHED_IDLE


async def test_a_system_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    schedule_in_batches()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


async def test_a_system_without_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "SCHED_BATCH")
    schedule_in_batches()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
