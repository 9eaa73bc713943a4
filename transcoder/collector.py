"""Python's collector of cycles, kept out of work that makes many objects at once."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, Protocol, TypeVar, TypeVarTuple

from google.protobuf.message import Message

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

THRESHOLDS: Final = (10_000, 20, 50)
"""Of `gc.set_threshold`. With Python's 700, bursts of requests are looked through while they are answered."""

PAUSE: Final = 2.0
"""Seconds between looks at whether there is another generation: time for the last one to free itself."""

SLICE: Final = 250
"""Classes that are looked through at once: two to three milliseconds."""

_in_c: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object)
_track: Final = _in_c(("PyObject_GC_Track", ctypes.pythonapi))
_untrack: Final = _in_c(("PyObject_GC_UnTrack", ctypes.pythonapi))


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


def frozen(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """The result of such work that will stay: nobody looks through it afterwards, either."""
    return uncollected(_frozen, work, *arguments)


def _frozen(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    gc.collect(0)  # what is garbage by now would be kept, too
    result = work(*arguments)
    gc.freeze()
    return result


class Build(Protocol):
    """Runs work that makes a part of a generation."""

    def __call__(self, work: Callable[[*Arguments], T], /, *arguments: *Arguments) -> T:
        """The result of the work."""


class Freezer:
    """Keeps what lives as long as a generation from being looked through again and again."""

    def __init__(self) -> None:
        self._is_on = False

    def build(self, work: Callable[[*Arguments], T], /, *arguments: *Arguments) -> T:
        """The result of work that makes a part of a generation, frozen at once while that is on."""
        return (frozen if self._is_on else uncollected)(work, *arguments)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Look through everything once, and then not at what is left."""
        thresholds = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        gc.collect()
        gc.freeze()
        self._is_on = True
        try:
            yield
        finally:
            self._is_on = False
            gc.unfreeze()
            gc.set_threshold(*thresholds)


async def free_after_each(
    generation: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Find what generations leave that are no longer in effect. generation: the number of the one that is.

    They free themselves (`Codec.forget`), but for the classes of their messages.
    """
    looked = before = generation()
    while True:
        await sleep(PAUSE)
        if before != looked:
            await free_classes(sleep)
        looked, before = before, generation()


async def free_classes(sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Free the classes of messages that nobody can use any more, some at a time, and freeze the others."""
    classes = Message.__subclasses__()
    while classes:
        some = classes[-SLICE:]
        del classes[-SLICE:]
        uncollected(_free, some)
        await sleep(0)
    gc.freeze()


def _free(classes: list[type[Message]]) -> None:
    """Look through some classes and what they are made of, and through no more than these.

    A class refers to itself, and the protobuf runtime's to a descriptor that refers to the class; so each
    keeps the pool of its schema. What is tracked anew is young, and the young can be looked through alone
    (docs.python.org/3/c-api/gcsupport.html).
    """
    all_parts = (part for one in classes for part in (one, *gc.get_referents(one)))
    parts: dict[int, Any] = {id(part): part for part in all_parts if gc.is_tracked(part)}
    classes.clear()
    for part in parts.values():
        _untrack(part)
        _track(part)
    del all_parts, part, parts
    gc.collect(0)
