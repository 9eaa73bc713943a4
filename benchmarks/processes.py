"""Programs that are measured, and their end."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.usage import usage_of

_START_WITHIN: Final = 30.0
_END_WITHIN: Final = 10.0
_IDLE_WITHIN: Final = 10.0
_POLL: Final = 0.05
_IDLE_SHARE: Final = 0.25


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[int]:
    """The pid of a program, which is ended when the block is left. log: what it writes."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield process.pid
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, and make it when it does not."""
    process.terminate()
    try:
        process.wait(_END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_serving(port: int, target: str, headers: Mapping[str, str], log: Path) -> None:
    """Wait for an answer of 200. Raises RuntimeError, with the end of the log, when there is none."""
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if _status(port, target, headers) == 200:
                return
        time.sleep(_POLL)
    raise RuntimeError(f"no answer on port {port}\n{log.read_text()[-2000:]}")


def _status(port: int, target: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_WITHIN)
    with closing(connection):
        connection.request("GET", target, headers=dict(headers))
        return connection.getresponse().status


def wait_until_idle(pid: int) -> None:
    """Wait until a process has worked off what a load left behind; not for ever."""
    deadline = time.monotonic() + _IDLE_WITHIN
    before = usage_of(pid).cpu
    while time.monotonic() < deadline:
        time.sleep(2 * _POLL)
        now = usage_of(pid).cpu
        if now - before <= 2 * _POLL * _IDLE_SHARE:
            return
        before = now
