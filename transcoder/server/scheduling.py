"""What the system's scheduler is told about this process."""

from __future__ import annotations

import os
from contextlib import suppress


def schedule_in_batches() -> None:
    """Let this thread, and those it will start, not interrupt others when they wake (SCHED_BATCH, sched(7)).

    grpc's threads wake for every call, and would stop the event loop in the middle of a request each time.
    A policy that somebody has chosen for this process is kept, and so is the usual one where no other may be
    set.
    """
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
