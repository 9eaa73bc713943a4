"""Python's collector of cycles, kept out of work that makes many objects at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

THRESHOLDS: Final = (10_000, 20, 50)
"""Of `gc.set_threshold`. With Python's 700, bursts of requests are looked through while they are answered."""

QUIET: Final = 2.0
"""Seconds without another generation before the latest is taken for one that stays."""


def uncollected(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """The result of work in another thread, during which the collector rests in all of them.

    The objects of a schema or of a big message are many and no garbage; each time the collector looks through
    them it holds the interpreter, and with it the event loop, for up to a second.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return work(*arguments)
    finally:
        if was_enabled:
            gc.enable()


async def keep_frozen(
    generation: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Keep what lives as long as a generation from being looked through again and again, until cancelled.

    generation: the number of the one in effect. What lives when this begins is of the first.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    frozen = generation()
    try:
        _freeze()
        while True:
            seen = generation()
            await sleep(QUIET)
            if frozen != seen == generation():
                _freeze()
                frozen = seen
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def _freeze() -> None:
    """Look through everything once, the garbage of the last generation too, and then not at what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
