"""Numbers that outlive the process that counts them, in memory which processes share.

Memory is a file descriptor that several processes have inherited: one of them writes, all may read. It holds
rows, each a key and some doubles. A row is never moved or removed, so a number is changed where it lies, at
the cost of changing an element of an array; and a process that replaces a dead one goes on with its rows.

Layout: chunks of `CHUNK` bytes; in each, rows one after the other until a header of zeros. A row is a header
(length of the key, number of doubles), the key (a JSON array of texts) padded to 8 bytes, and the doubles. A
header is written last: a row that a reader sees is complete.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from typing import Final

import orjson

Key = tuple[str, ...]

CHUNK: Final = 64 * 1024
"""Bytes the memory grows by, and the most a row may take; a multiple of the page size."""

_HEADER: Final = struct.Struct("=II")
_DOUBLE: Final = 8


def shared_memory() -> int:
    """A file descriptor of new, empty memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("transcoder-metrics")
    with tempfile.TemporaryFile() as file:  # elsewhere than on Linux
        return os.dup(file.fileno())


class Cells:
    """The writer's end of memory; there is only one at a time, used by one thread."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._size = 0
        self._chunk = memoryview(b"")
        self._free = 0
        self._rows: dict[Key, memoryview[float]] = {}
        for _ in range(os.fstat(memory).st_size // CHUNK):
            self._map_next()

    def row(self, key: Key, width: int) -> memoryview[float]:
        """The doubles of a row, zeros if it is new. Its changes are seen at once by whoever reads."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._append(orjson.dumps(key), width)
        return row

    def _append(self, text: bytes, width: int) -> memoryview[float]:
        start = _HEADER.size + _padded(len(text))
        size = start + width * _DOUBLE
        if size > CHUNK:
            raise ValueError(f"a row of {size} bytes does not fit into {CHUNK}")
        if self._free + size > len(self._chunk):
            os.ftruncate(self._memory, self._size + CHUNK)
            self._map_next()
        row = self._chunk[self._free : self._free + size]
        self._free += size
        row[_HEADER.size : _HEADER.size + len(text)] = text
        _HEADER.pack_into(row, 0, len(text), width)
        return row[start:].cast("d")

    def _map_next(self) -> None:
        """Take the next chunk, with the rows it has."""
        self._chunk = memoryview(mmap.mmap(self._memory, CHUNK, offset=self._size))
        self._size += CHUNK
        self._free = 0
        for key, start, end in _rows(self._chunk):
            self._rows[key] = self._chunk[start:end].cast("d")
            self._free = end
        # a predecessor may have died while it began another row
        self._chunk[self._free :] = bytes(CHUNK - self._free)


def read_rows(memory: int) -> Iterator[tuple[Key, tuple[float, ...]]]:
    """Every row of memory, as it is now."""
    size = os.fstat(memory).st_size
    for offset in range(0, size, CHUNK):
        chunk = memoryview(os.pread(memory, CHUNK, offset))
        for key, start, end in _rows(chunk):
            yield key, tuple(chunk[start:end].cast("d"))


def _rows(chunk: memoryview[int]) -> Iterator[tuple[Key, int, int]]:
    """The key of each row, and where its doubles begin and end."""
    offset = 0
    while offset + _HEADER.size <= len(chunk):
        length, width = _HEADER.unpack_from(chunk, offset)
        if not length:
            return
        text = offset + _HEADER.size
        start = text + _padded(length)
        offset = start + width * _DOUBLE
        yield tuple(orjson.loads(chunk[text : text + length])), start, offset


def _padded(length: int) -> int:
    return -(-length // _DOUBLE) * _DOUBLE
