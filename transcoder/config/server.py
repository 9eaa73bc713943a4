"""`server` and `admin`: the two ports and what is true of every request."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from transcoder.config.base import Model, check_pair, refusal
from transcoder.config.names import ForwardedHeader, HttpToken, ListenHost, Network, Origin, is_loopback
from transcoder.config.values import Count, Duration, FilePath, Flag, Port, PositiveDuration, Secret, Size


class CorsConfig(Model):
    """Cross-origin requests; off without origins."""

    origins: tuple[Origin, ...] = ()
    """exact origins, or * for any"""
    methods: tuple[HttpToken, ...] = ()
    """methods allowed; none listed: those of the route"""
    headers: tuple[HttpToken, ...] = ()
    """request headers allowed"""
    expose: tuple[HttpToken, ...] = ()
    """response headers a page may read"""
    credentials: Flag = False
    """whether cookies and Authorization may be sent; not with *"""
    max_age: Duration = 600.0
    """how long a preflight answer may be kept"""

    @model_validator(mode="after")
    def _no_credentials_for_all(self) -> Self:
        for key in ("origins", "methods", "headers", "expose") if self.credentials else ():
            if "*" in getattr(self, key):
                raise refusal(f'cannot be true when {key} has "*"', "credentials")
        return self


class ServerTlsConfig(Model):
    """TLS of the public port; off without cert and key."""

    cert: FilePath | None = None
    """PEM certificate chain"""
    key: FilePath | None = None
    """PEM private key of cert"""
    client_ca: FilePath | None = None
    """PEM certificates clients must be signed by"""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_pair(self.cert, self.key)
        if self.client_ca is not None and self.cert is None:
            raise refusal("is required with client_ca", "cert")
        return self


class ServerConfig(Model):
    """The public port."""

    host: ListenHost = "127.0.0.1"
    """address to listen on"""
    port: Port = 8080
    workers: Annotated[int, Field(strict=True, ge=0, le=1024)] = 1
    """processes; 0 is one per core"""
    request_timeout: PositiveDuration = 30.0
    """ceiling for every call"""
    max_request_body: Size = 4 * 1024 * 1024
    """larger bodies are answered 413"""
    max_in_flight: Count = 0
    """requests at once, above it 503 with Retry-After; 0 is no cap"""
    drain_delay: Duration = 1.0
    """readiness is 503 this long before the listener closes"""
    drain_timeout: Duration = 20.0
    """in-flight requests may finish within it"""
    trusted_proxies: tuple[Network, ...] = ()
    """networks whose X-Forwarded-* are believed"""
    forward_headers: tuple[ForwardedHeader, ...] = ()
    """request headers copied to metadata; traceparent, tracestate, baggage and x-request-id always are"""
    cors: CorsConfig = CorsConfig()
    tls: ServerTlsConfig = ServerTlsConfig()


class AdminConfig(Model):
    """The admin port."""

    enabled: Flag = True
    host: ListenHost = "127.0.0.1"
    port: Port = 9901
    token: Secret | None = None
    """bearer token of every admin request; required when host is not a loopback address"""

    @model_validator(mode="after")
    def _token_for_the_world(self) -> Self:
        if self.token is not None and not self.token.get_secret_value():
            raise refusal("must not be empty", "token")
        if self.enabled and self.token is None and not is_loopback(self.host):
            raise refusal("is required when admin.host is not a loopback address", "token")
        return self
