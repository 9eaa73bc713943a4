"""Programs under test, run as a user runs them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_PATIENCE: Final = 30.0
_END_WITHIN: Final = 10.0
_LONGEST_LINE: Final = 16 * 1024 * 1024


class Process:
    """A running program and the lines it has written so far; `running` starts one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._process = process
        self._open_streams = 2
        self._news = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.stdout)),
            asyncio.create_task(self._read(process.stderr, self.stderr)),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; -N when signal N ended it."""
        return self._process.returncode

    def send_signal(self, number: int) -> None:
        """To the program alone, not to what it has started; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self, within: float = _PATIENCE) -> int:
        """The exit code, once it and all it started have closed their output; raises TimeoutError."""
        async with asyncio.timeout(within):
            await asyncio.wait(self._readers)
            return await self._process.wait()

    async def wait_for_line(self, wanted: str | Callable[[str], bool], within: float = _PATIENCE) -> str:
        """The first line of stdout, else of stderr, that has the text or that the predicate likes.

        Raises AssertionError, with all it wrote, when the program ends or `within` seconds pass first.
        """
        likes = wanted if callable(wanted) else lambda line: wanted in line
        search = _Search(likes, self.stdout, self.stderr)
        with suppress(TimeoutError):
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: search.is_done() or not self._open_streams)
        assert search.found is not None, f"no such line: {wanted}\n{self}"
        return search.found

    def __str__(self) -> str:
        return "\n".join([f"exit code: {self.returncode}", *self.stdout, *self.stderr])

    async def _read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        async for line in stream:
            lines.append(line.decode(errors="replace").rstrip("\n"))
            async with self._news:
                self._news.notify_all()
        self._open_streams -= 1
        async with self._news:
            self._news.notify_all()


class _Search:
    """Looks for a line among those that come, at each of them once."""

    def __init__(self, likes: Callable[[str], bool], *streams: list[str]) -> None:
        self.found: str | None = None
        self._likes = likes
        self._streams = streams
        self._seen = [0] * len(streams)

    def is_done(self) -> bool:
        """Look at what is new; whether there is such a line, now or before."""
        for number, lines in enumerate(self._streams):
            while self.found is None and self._seen[number] < len(lines):
                line = lines[self._seen[number]]
                self._seen[number] += 1
                if self._likes(line):
                    self.found = line
        return self.found is not None


@asynccontextmanager
async def running(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Process]:
    """Starts a program, and ends it and all it started when the block is left.

    env: what to change in the environment. stdin is empty.
    """
    process = Process(
        await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            limit=_LONGEST_LINE,
            start_new_session=True,  # a group of its own, so that nothing it started is left behind
        )
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    process.terminate()
    process.send_signal(signal.SIGCONT)
    try:
        await process.wait(within=_END_WITHIN)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
