"""What came of every request: answered right, failed for a good reason, or lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from websockets.exceptions import WebSocketException

from benchmarks.soak.notes import Side

RECOVERY: Final = 5.0
"""Seconds after the return of a backend in which calls to it may still fail: connections are tried anew at
most 1.5 s apart, and a call that failed then has up to two retries before its answer."""

_MOST_LOSSES: Final = 1000


class WrongAnswerError(Exception):
    """An answer that is not the one to its request; the text says what was asked and what came."""


class UnavailableError(Exception):
    """503 or 504, or what they are within a stream: right while the backend is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """at: seconds since the start of the soak."""

    at: float
    kind: str
    problem: str


@dataclass(slots=True, kw_only=True)
class Outage:
    """When a backend was not there, in seconds of the clock; until: None while it is not."""

    side: Side
    since: float
    until: float | None = None


@dataclass(slots=True, kw_only=True)
class Ledger:
    """clock: seconds since the start of the soak. right, excused and lost: how many, by kind of request.

    losses: the first of those that were lost.
    """

    clock: Callable[[], float]
    right: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    losses: list[Loss] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    @contextmanager
    def entry(self, kind: str, side: Side | None = None) -> Iterator[None]:
        """Books one request by how the block ends. side: the backend that may excuse it."""
        started = self.clock()
        try:
            yield
        except UnavailableError as failure:
            if self._is_excused(side, started):
                self.excused[kind] += 1
            else:
                self.lose(kind, f"{failure}, but the backend was up")
        except asyncio.IncompleteReadError as failure:
            self.lose(kind, f"connection closed after {len(failure.partial)} bytes: {failure.partial[:60]!r}")
        except (WrongAnswerError, OSError, TimeoutError, WebSocketException) as failure:
            self.lose(kind, f"{type(failure).__name__}: {failure}")
        else:
            self.right[kind] += 1

    @contextmanager
    def outage(self, side: Side) -> Iterator[None]:
        """The backend is not there while the block runs."""
        outage = Outage(side=side, since=self.clock())
        self.outages.append(outage)
        try:
            yield
        finally:
            outage.until = self.clock()

    def is_calm(self, at: float) -> bool:
        """Whether every backend was up then, and had been for a while."""
        return not any(
            outage.since <= at and (outage.until is None or at <= outage.until + RECOVERY)
            for outage in self.outages
        )

    def lose(self, kind: str, problem: str) -> None:
        self.lost[kind] += 1
        if len(self.losses) < _MOST_LOSSES:
            self.losses.append(Loss(at=round(self.clock(), 3), kind=kind, problem=problem))

    def _is_excused(self, side: Side | None, started: float) -> bool:
        return any(
            outage.side == side and (outage.until is None or started <= outage.until + RECOVERY)
            for outage in self.outages
        )
