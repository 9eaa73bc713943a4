"""CPU and memory of a program and of what it has started."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.processes import end
from benchmarks.usage import usage_of

BURN = (
    "x = bytearray(64 << 20)\nimport time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
)
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"


def test_usage_is_that_of_the_tree() -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        usage = usage_of(process.pid)
        assert 0.28 <= usage.cpu < 5
        assert 64 << 20 < usage.rss < 512 << 20
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
        end(process)
    assert usage_of(process.pid).cpu == 0
