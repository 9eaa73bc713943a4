"""`transcoder routes`: what the gateway would answer, in the order of priority."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transcoder.cli.check import load
from transcoder.cli.live import look
from transcoder.cli.text import printable
from transcoder.plan.plan import Route, Snapshot

HEADER: Final = ("METHOD", "PATH", "BACKEND", "GRPC METHOD", "AUTH", "ORIGIN")

Row = Sequence[str]


async def routes(path: Path, *, live: bool) -> int:
    """Print the route table; returns the exit code.

    live: ask every backend, not only those whose routes depend on it.
    """
    config = load(path).config
    asked = [name for name, entry in config.services.items() if live or entry.expose]
    view = await look(config, asked)
    rows = [_row(route) for route in _effective(view.snapshot)]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        _print_columns([HEADER, *rows])
    for note in view.notes():
        click.echo(f"transcoder: {printable(note)}", err=True)
    failed = [f"{name}: {reason}" for name, reason in view.failures().items()] + list(view.unserved())
    for problem in failed:
        click.echo(f"transcoder: {printable(problem)}", err=True)
    return 1 if failed else 0


def _effective(snapshot: Snapshot) -> list[Route]:
    """Every route but those that another one hides."""
    hidden = {id(conflict.loser) for conflict in snapshot.table.conflicts}
    return [route for route in snapshot.routes if id(route) not in hidden]


def _row(route: Route) -> Row:
    info = route.info
    auth = "token" if route.auth_required else "-"
    return info.http_method, info.template, info.backend, info.method, auth, info.origin


def _print_table(rows: Sequence[Row]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in HEADER:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _print_columns(rows: Sequence[Row]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
