"""Coding big messages in a thread, so that the event loop stays free for other requests.

The thread has to share the interpreter: while it works, whoever else wants it waits a switch interval. So
there is one thread for all, and only what would hold the loop for longer goes there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar, TypeVarTuple

from transcoder.collector import uncollected

T = TypeVar("T")
Rest = TypeVarTuple("Rest")

BIG_MESSAGE: Final = 64 * 1024
"""Bytes, of JSON or wire, above which a message is coded in a thread. What takes longest for its size, many
empty messages, takes less than 50 ms up to here; the way to the thread and back takes a tenth of one.
"""


async def coded(
    thread: Executor | None, code: Callable[[bytes, *Rest], T], message: bytes, *rest: *Rest
) -> T:
    """What `code` makes of a message and the rest. thread: None is the event loop's own pool."""
    if len(message) <= BIG_MESSAGE:
        return code(message, *rest)
    return await in_thread(thread, code, message, *rest)


async def in_thread(thread: Executor | None, function: Callable[[*Rest], T], *args: *Rest) -> T:
    """What a function makes of something big. thread: as for `coded`."""
    return await asyncio.get_running_loop().run_in_executor(thread, uncollected, function, *args)
