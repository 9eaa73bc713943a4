"""Numbers in memory that processes share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.observe import cells as module
from transcoder.observe.cells import CHUNK, Cells, read_rows, shared_memory


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = shared_memory()
    yield descriptor
    os.close(descriptor)


def test_what_is_written_is_read(memory: int) -> None:
    cells = Cells(memory)
    one, two = cells.row(("one",), 1), cells.row(("two", "é", ""), 3)
    assert list(read_rows(memory)) == [(("one",), (0,)), (("two", "é", ""), (0, 0, 0))]
    one[0] += 2.5
    two[1] = -1
    assert dict(read_rows(memory)) == {("one",): (2.5,), ("two", "é", ""): (0, -1, 0)}


def test_row_is_the_same_for_the_same_key(memory: int) -> None:
    cells = Cells(memory)
    cells.row(("a", "b"), 1)[0] = 1
    cells.row(("a", "b"), 1)[0] += 1
    cells.row(("ab",), 1)[0] = 7
    assert dict(read_rows(memory)) == {("a", "b"): (2,), ("ab",): (7,)}


def test_new_memory_is_empty(memory: int) -> None:
    assert list(read_rows(memory)) == []


def test_memory_elsewhere_than_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module.os, "memfd_create", raising=False)
    descriptor = shared_memory()
    Cells(descriptor).row(("a",), 1)[0] = 1
    assert dict(read_rows(descriptor)) == {("a",): (1,)}
    os.close(descriptor)


def test_successor_goes_on(memory: int) -> None:
    """Also in the middle of a chunk, and after several."""
    rows = {(f"{number:04}" * 50,): number % 5 + 1 for number in range(1000)}
    first = Cells(memory)
    for key, width in rows.items():
        first.row(key, width)[width - 1] = 1
    second = Cells(memory)
    for key, width in rows.items():
        second.row(key, width)[width - 1] += 1
    second.row(("new",), 1)[0] = 5
    found = dict(read_rows(memory))
    assert found.pop(("new",)) == (5,)
    assert found == {key: (0,) * (width - 1) + (2,) for key, width in rows.items()}
    assert os.fstat(memory).st_size > 2 * CHUNK


def test_row_that_fits_no_chunk(memory: int) -> None:
    with pytest.raises(ValueError, match="does not fit into 65536"):
        Cells(memory).row(("x" * CHUNK,), 1)
    assert list(read_rows(memory)) == []


def test_row_that_just_fits(memory: int) -> None:
    cells = Cells(memory)
    cells.row(("a",), 1)
    cells.row(("b",), (CHUNK - 16) // 8)[-1] = 3
    cells.row(("c",), 1)[0] = 4
    found = dict(read_rows(memory))
    assert (found["a",], found["b",][-1], found["c",]) == ((0,), 3, (4,))
    assert os.fstat(memory).st_size == 3 * CHUNK


def test_predecessor_that_died_while_it_began_a_row(memory: int) -> None:
    Cells(memory).row(("a",), 1)[0] = 1
    size = os.fstat(memory).st_size
    written = os.pread(memory, size, 0).rstrip(b"\0")
    begun = -(-len(written) // 8) * 8 + 8
    os.pwrite(memory, b"x" * 100, begun)
    Cells(memory).row(("b",), 2)
    assert dict(read_rows(memory)) == {("a",): (1,), ("b",): (0, 0)}


@given(st.dictionaries(st.lists(st.text(max_size=20), min_size=1).map(tuple), st.floats(allow_nan=False)))
def test_any_key_and_number(rows: dict[tuple[str, ...], float]) -> None:
    memory = shared_memory()
    try:
        cells = Cells(memory)
        for key, value in rows.items():
            cells.row(key, 1)[0] = value
        assert dict(read_rows(memory)) == {key: (value,) for key, value in rows.items()}
    finally:
        os.close(memory)


def test_killed_writer_leaves_what_it_has_counted(memory: int) -> None:
    """In another process, which gets no chance to put anything away."""
    code = (
        "import os, signal, sys\n"
        "from transcoder.observe.cells import Cells\n"
        "row = Cells(int(sys.argv[1])).row(('a',), 1)\n"
        "for _ in range(1000): row[0] += 1\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(memory)], pass_fds=[memory], check=False, timeout=30
    )
    assert done.returncode == -9
    assert dict(read_rows(memory)) == {("a",): (1000,)}
