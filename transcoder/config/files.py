"""The files a configuration names, whose contents count like its own: keys and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from transcoder.config.model import Config, ServiceConfig


def key_files(config: Config) -> tuple[Path, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys(path for path in _named(config) if path is not None))


def certificate_files(service: ServiceConfig) -> tuple[Path, ...]:
    """Those of the connection to one backend."""
    tls = service.tls
    named = () if tls is None else (tls.ca, tls.cert, tls.key)
    return tuple(path for path in named if path is not None)


def _named(config: Config) -> Iterator[Path | None]:
    tls = config.server.tls
    yield from (tls.cert, tls.key, tls.client_ca)
    for service in config.services.values():
        yield from certificate_files(service)
    for issuer in config.auth.issuers:
        yield issuer.public_key_file
