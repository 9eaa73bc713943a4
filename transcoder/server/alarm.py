"""One deadline that moves often and is seldom met."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class Alarm:
    """Calls `ring` when a time is over that was not taken back.

    A timer is armed for the first deadline and looks for the current one when it fires: deadlines that keep
    moving on, as those of a busy connection do, cost no timers. set_at: when the last one was set, as the
    loop tells the time.
    """

    __slots__ = ("_deadline", "_fires_at", "_loop", "_ring", "_timer", "set_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._deadline = inf
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = inf
        self.set_at = 0.0

    def set(self, seconds: float) -> None:
        """Ring so many seconds from now, and not when it was meant to before."""
        self.set_at = now = self._loop.time()
        self._deadline = deadline = now + seconds
        if deadline < self._fires_at:
            self._arm(deadline)

    def clear(self) -> None:
        """Do not ring."""
        self._deadline = inf

    def stop(self) -> None:
        """Never ring again."""
        self._deadline = inf
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._fire)
        self._fires_at = deadline

    def _fire(self) -> None:
        self._timer = None
        self._fires_at = inf
        if self._deadline > self._loop.time():
            if self._deadline < inf:
                self._arm(self._deadline)
        else:
            self._deadline = inf
            self._ring()
