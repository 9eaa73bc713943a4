"""Load for HTTP servers: wrk for requests; its report comes from a Lua script as one line of JSON."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

import orjson

from benchmarks.cells import Workload

_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_REPORT: Final = "report "
_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load generator saw.

    done: requests answered, or messages received; seconds: how long it took; p50, p99: seconds to the answer,
    of a stream to its first message; errors: answers other than 200, and connections that failed.
    """

    done: int
    seconds: float
    p50: float
    p99: float
    errors: int = 0

    @classmethod
    def from_waits(cls, waits: Sequence[float], *, done: int, seconds: float, errors: int = 0) -> Load:
        """waits: the times that p50 and p99 are of; without any, nothing came in all that time."""
        cuts = quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else [*waits, seconds][:1] * 99
        return cls(done=done, seconds=seconds, p50=cuts[49], p99=cuts[98], errors=errors)


def wrk(url: str, workload: Workload, connections: int, seconds: int, headers: Mapping[str, str]) -> Load:
    """Load one server over so many connections that are kept busy.

    Raises RuntimeError when wrk does not report.
    """
    with tempfile.NamedTemporaryFile() as body:
        body.write(workload.body)
        body.flush()
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--timeout", f"{_PATIENCE}s"]
        command += ["--duration", f"{seconds}s", "--script", str(_SCRIPT)]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        command += [url + workload.target, "--", workload.http_method, body.name]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=seconds + 2 * _PATIENCE
        )
    return parse_report(done.stdout + done.stderr)


def parse_report(output: str) -> Load:
    """What wrk.lua reported; its times are microseconds. Raises RuntimeError when there is no report."""
    line = next((line for line in output.splitlines() if line.startswith(_REPORT)), None)
    if line is None:
        raise RuntimeError(f"wrk did not report: {output.strip()}")
    report = orjson.loads(line.removeprefix(_REPORT))
    return Load(
        done=report["requests"],
        seconds=report["duration"] / 1e6,
        p50=report["p50"] / 1e6,
        p99=report["p99"] / 1e6,
        errors=report["errors"],
    )
