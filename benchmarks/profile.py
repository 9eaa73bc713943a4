"""Where the time of requests goes, function by function, as py-spy sees it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from benchmarks.cells import Cell
from benchmarks.processes import wait_until_idle
from benchmarks.targets import Server, put_load

_RATE: Final = 250
_LEAD: Final = 1
_FRAME: Final = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(:\d+)?\)")
_LIBRARY: Final = re.compile(r".*/(?:site-packages|python3\.\d+)/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Shares of all samples, by `function (file)`: own, and with what it called."""

    own: Mapping[str, float]
    total: Mapping[str, float]


def record(server: Server, cell: Cell, seconds: int, file: Path) -> Profile:
    """Profile a server under load. file: for the stacks. Raises CalledProcessError when py-spy fails."""
    wait_until_idle(server.pid)
    command = ["py-spy", "record", "--pid", str(server.pid), "--rate", str(_RATE), "--duration", str(seconds)]
    spy = subprocess.Popen([*command, "--format", "raw", "--output", str(file)])
    put_load(server, cell, seconds + _LEAD)
    if spy.wait():
        raise subprocess.CalledProcessError(spy.returncode, command)
    return parse_stacks(file.read_text().splitlines())


def parse_stacks(lines: Iterable[str]) -> Profile:
    """Each line is a stack, outermost first, its frames behind semicolons, and how often it was seen."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    samples = max(own.total(), 1)
    return Profile(
        own={name: seen / samples for name, seen in own.most_common()},
        total={name: seen / samples for name, seen in total.most_common()},
    )


def to_table(profile: Profile, most: int) -> Table:
    """The functions with the largest shares of their own."""
    table = Table(title="shares of the time of the event loop's process")
    table.add_column("own", justify="right")
    table.add_column("with callees", justify="right")
    table.add_column("function")
    for name in list(profile.own)[:most]:
        table.add_row(f"{profile.own[name]:.1%}", f"{profile.total[name]:.1%}", name)
    return table


def _short(frame: str) -> str:
    """Without the line, and with the path below the library or the project."""
    parts = _FRAME.fullmatch(frame)
    if parts is None:
        return frame
    return f"{parts['function']} ({_LIBRARY.sub('', parts['file'])})"
