"""The metrics of a worker: what it counts itself, and the page with those of all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain
from time import monotonic, process_time
from typing import Final

from transcoder.context import Handler
from transcoder.events import Meter
from transcoder.observe.catalogue import Sample
from transcoder.observe.metrics import Metrics
from transcoder.observe.process import measure_lag
from transcoder.observe.requests import RequestMeter, measure_refusals, measure_requests
from transcoder.plan.reply import Refuse
from transcoder.server.control import Control, Outcome
from transcoder.server.gauges import Measured, worker_gauges
from transcoder.server.team import Team

GATHER_TIMEOUT: Final = 2.0
"""Seconds the other workers may take for their gauges; one that is stuck must not cost the whole page."""


class Instruments:
    """What a worker is measured with. team: has memory for the metrics of every slot.

    Counters and histograms lie in memory that outlives the worker, gauges are asked for.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._metrics = Metrics(team.memories[team.slot])
        self._requests = RequestMeter(self._metrics)
        self._set_cpu = self._metrics.total("transcoder_process_cpu_seconds_total", worker=team.name)
        self._metrics.counter("transcoder_worker_starts_total", worker=team.name)()

    @property
    def meter(self) -> Meter:
        """Makes counters for others."""
        return self._metrics.counter

    def on_handler(self, handler: Handler) -> Handler:
        """The same handler, measured."""
        return measure_requests(handler, self._requests, monotonic)

    def on_refusals(self, refuse: Refuse) -> Refuse:
        """The same refusals of requests that no handler sees, counted."""
        return measure_refusals(refuse, self._requests)

    async def watch_loop(self) -> None:
        """Measure the event loop; runs until cancelled."""
        lag = self._metrics.histogram("transcoder_event_loop_lag_seconds", worker=self._team.name)
        await measure_lag(lag, monotonic, asyncio.sleep)

    def figures(self, worker: Measured) -> Outcome:
        """The gauges of this worker, as other workers ask for them."""
        self._set_cpu(process_time())
        labels = (self._team.name,)
        own: list[Sample] = [
            ("transcoder_requests_in_flight", labels, float(self._requests.in_flight)),
            ("transcoder_event_loop_tasks", labels, float(len(asyncio.all_tasks()))),
        ]
        return {"ok": True, "gauges": [*own, *worker_gauges(worker, self._team.name)]}

    async def page(self, control: Control, accept: str) -> tuple[bytes, str]:
        """The metrics of all workers and their content type. accept: the header of the request."""
        outcomes = await control.everywhere("figures", within=GATHER_TIMEOUT)
        gauges = [*chain.from_iterable(outcome.get("gauges", ()) for outcome in outcomes)]
        return await asyncio.to_thread(_render, self._team.memories, gauges, accept)


def _render(memories: Sequence[int], gauges: Sequence[Sample], accept: str) -> tuple[bytes, str]:
    # its library takes 50 ms to import, which only those need who are asked for metrics
    from transcoder.observe.exposition import exposition  # noqa: PLC0415

    return exposition(memories, gauges, accept)
