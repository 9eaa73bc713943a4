"""The configuration: every key, its type and its default, declared once.

Frozen pydantic models whose attribute names are the YAML keys (`json` is `Config.json_options`). Durations
are float seconds, sizes int bytes, lists tuples; a key without a value is the same as the key left out. What
relates one section to another is checked by `transcoder.config.check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self
from urllib.parse import unquote

from pydantic import AfterValidator, Field, model_validator

from transcoder.config.auth import AuthConfig, ClaimsConfig, IssuerConfig
from transcoder.config.base import Model, refusal
from transcoder.config.names import (
    ForwardedHeader,
    HttpToken,
    ListenHost,
    Network,
    Origin,
    ServiceName,
    is_loopback,
)
from transcoder.config.service import (
    BreakerConfig,
    KeepaliveConfig,
    RetryConfig,
    ServiceConfig,
    TlsConfig,
    check_pair,
)
from transcoder.config.values import (
    Count,
    Duration,
    FilePath,
    Flag,
    Port,
    PositiveDuration,
    RateLimit,
    Secret,
    Size,
    Storage,
    Text,
    Url,
)

__all__ = [
    "AdminConfig",
    "AuthConfig",
    "BreakerConfig",
    "ClaimsConfig",
    "Config",
    "CorsConfig",
    "ErrorsConfig",
    "IssuerConfig",
    "JsonConfig",
    "KeepaliveConfig",
    "ObservabilityConfig",
    "RateLimitsConfig",
    "RequireConfig",
    "RetryConfig",
    "RouteConfig",
    "RoutesFile",
    "ServerConfig",
    "ServerTlsConfig",
    "ServiceConfig",
    "TlsConfig",
    "TracingConfig",
]

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def _http_method(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z-]{0,31}", value) or value in {"CONNECT", "TRACE"}:
        raise ValueError("expected an HTTP method in upper case such as GET")
    return value


def _route_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError('must start with "/"')
    if unquote(value).startswith("/-/"):
        raise ValueError('paths below "/-/" belong to the gateway itself')
    return value


def _field_name(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("expected the name of a message field")
    return value


def _body_rule(value: str) -> str:
    return value if value == "*" else _field_name(value)


def _symbol(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", value):
        raise ValueError("expected a protobuf name such as OrderService or shop.v1.OrderService")
    return value


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
        if self.credentials and "*" in self.origins:
            raise refusal('cannot be true when origins has "*"', "credentials")
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


class JsonConfig(Model):
    """How messages are printed and how strictly requests are read."""

    preserve_proto_field_names: Flag = False
    """print order_id instead of orderId"""
    always_print_fields: Flag = False
    """print scalars, lists and maps that are not set"""
    enums_as_ints: Flag = False
    """print enum numbers instead of names"""
    unknown_fields: Literal["reject", "ignore"] = "reject"
    """keys of a body that name no field"""
    unknown_query: Literal["ignore", "reject"] = "ignore"
    """query parameters that name no field"""


class ErrorsConfig(Model):
    """The shape of error bodies."""

    format: Literal["gateway", "google"] = "gateway"


class RateLimitsConfig(Model):
    """Limits on requests per caller."""

    storage: Storage = Field(default="memory", repr=False)
    """memory, or a redis:// URL shared by replicas"""
    default: RateLimit | None = None
    """limit of routes without their own, such as 100/minute"""
    key: Literal["client_ip"] = "client_ip"
    """what one caller is"""


class TracingConfig(Model):
    """OpenTelemetry traces; off without an endpoint."""

    otlp_endpoint: Url | None = None
    sample_ratio: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    """share of traces started here that are recorded"""


class ObservabilityConfig(Model):
    """Logs and traces; metrics are always on, at the admin port."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    access_log: Flag = True
    """one log line per request"""
    tracing: TracingConfig = TracingConfig()


class RequireConfig(Model):
    """What a verified token must say; 403 without."""

    roles: tuple[Text, ...] = ()
    """one of these roles"""
    scopes: tuple[Text, ...] = ()
    """all of these scopes"""


class RouteConfig(Model):
    """An HTTP method and path bound to a gRPC method."""

    name: Text
    path: Annotated[Text, AfterValidator(_route_path)]
    """google.api.http template syntax: {a.b=x/*}, **, :verb"""
    method: Annotated[str, AfterValidator(_http_method)]
    service: ServiceName
    """a key of `services`"""
    grpc_service: Annotated[str, AfterValidator(_symbol)]
    """full name, or a short one that names one service only"""
    grpc_method: Annotated[str, AfterValidator(_field_name), Field(min_length=1)]
    auth_required: Flag | None = None
    """whether a token is needed; by default true when `auth` has an issuer"""
    params: Mapping[Text, Text] = {}
    """path variable to request field, where their names differ"""
    body: Annotated[str, AfterValidator(_body_rule)] | None = None
    """* for the whole message, a field name, or "" for none; by default * for POST, PUT and PATCH"""
    response_body: Annotated[str, AfterValidator(_field_name)] | None = None
    """a field of the response to answer with instead of all of it"""
    timeout: PositiveDuration | None = None
    require: RequireConfig = RequireConfig()
    rate_limit: RateLimit | None = None
    """such as 100/minute"""
    retry: Flag = False
    """whether the call may be repeated after a failure"""

    @property
    def body_rule(self) -> str | None:
        """What the HTTP body is: `*` the message, a name that field, None nothing."""
        if self.body is None:
            return "*" if self.method in _WITH_BODY else None
        return self.body or None

    @property
    def has_requirements(self) -> bool:
        """Whether roles or scopes are asked for."""
        return bool(self.require.roles or self.require.scopes)

    @model_validator(mode="after")
    def _requirements_need_a_token(self) -> Self:
        if self.has_requirements and self.auth_required is False:
            raise refusal("cannot be false when require asks for roles or scopes", "auth_required")
        return self


class RoutesFile(Model):
    """The file `routes_file` names."""

    routes: tuple[RouteConfig, ...] = ()


class Config(Model):
    """The whole configuration."""

    server: ServerConfig = ServerConfig()
    admin: AdminConfig = AdminConfig()
    auth: AuthConfig = AuthConfig()
    services: Mapping[ServiceName, ServiceConfig] = {}
    json_options: JsonConfig = Field(default=JsonConfig(), alias="json")
    errors: ErrorsConfig = ErrorsConfig()
    rate_limits: RateLimitsConfig = RateLimitsConfig()
    observability: ObservabilityConfig = ObservabilityConfig()
    routes_file: Text | None = None
    """a file with the routes, relative to this one; instead of `routes`"""
    routes: tuple[RouteConfig, ...] = ()

    @property
    def has_auth(self) -> bool:
        """Whether tokens can be verified; what `auth_required` is where nothing is said."""
        return bool(self.auth.issuers)

    def route_needs_auth(self, route: RouteConfig) -> bool:
        """The effective `auth_required` of a route."""
        return self.has_auth if route.auth_required is None else route.auth_required

    def exposed_needs_auth(self, service: str) -> bool:
        """The effective `auth_required` of what a service exposes by itself; KeyError for an unknown one."""
        required = self.services[service].auth_required
        return self.has_auth if required is None else required
