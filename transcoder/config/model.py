"""The configuration: every key, its type and its default, declared once.

Frozen pydantic models whose attribute names are the YAML keys (`json` is `Config.json_options`). Durations
are float seconds, sizes int bytes, lists tuples; a key without a value is the same as the key left out. What
relates one section to another is checked by `transcoder.config.check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from transcoder.config.auth import ApiKeyConfig, AuthConfig, ClaimsConfig, IssuerConfig
from transcoder.config.base import Model
from transcoder.config.json_options import JsonConfig
from transcoder.config.names import Network, ServiceName
from transcoder.config.route import RequireConfig, RouteConfig, RoutesFile
from transcoder.config.server import AdminConfig, CorsConfig, ServerConfig, ServerTlsConfig
from transcoder.config.service import BreakerConfig, KeepaliveConfig, RetryConfig, ServiceConfig, TlsConfig
from transcoder.config.values import Flag, PositiveDuration, Rate, RateLimit, Storage, Text, Url

__all__ = [
    "AdminConfig",
    "ApiKeyConfig",
    "AuthConfig",
    "BreakerConfig",
    "ClaimsConfig",
    "Config",
    "CorsConfig",
    "ErrorsConfig",
    "IssuerConfig",
    "JsonConfig",
    "KeepaliveConfig",
    "Network",
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


class ErrorsConfig(Model):
    """The shape of error bodies."""

    format: Literal["gateway", "google"] = "gateway"


class RateLimitsConfig(Model):
    """Limits on requests per caller."""

    storage: Storage = Field(default="memory", repr=False)
    """memory of each worker, or a redis:// URL shared by all workers and replicas"""
    storage_timeout: PositiveDuration = 0.05
    """longest time a request waits for Redis"""
    on_storage_failure: Literal["allow", "deny"] = "allow"
    """what becomes of requests that Redis does not count"""
    default: RateLimit | None = None
    """limit of routes without their own, such as 100/minute"""
    key: Literal["client_ip", "user", "route"] = "client_ip"
    """what one caller is: an address, a verified user, or everybody"""


class TracingConfig(Model):
    """OpenTelemetry traces; off without an endpoint."""

    otlp_endpoint: Url | None = Field(default=None, repr=False)
    sample_ratio: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    """share of traces started here that are recorded"""


class ObservabilityConfig(Model):
    """Logs and traces; metrics are always on, at the admin port."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    access_log: Flag = True
    """one log line per request"""
    tracing: TracingConfig = TracingConfig()


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
        """Whether callers can be verified; what `auth_required` is where nothing is said."""
        return bool(self.auth.issuers or self.auth.api_keys)

    @property
    def has_rate_limits(self) -> bool:
        """Whether any route has a limit."""
        return self.rate_limits.default is not None or any(route.rate_limit for route in self.routes)

    def rate_limit_of(self, route: RouteConfig) -> Rate | None:
        """The effective `rate_limit` of a route."""
        return route.rate_limit or self.rate_limits.default

    def route_needs_auth(self, route: RouteConfig) -> bool:
        """The effective `auth_required` of a route."""
        return self.has_auth if route.auth_required is None else route.auth_required

    def json_of(self, route: RouteConfig) -> JsonConfig:
        """The effective `json` of a route: what it says itself, over what the gateway says."""
        return self.json_options.model_copy(
            update={key: getattr(route.json_options, key) for key in route.json_options.model_fields_set}
        )

    def exposed_needs_auth(self, service: str) -> bool:
        """The effective `auth_required` of what a service exposes by itself; KeyError for an unknown one."""
        required = self.services[service].auth_required
        return self.has_auth if required is None else required
