"""What becomes of requests while the storage that should count them does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.events import EventLog, Meter
from transcoder.resilience.limiter import Count

TOLERATED: Final = 3
"""Failures in a row after which a storage counts as down: one alone may be a hiccup of ours."""

PAUSE: Final = 1.0
"""Seconds between two attempts to reach a storage that is down; one request makes each."""


class Outage:
    """Bounds the time a storage may take, and answers in its place while it is down.

    timeout: seconds; is_open: whether requests that were not counted pass; at_once: how many may ask at
    a time, so that a burst of them does not pass for a slow storage; clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        timeout: float,
        is_open: bool,
        at_once: int,
        log: EventLog,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self._timeout = timeout
        self._turn = asyncio.Semaphore(at_once)
        self._is_open = is_open
        self._log = log
        outcome = "allowed" if is_open else "refused"
        self._count_uncounted = meter("transcoder_requests_uncounted_total", outcome=outcome)
        self._clock = clock
        self._failures = 0
        self._ask_again = 0.0

    @property
    def is_down(self) -> bool:
        """Whether the storage counts as down: it is asked by one request at a time, once in a while."""
        return self._failures >= TOLERATED

    def guarded(self, count: Count) -> Count:
        """The same, never longer than the timeout, and failing only as configured."""

        async def guarded(key: str) -> float | None:
            async with self._turn:
                if self._is_pausing():
                    return self._decide("it is down")
                try:
                    wait = await _within(self._timeout, count(key))
                except Exception as error:  # whatever a client library makes of a broken server
                    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
                    self._failed(reason)
                    return self._decide(reason)
                self._answered()
                return wait

        return guarded

    def _is_pausing(self) -> bool:
        if not self.is_down:
            return False
        now = self._clock()
        if now < self._ask_again:
            return True
        self._ask_again = now + PAUSE
        return False

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures == TOLERATED:
            self._ask_again = self._clock() + PAUSE
            self._log.error("rate limits are not counted", allowed=self._is_open, reason=reason)

    def _answered(self) -> None:
        if self.is_down:
            self._log.info("rate limits are counted again")
        self._failures = 0

    def _decide(self, reason: str) -> float | None:
        """The answer about a request that was not counted."""
        self._count_uncounted()
        if self._is_open:
            return None
        raise TranscodeError(
            SERVICE_UNAVAILABLE,
            "",
            reason=f"rate limit storage: {reason}",
            headers=[("retry-after", str(round(PAUSE)))],
        )


async def _within(seconds: float, answer: Coroutine[None, None, float | None]) -> float | None:
    """The answer, if it comes in time. Raises TimeoutError, and does not wait for the answer to be given up.

    The time is waited for in two halves: when this process stalls, one of them is over at once, and what has
    arrived meanwhile is still read in the other.
    """
    task = asyncio.create_task(answer)
    task.add_done_callback(_forget)
    try:
        for _ in range(2):
            done, _pending = await asyncio.wait((task,), timeout=seconds / 2)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        task.cancel()


def _forget(task: asyncio.Task[float | None]) -> None:
    """Let nobody hear of how an answer failed that nobody waited for."""
    if not task.cancelled():
        task.exception()
