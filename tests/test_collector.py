"""The collector rests during work, sees nothing that stays, and is left as it was."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from transcoder.collector import (
    FEW_ROUTES,
    MOST_UNSEEN,
    QUIET,
    THRESHOLDS,
    Load,
    built,
    keep_frozen,
    look,
    uncollected,
)


@pytest.fixture(params=[True, False], ids=["enabled", "disabled"])
def is_enabled(request: pytest.FixtureRequest) -> Iterator[bool]:
    if not request.param:
        gc.disable()
    yield request.param
    gc.enable()


def test_work(is_enabled: bool) -> None:
    assert uncollected(lambda *arguments: (gc.isenabled(), *arguments), 1, "2") == (False, 1, "2")
    assert gc.isenabled() is is_enabled


def test_work_that_fails(is_enabled: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)
    assert gc.isenabled() is is_enabled


class Cycle:
    """What only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


class Process:
    """What keeps generations, at whose changes somebody looks."""

    def __init__(self, routes: int) -> None:
        self.generation = 1
        self.routes = routes
        self.requests = 0
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self._waking = asyncio.Event()

    def load(self) -> Load:
        return Load(generation=self.generation, routes=self.routes, requests=self.requests)

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await self._waking.wait()
        self._waking.clear()

    async def turn(self, *, generations: int = 0, requests: int = 0) -> None:
        """Let time pass in which so much happens."""
        self.generation += generations
        self.requests += requests
        self._waking.set()
        await self.slept.get()


@asynccontextmanager
async def keeping(routes: int = FEW_ROUTES) -> AsyncIterator[Process]:
    process = Process(routes)
    look()
    task = asyncio.create_task(keep_frozen(process.load, process.sleep))
    try:
        assert await process.slept.get() == QUIET
        yield process
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def frozen_garbage() -> weakref.ref[Cycle]:
    """What a generation leaves behind."""
    cycle = built(Cycle)
    left = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert left() is not None
    return left


async def test_what_lives_is_not_looked_at() -> None:
    async with keeping() as process:
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == THRESHOLDS
        assert not any(entry is process for entry in gc.get_objects())


async def test_what_is_built_is_not_looked_at_either() -> None:
    async with keeping():
        result = built(lambda one: [one], "1")
        assert result == ["1"]
        assert not any(entry is result for entry in gc.get_objects())


def test_nothing_is_frozen_where_nobody_keeps_it() -> None:
    assert built(lambda one: [one], "1") == ["1"]
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()


async def test_garbage_of_the_last_generation_goes_with_the_next() -> None:
    async with keeping() as process:
        left = frozen_garbage()
        for _ in range(3):
            await process.turn(requests=1)
        assert left() is not None
        await process.turn(generations=1, requests=1)
        assert left() is not None, "there may be another at once"
        await process.turn(requests=1)
        assert left() is None


async def test_a_generation_that_does_not_stay_is_not_looked_at() -> None:
    async with keeping() as process:
        left = frozen_garbage()
        for _ in range(3):
            await process.turn(generations=1)
            assert left() is not None
        await process.turn()
        assert left() is None


@pytest.mark.parametrize("shrinks", [False, True])
async def test_long_look_waits_for_a_quiet_time(shrinks: bool) -> None:
    """It is also long where there were many routes."""
    async with keeping(FEW_ROUTES + 1) as process:
        left = frozen_garbage()
        process.routes -= shrinks
        await process.turn(generations=1, requests=1)
        for _ in range(9):
            await process.turn(requests=1)
            assert left() is not None
        await process.turn()
        assert left() is None
        again = frozen_garbage()
        await process.turn(generations=1, requests=1)
        await process.turn(requests=1)
        assert (again() is None) == shrinks


async def test_long_look_does_not_wait_for_ever() -> None:
    async with keeping(FEW_ROUTES + 1) as process:
        left = frozen_garbage()
        for _ in range(MOST_UNSEEN):
            await process.turn(generations=1, requests=1)
            await process.turn(requests=1)
            assert left() is not None
        await process.turn(generations=1, requests=1)
        await process.turn(requests=1)
        assert left() is None


async def test_the_collector_is_left_as_it_was() -> None:
    thresholds = gc.get_threshold()
    async with keeping():
        assert gc.get_freeze_count()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, thresholds)
