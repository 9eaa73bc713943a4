"""A configuration from the command line alone: backends, exposed as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import ValidationError

from transcoder.config.messages import explain
from transcoder.config.model import Config
from transcoder.config.places import Loc
from transcoder.errors import ConfigError, Problem

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)


def config_for_backends(backends: Sequence[str], host: str = "127.0.0.1", port: int = 8080) -> Config:
    """Every backend with all it reflects exposed, without auth.

    backends: each `[NAME=]ADDRESS`; those without a name are `backend`, `backend-2`, ... in their order.
    Raises ConfigError for a bad address, name, host or port, and for a name given twice.
    """
    named = list(_named(backends))
    problems = list(_repeated([name for name, _ in named]))
    services = {name: {"address": address, "expose": ("annotations", "methods")} for name, address in named}
    try:
        config = Config.model_validate({"server": {"host": host, "port": port}, "services": services})
    except ValidationError as error:
        problems += (Problem(key=_option(loc), message=text) for loc, text in explain(error, Config))
    if problems:
        raise ConfigError(problems)
    return config


def _named(backends: Sequence[str]) -> Iterator[tuple[str, str]]:
    unnamed = 0
    for text in backends:
        if match := _NAMED.fullmatch(text):
            yield match[1], match[2]
        else:
            unnamed += 1
            yield "backend" if unnamed == 1 else f"backend-{unnamed}", text


def _repeated(names: Sequence[str]) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if name in names[:position]:
            yield Problem(key=f"--backend {name}", message="this name is given twice")


def _option(loc: Loc) -> str:
    """The option a value came from."""
    return f"--backend {loc[1]}" if loc[0] == "services" else f"--{loc[1]}"
