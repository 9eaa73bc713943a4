"""`transcoder check`: everything that is wrong with a configuration, without serving it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from transcoder.cli.live import LiveView, NoLog, look
from transcoder.cli.text import count, printable
from transcoder.config.load import LoadedConfig, load_config
from transcoder.errors import ConfigError, TranscodeError
from transcoder.resilience.storage import RateStorage
from transcoder.routing.template import parse_template
from transcoder.schema.schema import Schema
from transcoder.security.verifier import Verifier


def load(path: Path) -> LoadedConfig:
    """The configuration of a file, its key files tried as well. Raises ConfigError."""
    loaded = load_config(path, os.environ, parse_template)
    try:
        Verifier.from_config(loaded.config.auth)
        if loaded.config.has_rate_limits:
            RateStorage.from_config(loaded.config.rate_limits, NoLog())
    except ConfigError as error:
        raise ConfigError([replace(problem, file=str(path)) for problem in error.problems]) from error
    return loaded


async def check(path: Path, *, live: bool) -> int:
    """Print every problem, or that there is none; returns the exit code."""
    try:
        loaded = load(path)
    except ConfigError as error:
        click.echo(error)
        return 1
    config = loaded.config
    routes = len(config.routes)
    if live:
        view = await look(config, config.services)
        if not _is_clean(view):
            return 1
        routes = len(view.snapshot.routes)
    click.echo(f"ok: {count(len(config.services), 'service')}, {count(routes, 'route')}")
    return 0


def _is_clean(view: LiveView) -> bool:
    """Print what the backends say to the configuration; False when something cannot be served."""
    for name, found in view.findings.items():
        address = view.snapshot.config.services[name].address
        click.echo(f"{name}: {address}: {_finding(found)}")
    for note in view.notes():
        click.echo(f"warning: {printable(note)}")
    unserved = list(view.unserved())
    for problem in unserved:
        click.echo(printable(problem))
    return not unserved and not view.failures()


def _finding(found: Schema | TranscodeError) -> str:
    if isinstance(found, TranscodeError):
        return printable(found.reason)
    methods = sum(1 for _ in found.methods())
    return f"{count(len(found.services), 'service')}, {count(methods, 'method')} ({found.origin})"
