"""What the gateway costs, again and again: by /proc (proc(5)) and by its own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.usage import usage_of
from tests.support.gateway import RunningGateway
from tests.support.metrics import Page, read_metrics

_INTERVAL: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Of all processes of the gateway. at: seconds since the start; rss: bytes; cpu: seconds so far;

    requests: answered so far; lag: mean seconds the event loop was late since the sample before.
    """

    at: float
    rss: int
    fds: int
    threads: int
    cpu: float
    tasks: int
    in_flight: int
    requests: int
    lag: float


@dataclass(slots=True, kw_only=True)
class Sampler:
    """samples: those so far."""

    gateway: RunningGateway
    clock: Callable[[], float]
    samples: list[Sample] = field(default_factory=list)
    _lag: tuple[float, float] = (0.0, 0.0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.samples.append(await self.sample())
            await asyncio.sleep(_INTERVAL)

    async def sample(self) -> Sample:
        page = await read_metrics(self.gateway.admin)
        pids = list(_tree(self.gateway.process.pid))
        usage = usage_of(self.gateway.process.pid)
        return Sample(
            at=round(self.clock(), 3),
            rss=usage.rss,
            fds=sum(_count(pid, "fd") for pid in pids),
            threads=sum(_count(pid, "task") for pid in pids),
            cpu=usage.cpu,
            tasks=int(page.sum("transcoder_event_loop_tasks")),
            in_flight=int(page.sum("transcoder_requests_in_flight")),
            requests=int(page.sum("transcoder_requests_total")),
            lag=self._mean_lag(page),
        )

    def _mean_lag(self, page: Page) -> float:
        name = "transcoder_event_loop_lag_seconds"
        before, self._lag = self._lag, (page.sum(f"{name}_sum"), page.sum(f"{name}_count"))
        return (self._lag[0] - before[0]) / max(1.0, self._lag[1] - before[1])


def _tree(pid: int) -> Iterator[int]:
    """The process and all that came from it and still runs."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            for child in children.read_text().split():
                yield from _tree(int(child))


def _count(pid: int, what: str) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())
    except OSError:
        return 0
