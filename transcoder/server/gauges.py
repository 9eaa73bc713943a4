"""What is true of a worker at this moment, as gauges."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from transcoder import __version__
from transcoder.backend.backend import Backend
from transcoder.backend.connection import STATES
from transcoder.gateway import Gateway
from transcoder.observe.catalogue import Sample
from transcoder.observe.process import process_gauges
from transcoder.resilience.breaker import STATES as BREAKER_STATES
from transcoder.resilience.protection import Protection
from transcoder.server.configuration import Configuration


class Measured(Protocol):
    """What is measured: a worker. started_at: Unix seconds."""

    gateway: Gateway
    configuration: Configuration
    started_at: float

    @property
    def is_ready(self) -> bool:
        """Whether it wants traffic."""


def worker_gauges(worker: Measured, worker_name: str) -> Iterator[Sample]:
    """Every gauge of a worker but the numbers of its requests and tasks. worker_name: its label."""
    gateway, configuration = worker.gateway, worker.configuration
    yield "transcoder_build_info", (__version__, platform.python_version()), 1.0
    yield "transcoder_worker_ready", (worker_name,), float(worker.is_ready)
    yield "transcoder_snapshot_generation", (worker_name,), float(gateway.snapshot.generation)
    yield "transcoder_config_last_reload_successful", (), float(configuration.is_current)
    yield "transcoder_config_last_reload_success_timestamp_seconds", (), configuration.taken_over_at
    yield "transcoder_process_start_time_seconds", (worker_name,), worker.started_at
    yield from process_gauges(worker_name)
    for backend in gateway.backends.values():
        yield from _backend_gauges(backend)
    for name, protection in gateway.protections.items():
        yield from _breaker_gauges(name, protection)
    if gateway.counters is not None and (is_up := gateway.counters.is_up) is not None:
        yield "transcoder_rate_limit_storage_up", (), float(is_up)
    for issuer in gateway.verifier.describe() if gateway.verifier else ():
        yield from _issuer_gauges(issuer)


def _backend_gauges(backend: Backend) -> Iterator[Sample]:
    for state in STATES:
        yield "transcoder_backend_state", (backend.name, state), float(backend.connection.state == state)
    if backend.schema is not None:
        labels = (backend.name, backend.schema.fingerprint[:12], backend.schema.origin)
        yield "transcoder_schema_info", labels, 1.0
    if backend.read_at is not None:
        read_at = time.time() - (time.monotonic() - backend.read_at)
        yield "transcoder_schema_last_read_timestamp_seconds", (backend.name,), read_at


def _breaker_gauges(backend: str, protection: Protection) -> Iterator[Sample]:
    if protection.breaker is not None:
        for state in BREAKER_STATES:
            yield (
                "transcoder_circuit_breaker_state",
                (backend, state),
                float(protection.breaker.state == state),
            )


def _issuer_gauges(issuer: Mapping[str, Any]) -> Iterator[Sample]:
    """issuer: as `Verifier.describe` describes it."""
    name, age = issuer["name"], issuer["age"]
    yield "transcoder_jwks_keys", (name,), float(issuer["keys"])
    if age is not None:
        yield "transcoder_jwks_last_success_timestamp_seconds", (name,), time.time() - age
