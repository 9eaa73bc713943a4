"""The demo: five backends in a process of their own, and the gateway in this one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

import click

from transcoder.demo import config_file
from transcoder.demo.ports import read_ports
from transcoder.server.options import ServeOptions
from transcoder.server.serve import serve

COMMAND: Final = (sys.executable, "-m", "transcoder.demo", "--until-eof")

READY_WITHIN: Final = 30.0
"""Seconds the backends may take to start."""

END_WITHIN: Final = 10.0
"""Seconds they may take to end."""

_HINT: Final = """\
Five backends and the gateway; Ctrl-C stops all of it.
  gateway  http://{gateway}
  admin    http://{admin}
  sign in  curl --json '{{"email": "user@example.com", "password": "password123"}}' http://{gateway}/api/v1/auth/login
  and then curl -H "Authorization: Bearer $TOKEN" http://{gateway}/api/v1/orders/123
  open     curl http://{gateway}/api/v1/market-data/AAPL"""


def run_demo(*, port: int | None, admin_port: int | None, backend_ports: str | None) -> None:
    """Run until SIGINT or SIGTERM, whenever it comes. Raises ClickException when something cannot start.

    backend_ports: five with commas between them, 0 for a free one; None leaves all to the configuration.
    """
    _check(backend_ports)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = COMMAND if backend_ports is None else (*COMMAND, "--ports", backend_ports)
    with suppress(KeyboardInterrupt), demo_backends(command) as listening:
        options = ServeOptions(
            path=str(config_file()),
            port=port,
            admin_port=admin_port,
            addresses={} if backend_ports is None else listening,
        )
        config = options.load().config
        click.echo(
            _HINT.format(
                gateway=f"{config.server.host}:{config.server.port}",
                admin=f"{config.admin.host}:{config.admin.port}",
            ),
            err=True,
        )
        serve(options)


def _check(backend_ports: str | None) -> None:
    try:
        if backend_ports is not None:
            read_ports(backend_ports)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--backend-ports") from error


@contextmanager
def demo_backends(
    command: Sequence[str] = COMMAND, ready_within: float = READY_WITHIN, end_within: float = END_WITHIN
) -> Iterator[dict[str, str]]:
    """The backends in a process of their own, for the length of a block: their addresses by name.

    command: says a line for each backend, its name and address first, and then `ready` in a line of its own,
    or what is wrong in its last one; ends when its input does.
    ready_within, end_within: seconds. Raises ClickException when it does not get ready.
    """
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a terminal's Ctrl-C is for this process: requests in flight may need the backends to finish
        process_group=0,
    ) as process:
        output, lifeline = _pipe(process.stdout), _pipe(process.stdin)
        relay = threading.Thread(target=shutil.copyfileobj, args=(output, sys.stderr))
        try:
            with _killed_after(process, ready_within):
                addresses = _await_ready(output)
            relay.start()
            yield addresses
        finally:
            lifeline.close()
            with _killed_after(process, end_within):
                process.wait()
            if relay.ident is not None:
                relay.join()


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise AssertionError("a process started with pipes has none")
    return stream


@contextmanager
def _killed_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _await_ready(output: IO[str]) -> dict[str, str]:
    lines: list[str] = []
    for line in output:
        if line == "ready\n":
            return dict(backend.split()[:2] for backend in lines)
        lines.append(line)
    said = lines[-1].removeprefix("error: ").strip() if lines else ""
    raise click.ClickException(said or "the demo backends did not start")
