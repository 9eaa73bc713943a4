"""The demo: five backends in a process of their own, and the gateway in this one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final

import click

from transcoder.demo import config_file
from transcoder.server.options import ServeOptions
from transcoder.server.serve import serve

READY_WITHIN: Final = 30.0
"""Seconds the backends may take to start."""

END_WITHIN: Final = 10.0
"""Seconds they may take to end."""

_HINT: Final = """\
Five backends and the gateway; Ctrl-C stops all of it.
  gateway  http://{gateway}
  admin    http://{admin}
  sign in  curl -d '{{"email": "user@example.com", "password": "password123"}}' http://{gateway}/api/v1/auth/login
  and then curl -H "Authorization: Bearer $TOKEN" http://{gateway}/api/v1/orders/123
  open     curl http://{gateway}/api/v1/market-data/AAPL"""


def run_demo(*, port: int | None, admin_port: int | None) -> None:
    """Run until SIGINT or SIGTERM, whenever it comes. Raises ClickException when something cannot start."""
    options = ServeOptions(path=str(config_file()), port=port, admin_port=admin_port)
    config = options.load().config
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), _backends():
        click.echo(
            _HINT.format(
                gateway=f"{config.server.host}:{config.server.port}",
                admin=f"{config.admin.host}:{config.admin.port}",
            ),
            err=True,
        )
        serve(options)


@contextmanager
def _backends() -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "transcoder.demo", "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a terminal's Ctrl-C is for this process: requests in flight may need the backends to finish
        process_group=0,
    )
    output, lifeline = _pipe(process.stdout), _pipe(process.stdin)
    try:
        _await_ready(process, output)
        relay = threading.Thread(target=shutil.copyfileobj, args=(output, sys.stderr), daemon=True)
        relay.start()
        yield
    finally:
        lifeline.close()
        _end(process)


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise AssertionError("a process started with pipes has none")
    return stream


def _await_ready(process: subprocess.Popen[str], output: IO[str]) -> None:
    line = ""
    timer = threading.Timer(READY_WITHIN, process.kill)
    timer.start()
    try:
        for line in output:
            if line == "ready\n":
                return
    finally:
        timer.cancel()
    raise click.ClickException(line.removeprefix("error: ").strip() or "the demo backends did not start")


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
