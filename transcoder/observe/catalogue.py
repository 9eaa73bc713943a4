"""Every metric there is; docs/metrics.md says the same for people, and a test that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Sample = tuple[str, tuple[str, ...], float]
"""A value of a gauge: its name, the values of its labels in their order, and the number."""

_ROUTE: Final = ("route", "http_method", "backend")
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    buckets: upper bounds, of histograms only; merge: makes one value of a gauge that several workers have.
    """

    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Callable[[Iterable[float]], float] = sum


def _counter(text: str, *labels: str) -> Metric:
    return Metric(kind="counter", help=text, labels=labels)


def _histogram(text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Metric:
    return Metric(kind="histogram", help=text, labels=labels, buckets=buckets)


def _gauge(text: str, *labels: str, merge: Callable[[Iterable[float]], float] = sum) -> Metric:
    return Metric(kind="gauge", help=text, labels=labels, merge=merge)


METRICS: Final[Mapping[str, Metric]] = {
    "transcoder_requests_total": _counter(
        "Requests that were answered, or given up by their client.", *_ROUTE, "status", "grpc_code"
    ),
    "transcoder_request_duration_seconds": _histogram(
        "Time from the head of a request to its whole answer, streams left out.", *_ROUTE
    ),
    "transcoder_stream_duration_seconds": _histogram(
        "Time from the head of a request to the end of its stream or WebSocket.",
        *_ROUTE,
        buckets=(0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0),
    ),
    "transcoder_requests_in_flight": _gauge("Requests that are being answered, streams included.", "worker"),
    "transcoder_stream_messages_total": _counter(
        "Messages of methods with streams, sent to the backend or received from it.",
        "backend",
        "method",
        "direction",
    ),
    "transcoder_requests_over_capacity_total": _counter(
        "Requests refused because as many as `server.max_in_flight` were being answered."
    ),
    "transcoder_requests_rate_limited_total": _counter(
        "Requests refused by the rate limit of their route.", *_ROUTE
    ),
    "transcoder_requests_uncounted_total": _counter(
        "Requests that a rate limit could not count, because its storage did not answer.", "outcome"
    ),
    "transcoder_rate_limit_storage_up": _gauge(
        "1 if every worker gets answers from the storage of rate limits, else 0.", merge=min
    ),
    "transcoder_calls_refused_total": _counter(
        "Calls that were not made, to spare the backend.", "backend", "reason"
    ),
    "transcoder_retries_exhausted_total": _counter(
        "Unary calls that could be retried, and failed all the same with a status that is.", "backend"
    ),
    "transcoder_backend_state": _gauge(
        "Workers whose connection to the backend is in this state.", "backend", "state"
    ),
    "transcoder_circuit_breaker_state": _gauge(
        "Workers whose circuit breaker of the backend is in this state.", "backend", "state"
    ),
    "transcoder_schema_info": _gauge(
        "Workers that serve this schema of the backend.", "backend", "fingerprint", "origin"
    ),
    "transcoder_schema_last_read_timestamp_seconds": _gauge(
        "When the schema was last read or found unchanged, Unix time.", "backend", merge=min
    ),
    "transcoder_schema_refreshes_total": _counter("Looks at the schema of a backend.", "backend", "outcome"),
    "transcoder_snapshot_generation": _gauge(
        "Generation of the routes in effect; grows with reloads and schemas.", "worker"
    ),
    "transcoder_config_reloads_total": _counter("Reloads of the configuration by a worker.", "outcome"),
    "transcoder_config_last_reload_successful": _gauge(
        "1 if every worker took over the configuration it last read, else 0.", merge=min
    ),
    "transcoder_config_last_reload_success_timestamp_seconds": _gauge(
        "When the configuration was last taken over, Unix time.", merge=min
    ),
    "transcoder_token_checks_total": _counter("Bearer tokens that were checked.", "outcome"),
    "transcoder_jwks_keys": _gauge("Keys in force of the issuer.", "issuer", merge=min),
    "transcoder_jwks_last_success_timestamp_seconds": _gauge(
        "When the key set was last read, Unix time.", "issuer", merge=min
    ),
    "transcoder_jwks_refreshes_total": _counter("Readings of a key set.", "issuer", "outcome"),
    "transcoder_worker_ready": _gauge("1 if the worker wants traffic, else 0.", "worker"),
    "transcoder_worker_starts_total": _counter("Processes that have been this worker.", "worker"),
    "transcoder_event_loop_lag_seconds": _histogram(
        "How late the event loop of a worker runs what is due.", "worker"
    ),
    "transcoder_event_loop_tasks": _gauge("asyncio tasks of the worker.", "worker"),
    "transcoder_process_cpu_seconds_total": _counter("CPU time of the worker.", "worker"),
    "transcoder_process_resident_memory_bytes": _gauge("Resident memory of the worker.", "worker"),
    "transcoder_process_open_fds": _gauge("Open file descriptors of the worker.", "worker"),
    "transcoder_process_max_fds": _gauge("File descriptors the worker may open.", "worker"),
    "transcoder_process_start_time_seconds": _gauge("When the worker was started, Unix time.", "worker"),
    "transcoder_build_info": _gauge("1; its labels are versions.", "version", "python", merge=max),
}
