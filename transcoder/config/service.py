"""`services`: where each backend is, how it is called and what of it is exposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from transcoder.config.base import Model, check_pair, refusal
from transcoder.config.names import Address, StaticMetadata
from transcoder.config.values import Count, FilePath, Flag, PositiveDuration, Size, Text
from transcoder.errors import Code

SHORTEST_BACKOFF: Final = 0.01

Exposure = Literal["annotations", "methods"]


def _status_name(value: str) -> str:
    if value == "OK" or value not in Code.__members__:
        raise ValueError("expected a gRPC status code such as UNAVAILABLE")
    return value


def _not_too_short(seconds: float) -> float:
    """grpc 1.85 never ends a call whose backoff is under 2 ms."""
    if seconds < SHORTEST_BACKOFF:
        raise ValueError("expected at least 10ms")
    return seconds


class TlsConfig(Model):
    """TLS towards a backend. `tls: {}` means TLS with the system's certificates, no `tls` means plaintext."""

    ca: FilePath | None = None
    """PEM certificates to trust instead of the system's"""
    cert: FilePath | None = None
    """PEM certificate shown to the backend; with key"""
    key: FilePath | None = None
    """PEM private key of cert"""
    server_name: Text | None = None
    """name expected in the backend's certificate, where it differs from the address"""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        check_pair(self.cert, self.key)
        return self


class KeepaliveConfig(Model):
    """HTTP/2 pings that notice a dead backend."""

    time: PositiveDuration = 30.0
    """a ping is sent after this long without traffic, during calls only"""
    timeout: PositiveDuration = 10.0
    """the connection is given up when a ping is unanswered this long"""


class RetryConfig(Model):
    """Retries of GET routes, idempotent methods and routes that say `retry: true`."""

    max_attempts: Annotated[int, Field(strict=True, ge=1, le=5)] = 3
    """the first attempt included; 1 turns retries off"""
    initial_backoff: Annotated[PositiveDuration, AfterValidator(_not_too_short)] = 0.05
    """about how long to wait before the first retry, doubled for each further one; at least 10ms"""
    max_backoff: PositiveDuration = 1.0
    """longest wait before any retry"""
    status_codes: tuple[Annotated[str, AfterValidator(_status_name)], ...] = ("UNAVAILABLE",)
    """gRPC status codes worth another attempt"""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.initial_backoff > self.max_backoff:
            raise refusal("must not be longer than max_backoff", "initial_backoff")
        return self


class BreakerConfig(Model):
    """Stops calling a backend that keeps failing."""

    failures: Count = 5
    """failures (UNAVAILABLE, missed deadlines) within window that open it; 0 turns it off"""
    window: PositiveDuration = 10.0
    open_for: PositiveDuration = 30.0
    """how long calls are refused before one is tried"""


def _without_values(tls: Any) -> Any:
    """Keys listed without a value, as in a template of all keys, do not ask for TLS; `{}` does."""
    if isinstance(tls, Mapping) and tls and all(value is None for value in tls.values()):
        return None
    return tls


class ServiceConfig(Model):
    """A backend: one gRPC server, or several behind one name."""

    address: Address
    """host:port or a gRPC target (dns:///, ipv4:, ipv6:, unix:, xds:///)"""
    timeout: PositiveDuration = 30.0
    """ceiling for calls to this backend"""
    expose: tuple[Exposure, ...] = ()
    """annotations: google.api.http rules; methods: POST /pkg.Service/Method"""
    auth_required: Flag | None = None
    """whether exposed routes need a token; by default true when `auth` has an issuer"""
    descriptor_set: FilePath | None = None
    """a FileDescriptorSet used instead of reflection"""
    refresh_interval: PositiveDuration = 60.0
    """how often the schema is looked at again"""
    metadata: StaticMetadata = Field(default={}, repr=False)
    """static metadata on every call, reflection included"""
    tls: Annotated[TlsConfig | None, BeforeValidator(_without_values)] = None
    max_message_size: Size = 10 * 1024 * 1024
    """largest message received from or sent to the backend"""
    keepalive: KeepaliveConfig = KeepaliveConfig()
    load_balancing: Literal["pick_first", "round_robin"] = "pick_first"
    """how calls are spread over the addresses a name resolves to"""
    retries: RetryConfig = RetryConfig()
    circuit_breaker: BreakerConfig = BreakerConfig()
    max_in_flight: Count = 0
    """calls at once to this backend; 0 is no cap"""
    health_check: Flag = False
    """only use addresses that grpc.health.v1 says are serving; implies round_robin"""
