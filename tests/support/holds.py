"""How long the event loop does not turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any, Final

import pytest

TRIES: Final = 3


async def holds_during(work: Awaitable[Any]) -> list[float]:
    """What the process worked between the event loop's turns while there was work, in seconds, sorted.

    It is the CPU's time, so that what other processes do counts little.
    """
    working, holds = asyncio.ensure_future(work), []
    while not working.done():
        started = process_time()
        await asyncio.sleep(0.001)
        holds.append(process_time() - started)
    await working
    return sorted(holds)


async def assert_not_held(work: Callable[[], Awaitable[Any]], *, at_least: float = 0.0) -> None:
    """The loop turns within 50 ms at the 99th percentile, and within 100 ms always.

    Where more threads want a CPU than there are, a turn may come late once, so there are three tries.
    at_least: seconds of the CPU that the work takes for sure, or it was not done.
    """
    for _ in range(TRIES):
        holds = await holds_during(work())
        assert sum(holds) >= at_least
        if holds[len(holds) * 99 // 100] < 0.05 and holds[-1] < 0.1:
            return
    pytest.fail(f"the event loop was held for {holds[-10:]} s")
