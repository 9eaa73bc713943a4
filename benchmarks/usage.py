"""What processes have used, as Linux tells it in /proc (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """cpu: seconds so far, user and system; rss: bytes now."""

    cpu: float
    rss: int


def usage_of(pid: int) -> Usage:
    """Of a process and all that came from it and still runs."""
    stats = _stats()
    tree = [stats[member] for member in _tree(pid, stats)]
    return Usage(cpu=sum(stat.ticks for stat in tree) / _TICKS, rss=sum(stat.pages for stat in tree) * _PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stat:
    parent: int
    ticks: int
    pages: int


def _stats() -> dict[int, _Stat]:
    stats = {}
    for path in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            stats[int(path.parent.name)] = _parse(path.read_text())
    return stats


def _parse(line: str) -> _Stat:
    """The fields behind the program's name, which may hold spaces and brackets itself."""
    fields = line.rpartition(")")[2].split()
    return _Stat(parent=int(fields[1]), ticks=int(fields[11]) + int(fields[12]), pages=int(fields[21]))


def _tree(root: int, stats: dict[int, _Stat]) -> Iterator[int]:
    if root in stats:
        yield root
    for pid, stat in stats.items():
        if stat.parent == root:
            yield from _tree(pid, stats)
