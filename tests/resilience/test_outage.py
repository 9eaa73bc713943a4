"""A storage that fails, hangs and comes back."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

from tests.support.events import Events
from tests.support.metrics import Counts
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.resilience.outage import PAUSE, TOLERATED, Outage

DOWN = "rate limits are not counted"
UP = "rate limits are counted again"


class World:
    """A storage as it is told to be, behind an outage.

    answer: what it waits for; pause: seconds it takes then, for one at a time; last_words: what it raises
    when it is given up.
    """

    def __init__(self, *, is_open: bool = True, timeout: float = 5, at_once: int = 9) -> None:
        self.now = 0.0
        self.pause = 0.0
        self.error: Exception | None = None
        self.last_words: Exception | None = None
        self.answer: asyncio.Event | None = None
        self.asked = 0
        self.is_asked = asyncio.Event()
        self._desk = asyncio.Lock()
        self.events = Events()
        self.counts = Counts()
        self.outage = Outage(
            timeout=timeout,
            is_open=is_open,
            at_once=at_once,
            log=self.events,
            meter=self.counts,
            clock=lambda: self.now,
        )
        self.count = self.outage.guarded(self._count)

    @property
    def uncounted(self) -> dict[str, int]:
        """By what became of them."""
        return self.counts.by("outcome", "transcoder_requests_uncounted_total")

    async def _count(self, _key: str) -> float | None:
        self.asked += 1
        self.is_asked.set()
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            await self._wait(self.answer)
        async with self._desk:
            await asyncio.sleep(self.pause)
        return 7.0

    async def _wait(self, answer: asyncio.Event) -> None:
        try:
            await answer.wait()
        except asyncio.CancelledError:
            if self.last_words is not None:
                raise self.last_words from None
            raise

    async def fail(self, times: int) -> None:
        self.error = ConnectionError("refused")
        for _ in range(times):
            assert await self.count("k") is None


async def test_answers_pass_through() -> None:
    assert await World().count("k") == 7.0


async def test_failures_let_requests_pass() -> None:
    world = World()
    await world.fail(1)
    world.error = None
    assert await world.count("k") == 7.0
    assert world.events.all == []
    assert world.uncounted == {"allowed": 1}


@pytest.mark.parametrize("error", [ConnectionError("secret"), TimeoutError(), RuntimeError(), IndexError()])
async def test_failures_refuse_requests(error: Exception) -> None:
    world = World(is_open=False)
    world.error = error
    for _ in range(TOLERATED + 1):
        with pytest.raises(TranscodeError) as caught:
            await world.count("k")
        assert caught.value.kind is SERVICE_UNAVAILABLE
        assert caught.value.headers == (("retry-after", "1"),)
        assert "secret" not in caught.value.message
    assert world.asked == TOLERATED
    assert world.uncounted == {"refused": TOLERATED + 1}


async def test_storage_that_is_down_is_asked_now_and_then() -> None:
    world = World()
    await world.fail(100)
    assert world.asked == TOLERATED
    world.now += PAUSE
    await world.fail(100)
    assert world.asked == TOLERATED + 1
    assert [(event.level, event.event) for event in world.events.all] == [("error", DOWN)]
    assert world.events.all[0].fields == {"allowed": True, "reason": "ConnectionError: refused"}


async def test_storage_that_is_back_counts() -> None:
    world = World()
    await world.fail(TOLERATED - 1)
    assert not world.outage.is_down
    await world.fail(1)
    assert world.outage.is_down
    world.error = None
    assert await world.count("k") is None
    world.now += PAUSE
    assert [await world.count("k") for _ in range(2)] == [7.0, 7.0]
    assert not world.outage.is_down
    assert world.uncounted == {"allowed": TOLERATED + 1}
    assert [event.event for event in world.events.all] == [DOWN, UP]
    await world.fail(TOLERATED)
    assert [event.event for event in world.events.all] == [DOWN, UP, DOWN]


async def test_storage_that_hangs_is_not_waited_for() -> None:
    world = World(timeout=0.01)
    world.answer = asyncio.Event()
    async with asyncio.timeout(5):
        assert [await world.count("k") for _ in range(TOLERATED)] == [None] * TOLERATED
    assert world.events.all[0].fields["reason"] == "TimeoutError"


async def test_one_request_asks_for_all() -> None:
    """While it waits for the answer, others do not."""
    world = World()
    await world.fail(TOLERATED)
    world.now += PAUSE
    world.error = None
    world.answer = asyncio.Event()
    world.is_asked.clear()
    first = asyncio.create_task(world.count("first"))
    await world.is_asked.wait()
    assert await world.count("second") is None
    assert world.asked == TOLERATED + 1
    world.answer.set()
    assert await first == 7.0


async def test_burst_does_not_pass_for_a_slow_storage() -> None:
    """What waits for its turn does not wait for the storage."""
    world = World(timeout=0.5, at_once=1)
    world.pause = 0.03
    assert await asyncio.gather(*(world.count("k") for _ in range(30))) == [7.0] * 30
    assert world.events.all == []


async def test_stalled_process_does_not_pass_for_a_slow_storage() -> None:
    """The first of two answers arrives while nobody can read it."""
    world = World(timeout=0.4)
    world.pause = 0.03
    world.answer = asyncio.Event()
    count = asyncio.create_task(world.count("k"))
    await world.is_asked.wait()
    loop = asyncio.get_running_loop()
    arrival = threading.Timer(0.05, loop.call_soon_threadsafe, (world.answer.set,))
    arrival.start()
    time.sleep(0.6)  # noqa: ASYNC251 - that is the stall
    assert await count == 7.0
    arrival.join()


async def test_failure_after_the_end_is_not_heard_of(caplog: pytest.LogCaptureFixture) -> None:
    world = World(timeout=0.01)
    world.answer = asyncio.Event()
    world.last_words = RuntimeError("while it was given up")
    assert await world.count("k") is None
    gc.collect()
    await asyncio.sleep(0)
    assert caplog.records == []


async def test_client_that_goes_is_no_failure() -> None:
    world = World()
    world.answer = asyncio.Event()
    for _ in range(TOLERATED):
        task = asyncio.create_task(world.count("k"))
        await world.is_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        world.is_asked.clear()
    assert world.events.all == []
