"""A deadline that moves."""

from __future__ import annotations

import asyncio

from transcoder.server.alarm import Alarm

TICK = 0.05


class Bell:
    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.count = 0

    def ring(self) -> None:
        self.count += 1
        self.rung.set()


def alarm_of(bell: Bell) -> Alarm:
    return Alarm(asyncio.get_running_loop(), bell.ring)


async def test_rings_once_when_the_time_is_over() -> None:
    bell, loop = Bell(), asyncio.get_running_loop()
    alarm = alarm_of(bell)
    started = loop.time()
    alarm.set(TICK)
    await asyncio.wait_for(bell.rung.wait(), 5)
    assert loop.time() - started >= TICK * 0.9
    await asyncio.sleep(2 * TICK)
    assert bell.count == 1


async def test_later_deadline_counts_instead_of_the_first() -> None:
    bell, loop = Bell(), asyncio.get_running_loop()
    alarm = alarm_of(bell)
    started = loop.time()
    alarm.set(TICK)
    alarm.set(4 * TICK)
    await asyncio.wait_for(bell.rung.wait(), 5)
    assert loop.time() - started >= 3.9 * TICK


async def test_earlier_deadline_counts_instead_of_the_first() -> None:
    bell = Bell()
    alarm = alarm_of(bell)
    alarm.set(60)
    alarm.set(TICK)
    await asyncio.wait_for(bell.rung.wait(), 5)
    alarm.set(60)
    alarm.stop()


async def test_deadline_that_was_taken_back_does_not_ring() -> None:
    bell = Bell()
    cleared, stopped = alarm_of(bell), alarm_of(bell)
    cleared.set(TICK)
    cleared.clear()
    stopped.set(TICK)
    stopped.stop()
    alarm_of(bell).stop()
    await asyncio.sleep(2 * TICK)
    assert bell.count == 0
