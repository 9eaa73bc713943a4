"""What a worker costs: memory, file descriptors, CPU time, and how late its event loop is."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from transcoder.observe.catalogue import Sample

LAG_INTERVAL: Final = 0.1
"""Seconds between two looks at the event loop: ten wake-ups a second cost 0.02% of a core."""

_PROC: Final = Path("/proc/self")


async def measure_lag(
    observe: Callable[[float], None], clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Measure for ever how late the event loop wakes who has asked for it. clock: monotonic seconds."""
    while True:
        due = clock() + LAG_INTERVAL
        await sleep(LAG_INTERVAL)
        observe(max(0.0, clock() - due))


def process_gauges(worker: str, proc: Path = _PROC) -> Iterator[Sample]:
    """The figures of this process, as far as the system tells them."""
    labels = (worker,)
    yield "transcoder_process_max_fds", labels, float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if proc.is_dir():
        pages = int((proc / "statm").read_text().split()[1])
        yield "transcoder_process_resident_memory_bytes", labels, float(pages * resource.getpagesize())
        yield "transcoder_process_open_fds", labels, float(sum(1 for _ in (proc / "fd").iterdir()))
