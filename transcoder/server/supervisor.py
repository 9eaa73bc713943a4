"""Several worker processes on the same sockets: started, replaced when they die, stopped together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

from transcoder.events import EventLog
from transcoder.server.options import ServeOptions
from transcoder.server.worker import Sockets

JOB: Final = "TRANSCODER_WORKER_JOB"
"""Environment variable that tells a worker process what to do, as JSON."""

REPLACE_PAUSE: Final = 1.0
"""Seconds before a worker that died is replaced."""


class Supervisor:
    """Keeps `count` workers running until SIGTERM or SIGINT; a second signal does not wait for requests."""

    def __init__(self, options: ServeOptions, sockets: Sockets, count: int, log: EventLog) -> None:
        self._options = options
        self._sockets = sockets
        self._count = count
        self._log = log
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._is_starting = False
        self._is_stopping = False

    def run(self) -> None:
        """Return when every worker has ended after a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="transcoder-") as folder:
            for _ in range(self._count):
                self._start(Path(folder))
            while self._workers:
                pid, status = os.wait()
                worker = self._workers.pop(pid, None)
                if worker is not None and not self._is_stopping:
                    self._log.error("worker died", worker=pid, exit_code=os.waitstatus_to_exitcode(status))
                    time.sleep(REPLACE_PAUSE)
                    self._start(Path(folder))

    def _start(self, folder: Path) -> None:
        if not self._is_stopping:
            self._is_starting = True
            worker = self._spawn(folder)
            self._workers[worker.pid] = worker
            self._is_starting = False
            self._log.info("worker started", worker=worker.pid)
            self._obey()

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        fds = [sock.fileno() if sock is not None else None for sock in self._sockets.pair]
        job = {"options": asdict(self._options), "fds": fds, "control_folder": str(folder)}
        return subprocess.Popen(
            [sys.executable, "-m", "transcoder.server"],
            env={**os.environ, JOB: json.dumps(job)},
            # never written to: its end tells the worker that this process is gone
            stdin=subprocess.PIPE,
            pass_fds=[fd for fd in fds if fd is not None],
            # a terminal's Ctrl-C is for this process, which passes it on once
            process_group=0,
        )

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True
        self._obey()

    def _obey(self) -> None:
        """Stop the workers if a signal has come; one that is just being started could not be told yet."""
        if not self._is_stopping or self._is_starting:
            return
        # as long as anybody has them open, clients can connect and wait for an answer
        for sock in self._sockets.pair:
            if sock is not None:
                sock.close()
        for pid in tuple(self._workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
