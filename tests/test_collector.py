"""The collector rests during work, sees nothing that stays, and is left as it was."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator

import pytest

from transcoder.collector import QUIET, THRESHOLDS, keep_frozen, uncollected


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


class Generations:
    """A number that goes up while somebody sleeps."""

    def __init__(self) -> None:
        self.current = 1
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self._waking = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await self._waking.wait()
        self._waking.clear()

    async def wake(self) -> None:
        """Let the sleeper go on until it sleeps again."""
        self._waking.set()
        await self.slept.get()


@pytest.fixture
async def generations() -> AsyncIterator[Generations]:
    generations = Generations()
    keeping = asyncio.create_task(keep_frozen(lambda: generations.current, generations.sleep))
    assert await generations.slept.get() == QUIET
    yield generations
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_what_lives_is_not_looked_at(generations: Generations) -> None:
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == THRESHOLDS
    assert not any(entry is generations for entry in gc.get_objects())


async def test_garbage_of_the_last_generation_goes_with_the_next(generations: Generations) -> None:
    cycle = Cycle()
    generations.current = 2
    await generations.wake()
    await generations.wake()
    old = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert old() is not None
    await generations.wake()
    assert old() is not None
    generations.current = 3
    await generations.wake()
    await generations.wake()
    assert old() is None


async def test_a_generation_that_does_not_stay_is_not_frozen(generations: Generations) -> None:
    cycle = Cycle()
    generations.current = 2
    await generations.wake()
    generations.current = 3
    await generations.wake()
    old = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert old() is None


async def test_the_collector_is_left_as_it_was() -> None:
    thresholds = gc.get_threshold()
    keeping = asyncio.create_task(keep_frozen(lambda: 1))
    await asyncio.sleep(0)
    assert gc.get_freeze_count()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, thresholds)
