"""A worker process, as the supervisor starts it."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from transcoder.errors import ConfigError
from transcoder.server.options import ServeOptions
from transcoder.server.serve import run_worker, set_up_logs
from transcoder.server.supervisor import JOB
from transcoder.server.worker import Sockets


def main() -> None:
    """Serve on the sockets this process has inherited."""
    job = json.loads(os.environ.pop(JOB))
    options = ServeOptions(**{**job["options"], "backends": tuple(job["options"]["backends"])})
    try:
        set_up_logs(options.load().config)
    except ConfigError as error:
        sys.exit(f"transcoder: a worker cannot start: {error}")
    public, admin = (None if fd is None else socket.socket(fileno=fd) for fd in job["fds"])
    if public is None:
        raise AssertionError("a worker without a socket")
    run_worker(
        options,
        Sockets(public=public, admin=admin),
        control_folder=Path(job["control_folder"]),
        parent=sys.stdin.fileno(),
    )


if __name__ == "__main__":
    main()
