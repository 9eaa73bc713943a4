"""`python -m transcoder.demo`: runs the demo backends alone, until a signal or the end of its input."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from transcoder.demo.backends import HOST, running
from transcoder.demo.ports import PORTS, read_ports


def _ports(text: str) -> list[int]:
    try:
        return read_ports(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m transcoder.demo", description="Run the demo backends.")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--ports",
        type=_ports,
        default=PORTS,
        metavar="P,P,P,P,P",
        help="ports of user, order, position, market-data and wallet service; 0 takes a free one "
        f"(default: {','.join(map(str, PORTS))})",
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    return parser


def _stop_event(*, until_eof: bool) -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, and the end of standard input if asked for."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        threading.Thread(target=_await_eof, args=(loop, stop), daemon=True).start()
    return stop


def _await_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read takes no lock that the interpreter would need back on its way out, as sys.stdin does.
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop is closed when a signal came first
        loop.call_soon_threadsafe(stop.set)


async def _serve(host: str, ports: Sequence[int], *, until_eof: bool) -> None:
    stop = _stop_event(until_eof=until_eof)
    async with running(host=host, ports=ports) as backends:
        for backend in backends:
            print(f"{backend.service.backend} {backend.address} {backend.service.name}")
        print("ready", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code is 1 when a port is taken."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options.host, options.ports, until_eof=options.until_eof))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
