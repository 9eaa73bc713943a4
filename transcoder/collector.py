"""Python's collector of cycles, kept out of work that makes many objects at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


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
