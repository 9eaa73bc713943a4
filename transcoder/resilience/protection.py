"""What stands before the calls of one backend: a cap on calls at once, and a circuit breaker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transcoder.calls import WatchedCalls
from transcoder.config.model import ServiceConfig
from transcoder.context import Calls
from transcoder.events import EventLog, Meter
from transcoder.resilience.breaker import Breaker, State
from transcoder.resilience.in_flight import InFlight


class Protection:
    """Of one backend, as its entry of `services` wants it; None for what it does not want.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        backend: str,
        config: ServiceConfig,
        *,
        log: EventLog,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self.breaker: Breaker | None = None
        self.in_flight: InFlight | None = None

        def say(state: State) -> None:
            say_so = log.info if state == "closed" else log.warning
            say_so("circuit breaker", backend=backend, state=state)

        refused = partial(meter, "transcoder_calls_refused_total", backend=backend)
        if config.circuit_breaker.failures:
            self.breaker = Breaker(config.circuit_breaker, clock, say, refused(reason="circuit_breaker"))
        if config.max_in_flight:
            self.in_flight = InFlight(
                lambda: config.max_in_flight,
                f"services.{backend}.max_in_flight",
                refused(reason="max_in_flight"),
            )

    def around(self, calls: Calls) -> Calls:
        """Calls that are refused when there are too many of them, or when too many have failed."""
        if self.breaker is not None:
            calls = WatchedCalls(calls, self.breaker.calls)
        if self.in_flight is not None:
            calls = WatchedCalls(calls, self.in_flight.calls)
        return calls

    def reconnected(self) -> None:
        """The backend was reached again: what failed before says nothing about it."""
        if self.breaker is not None:
            self.breaker.reset()
