"""The configuration held against the backends as they are now, by the gateway's own compilers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transcoder.backend.backend import Backend
from transcoder.config.model import Config
from transcoder.errors import TranscodeError
from transcoder.plan.compile import BackendCompiler, compile_snapshot
from transcoder.plan.plan import Snapshot
from transcoder.schema.schema import Schema
from transcoder.security.api_keys import compile_api_keys
from transcoder.security.verifier import Verifier

Findings = Mapping[str, Schema | TranscodeError]
"""By the name of each backend that was asked: its schema, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """What the gateway would serve now. Routes of backends that were not asked wait for their schema."""

    snapshot: Snapshot
    findings: Findings

    def failures(self) -> dict[str, str]:
        """Why backends have no schema, by their name."""
        return {
            name: error.reason for name, error in self.findings.items() if isinstance(error, TranscodeError)
        }

    def unserved(self) -> Iterator[str]:
        """The routes that cannot be served, each with the reason."""
        for route in self.snapshot.routes:
            if route.problem is not None:
                yield f"{route.info.name}: {route.problem}"

    def notes(self) -> Iterator[str]:
        """What else an operator should know."""
        for name, found in self.findings.items():
            if isinstance(found, Schema):
                yield from (f"{name}: {problem}" for problem in found.problems)
        unserved = set(self.unserved())
        yield from (problem for problem in self.snapshot.problems() if problem not in unserved)


async def look(config: Config, names: Collection[str]) -> LiveView:
    """Ask these backends for their schemas, all at once, and compile every route.

    Raises ConfigError for key files that cannot be used.
    """
    verifier = Verifier.from_config(config.auth) if config.auth.issuers else None
    api_keys = compile_api_keys(config.auth)
    backends = {
        name: Backend(name, entry, log=NoLog(), on_change=_ignore) for name, entry in config.services.items()
    }
    try:
        found = await asyncio.gather(*(_schema(backends[name]) for name in names))
    finally:
        await asyncio.gather(*(backend.close(0) for backend in backends.values()))
    findings = dict(zip(names, found, strict=True))
    routes = {
        name: BackendCompiler(
            backend=name, config=config, calls=backend.connection, verifier=verifier, api_keys=api_keys
        ).compile(backend.schema)
        for name, backend in backends.items()
    }
    return LiveView(snapshot=compile_snapshot(1, config, routes), findings=findings)


async def _schema(backend: Backend) -> Schema | TranscodeError:
    try:
        return await backend.refresh()
    except TranscodeError as error:
        return error


async def _ignore(_backend: Backend, _schema: Schema) -> None:
    pass


class NoLog:
    """Backends log what they do; a command says it in its own way."""

    def info(self, event: str, **fields: Any) -> None:
        """Nothing."""

    def warning(self, event: str, **fields: Any) -> None:
        """Nothing."""

    def error(self, event: str, **fields: Any) -> None:
        """Nothing."""
