"""Circuit breaker: a backend that keeps failing is not called for a while, then tried with one call.

States as in "Release It!" (Nygard): closed (calls pass), open (calls are refused), half-open (one call is on
trial). One breaker guards one backend.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from transcoder.calls import Begin, End
from transcoder.config.model import BreakerConfig
from transcoder.context import Metadata
from transcoder.errors import SERVICE_UNAVAILABLE, Code, TranscodeError

State = Literal["closed", "open", "half-open"]

STATES: Final[tuple[State, ...]] = ("closed", "open", "half-open")

FAIR_TIMEOUT: Final = 1.0
"""Seconds. A call that was allowed less and missed its deadline says nothing about the backend: clients
choose deadlines, and must not be able to cut others off with short ones."""


class Breaker:
    """Counts failures of a backend and refuses calls when they are too many.

    A failure is UNAVAILABLE, or DEADLINE_EXCEEDED after a fair timeout; whatever else a backend answers, it
    is there. Failures are too many when so many come within the window, more of them than answers, and not
    all at once: when one address of several goes away, the calls it had fail together, and the others serve.
    clock: monotonic seconds; on_change: told each new state; count_refusal: counts calls that are refused.
    """

    def __init__(
        self,
        config: BreakerConfig,
        clock: Callable[[], float],
        on_change: Callable[[State], None],
        count_refusal: Callable[[], None],
    ) -> None:
        self.state: State = "closed"
        self._config = config
        self._clock = clock
        self._on_change = on_change
        self._count_refusal = count_refusal
        self._answers = self._failed = 0
        # when each was, and how many answers there had been when its call began
        self._failures: deque[tuple[float, int]] = deque(maxlen=config.failures)
        self._next_trial = 0.0

    def calls(self, _path: str) -> Begin:
        """To be put around calls."""
        return self._begin

    @property
    def recent_failures(self) -> int:
        """Failures within the window that ends now; no more are counted than are needed to open."""
        begin = self._clock() - self._config.window
        return sum(when > begin for when, _ in self._failures)

    def reset(self) -> None:
        """Let calls pass: the backend has shown that it is there."""
        self._failures.clear()
        self._become("closed")

    def _begin(self, metadata: Metadata, timeout: float | None) -> tuple[Metadata, End]:
        is_trial = self.state != "closed"
        if is_trial:
            self._try()
        was_fair = timeout is None or timeout >= FAIR_TIMEOUT
        return metadata, partial(self._end, is_trial, was_fair, self._failed, self._answers)

    def _try(self) -> None:
        """Begin a trial, the only one for as long as the breaker would be open; raises TranscodeError."""
        now = self._clock()
        if now < self._next_trial:
            self._count_refusal()
            wait = str(math.ceil(self._next_trial - now))
            raise TranscodeError(
                SERVICE_UNAVAILABLE, "", reason="circuit breaker is open", headers=[("retry-after", wait)]
            )
        self._next_trial = now + self._config.open_for
        self._become("half-open")

    def _end(self, is_trial: bool, was_fair: bool, failed: int, answers: int, code: Code) -> None:
        """failed, answers: how many of either there had been when the call began."""
        if code is Code.UNAVAILABLE:
            self._fail(is_trial, failed, answers)
        elif code is Code.DEADLINE_EXCEEDED and was_fair:
            self._fail(is_trial, self._failed, answers)  # each has waited for itself
        elif code is Code.CANCELLED or code is Code.DEADLINE_EXCEEDED:
            self._learned_nothing(is_trial)
        else:
            self._answers += 1
            if is_trial:
                self.reset()

    def _fail(self, is_trial: bool, failed: int, answers: int) -> None:
        now = self._clock()
        self._failed += 1
        self._failures.append((now, answers))
        if is_trial or (self.state == "closed" and self._are_too_many(now, failed)):
            self._next_trial = now + self._config.open_for
            self._become("open")

    def _are_too_many(self, now: float, failed: int) -> bool:
        limit = self._config.failures
        first, answers = self._failures[0]
        return (
            len(self._failures) == limit
            and first > now - self._config.window
            and self._answers - answers < limit
            and failed > self._failed - max(limit, 2)  # the last began when the first had failed
        )

    def _learned_nothing(self, is_trial: bool) -> None:
        if is_trial and self.state == "half-open":
            self._next_trial = self._clock()

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)
