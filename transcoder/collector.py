"""Python's collector of cycles, kept out of work that makes many objects at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

THRESHOLDS: Final = (10_000, 20, 50)
"""Of `gc.set_threshold`. With Python's 700, bursts of requests are looked through while they are answered."""

QUIET: Final = 2.0
"""Seconds without another generation before the latest is taken for one that stays, and without a request
before a long look disturbs nobody."""

FEW_ROUTES: Final = 300
"""A look through a process that serves no more takes some 50 ms."""

MOST_UNSEEN: Final = 3
"""Generations whose garbage may wait for a quiet moment, before the look is taken in a busy one."""


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


def built(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """The result of such work that is part of a generation: where these are kept frozen, it is at once."""
    return uncollected(_frozen, work, *arguments)


def _frozen(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    result = work(*arguments)
    if gc.get_threshold() == THRESHOLDS:
        gc.freeze()
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a process has to do.

    generation: the number of the one in effect; routes: how many it has; requests: how many have begun.
    """

    generation: int
    routes: int
    requests: int


async def keep_frozen(
    load: Callable[[], Load], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Keep what lives as long as a generation from being looked through again and again, until cancelled.

    What an older one has left behind is found by a look through everything. Where there are many routes it
    takes long, and waits for a time without requests. What lives when this begins has been frozen (`look`).
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    looked = before = load()
    most_routes = looked.routes
    try:
        while True:
            await sleep(QUIET)
            now = load()
            most_routes = max(most_routes, now.routes)
            is_settled = looked.generation != now.generation == before.generation
            is_short = most_routes <= FEW_ROUTES
            is_quiet = now.requests == before.requests
            is_due = now.generation > looked.generation + MOST_UNSEEN
            if is_settled and (is_short or is_quiet or is_due):
                look()
                looked, most_routes = now, now.routes
            before = now
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def look() -> None:
    """Look through everything once, the garbage of the last generation too, and then not at what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
