"""The server a command talks to: its address, how to trust it, what is sent along."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from transcoder.backend.client import Client, open_client
from transcoder.config.backends import config_for_backends
from transcoder.config.model import ServiceConfig, TlsConfig
from transcoder.context import Metadata
from transcoder.errors import ConfigError

_HEADER: Final = re.compile(r"([0-9A-Za-z_.-]+):\s*([ -~]*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """metadata: goes with every call, reflection included."""

    config: ServiceConfig
    metadata: Metadata

    def connect(self) -> AbstractAsyncContextManager[Client]:
        """A client, for the length of a block."""
        return open_client(self.config, self.metadata)


def make_target(
    *,
    address: str,
    tls: bool,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    server_name: str | None,
    headers: Iterable[str],
) -> Target:
    """The target of the options; any of those about TLS asks for TLS. Raises UsageError."""
    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key go together")
    config = _plaintext(address)
    if tls or ca or cert or server_name:
        secured = TlsConfig(ca=ca, cert=cert, key=key, server_name=server_name or None)
        config = config.model_copy(update={"tls": secured})
    return Target(config=config, metadata=tuple(map(_metadatum, headers)))


def _plaintext(address: str) -> ServiceConfig:
    try:
        (config,) = config_for_backends([f"target={address}"]).services.values()
    except ConfigError as error:
        raise click.UsageError(error.problems[0].message) from error
    return config


def _metadatum(header: str) -> tuple[str, str | bytes]:
    match = _HEADER.fullmatch(header)
    if match is None:
        raise click.UsageError(f"-H {header!r}: expected 'name: value' in printable ASCII")
    name, value = match[1].lower(), match[2]
    return name, _decoded(name, value) if name.endswith("-bin") else value


def _decoded(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError as error:
        raise click.UsageError(f"-H {name}: the value is not base64") from error
