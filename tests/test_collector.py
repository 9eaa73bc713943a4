"""The collector rests during work, sees nothing that stays, and is left as it was."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder.collector import (
    PAUSE,
    SLICE,
    THRESHOLDS,
    Freezer,
    free_after_each,
    free_classes,
    frozen,
    uncollected,
)
from transcoder.schema.classes import message_class


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


async def test_what_lives_is_not_looked_at() -> None:
    lives = [object()]
    with Freezer().on():
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == THRESHOLDS
        assert not any(entry is lives for entry in gc.get_objects())


def test_what_is_no_more_is_not_frozen() -> None:
    cycle = Cycle()
    left = weakref.ref(cycle)
    del cycle
    with Freezer().on():
        assert left() is None


class Cycle:
    """What only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_is_not_frozen_with_what_is_built() -> None:
    cycle = Cycle()
    left = weakref.ref(cycle)
    del cycle
    frozen(list)
    gc.unfreeze()
    assert left() is None


def test_what_is_built_is_not_looked_at_either() -> None:
    freezer = Freezer()
    with freezer.on():
        result = freezer.build(lambda one: [one], "1")
        assert result == ["1"]
        assert not any(entry is result for entry in gc.get_objects())


def test_nothing_is_frozen_where_nobody_thaws_it() -> None:
    freezer = Freezer()
    with freezer.on():
        pass
    assert freezer.build(lambda one: [one], "1") == ["1"]
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()


def test_the_collector_is_left_as_it_was() -> None:
    thresholds = gc.get_threshold()
    with Freezer().on():
        assert gc.get_freeze_count()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, thresholds)


def made_class(name: str) -> type[Message]:
    """The class of a message in a pool of its own, as every generation has them."""
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name="a.proto", package="a", message_type=[DescriptorProto(name=name)]))
    return message_class(pool, f"a.{name}")


class Generations:
    """Generations of a process, at whose changes somebody looks."""

    def __init__(self) -> None:
        self.number = 1
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self._waking = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.put_nowait(seconds)
            await self._waking.wait()
            self._waking.clear()

    async def pass_time(self) -> None:
        self._waking.set()
        assert await self.slept.get() == PAUSE


@asynccontextmanager
async def generations() -> AsyncIterator[Generations]:
    numbered = Generations()
    with Freezer().on():
        task = asyncio.create_task(free_after_each(lambda: numbered.number, numbered.sleep))
        assert await numbered.slept.get() == PAUSE
        yield numbered
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_classes_of_a_generation_go_some_time_after_it() -> None:
    """Not at once: it is let go of in a thread, and the last request has to end."""
    async with generations() as numbered:
        cls = frozen(made_class, "Old")
        left = weakref.ref(cls)
        del cls
        await numbered.pass_time()
        await numbered.pass_time()
        numbered.number += 1
        await numbered.pass_time()
        assert left() is not None
        await numbered.pass_time()
        assert left() is None
        again = weakref.ref(frozen(made_class, "Old"))
        await numbered.pass_time()
        await numbered.pass_time()
        assert again() is not None, "nothing has changed"


async def test_classes_go_however_fast_generations_change() -> None:
    async with generations() as numbered:
        cls = frozen(made_class, "Old")
        left = weakref.ref(cls)
        del cls
        for _ in range(2):
            numbered.number += 1
            await numbered.pass_time()
        assert left() is None


async def test_class_in_use_stays_until_it_is_not() -> None:
    parse = frozen(lambda: made_class("Used").FromString)
    left = weakref.ref(type(parse(b"")))
    await free_classes()
    assert left() is not None
    assert parse(b"").SerializeToString() == b""
    del parse
    await free_classes()
    assert left() is None
    gc.unfreeze()


async def test_classes_are_looked_through_some_at_a_time() -> None:
    """And nothing else is, nor are they afterwards: for so long nobody would be answered."""
    classes = frozen(lambda: [made_class("Kept") for _ in range(3 * SLICE)])
    slept: list[float] = []
    looks: list[int] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            assert info["generation"] == 0
            looks.append(len(gc.get_objects(0)))

    gc.callbacks.append(note)
    try:
        await free_classes(sleep)
    finally:
        gc.callbacks.remove(note)
    assert len(slept) == len(looks) > 3
    assert max(looks) < 10 * SLICE
    assert not any(entry is classes[0] for entry in gc.get_objects())
    gc.unfreeze()
