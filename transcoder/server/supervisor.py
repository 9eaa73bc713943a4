"""Several worker processes at the same address: started, replaced when they die, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from transcoder.events import EventLog
from transcoder.server.job import JOB, Job
from transcoder.server.options import ServeOptions
from transcoder.server.sockets import Sockets
from transcoder.server.team import Team, forget_worker

REPLACE_PAUSE: Final = 1.0
"""Seconds before a worker that died is replaced."""


class Supervisor:
    """Keeps a team of workers running until SIGTERM or SIGINT; a second signal does not wait for requests.

    files: of the configuration, as it was loaded; team: as the worker in slot 0 sees it, without a folder.
    """

    def __init__(
        self,
        options: ServeOptions,
        files: Mapping[Path, bytes],
        sockets: Sockets,
        team: Team,
        log: EventLog,
    ) -> None:
        self._options = options
        self._files = files
        self._sockets = sockets
        self._team = team
        self._log = log
        self._workers: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
        self._is_starting = False
        self._is_stopping = False

    def run(self) -> None:
        """Return when every worker has ended after a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="transcoder-") as folder:
            self._team = replace(self._team, folder=Path(folder))
            self._team.remember(self._files)
            for slot in range(self._team.size):
                self._start(slot)
            while self._workers:
                pid, status = os.wait()
                # as the first process of a container this one inherits others' children
                if pid in self._workers:
                    slot, _ = self._workers.pop(pid)
                    forget_worker(Path(folder), pid)
                    self._replace(slot, pid, os.waitstatus_to_exitcode(status))

    def _replace(self, slot: int, pid: int, exit_code: int) -> None:
        if not self._is_stopping:
            self._log.error("worker died", worker=pid, exit_code=exit_code)
            time.sleep(REPLACE_PAUSE)
            self._start(slot)

    def _start(self, slot: int) -> None:
        if not self._is_stopping:
            self._is_starting = True
            worker = self._spawn(slot)
            self._workers[worker.pid] = slot, worker
            self._is_starting = False
            self._log.info("worker started", worker=worker.pid)
            self._obey()

    def _spawn(self, slot: int) -> subprocess.Popen[bytes]:
        admin = self._sockets.admin
        job = Job(
            options=self._options,
            team=replace(self._team, slot=slot),
            public=self._sockets.public.fileno(),
            admin=None if admin is None else admin.fileno(),
        )
        return subprocess.Popen(
            [sys.executable, "-m", "transcoder.server"],
            env={**os.environ, JOB: job.to_json()},
            # never written to: its end tells the worker that this process is gone
            stdin=subprocess.PIPE,
            pass_fds=job.inherited,
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
        # as long as anybody has the admin port open, clients can connect to it and wait for an answer
        for sock in self._sockets.all:
            sock.close()
        for pid in tuple(self._workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
