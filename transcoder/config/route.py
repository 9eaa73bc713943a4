"""`routes`: HTTP methods and paths bound to gRPC methods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self
from urllib.parse import unquote

from pydantic import AfterValidator, Field, model_validator

from transcoder.config.base import Model, refusal
from transcoder.config.json_options import JsonConfig
from transcoder.config.names import ServiceName
from transcoder.config.values import Flag, PositiveDuration, RateLimit, Text

_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def _http_method(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_-]{0,31}", value) or value in {"CONNECT", "TRACE"}:
        raise ValueError("expected an HTTP method in upper case such as GET")
    return value


def _route_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError('must start with "/"')
    if unquote(value).startswith("/-/"):
        raise ValueError('paths below "/-/" belong to the gateway itself')
    return value


def _field_name(value: str) -> str:
    if value and not re.fullmatch(_IDENTIFIER, value):
        raise ValueError("expected the name of a message field")
    return value


def _body_rule(value: str) -> str:
    return value if value == "*" else _field_name(value)


def _method_name(value: str) -> str:
    if not re.fullmatch(_IDENTIFIER, value):
        raise ValueError("expected a gRPC method name such as GetOrder")
    return value


def _symbol(value: str) -> str:
    if not re.fullmatch(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*", value):
        raise ValueError("expected a protobuf name such as OrderService or shop.v1.OrderService")
    return value


class RequireConfig(Model):
    """What a verified credential must say; 403 without."""

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
    grpc_method: Annotated[str, AfterValidator(_method_name)]
    auth_required: Flag | None = None
    """whether a credential is needed; by default true when `auth` has an issuer or an API key"""
    params: Mapping[Text, Text] = {}
    """path variable to request field, where their names differ"""
    body: Annotated[str, AfterValidator(_body_rule)] | None = None
    """* for the whole message, a field name, or "" for none; by default * for POST, PUT and PATCH"""
    response_body: Annotated[str, AfterValidator(_field_name)] | None = None
    """a field of the response to answer with instead of all of it"""
    json_options: JsonConfig = Field(default=JsonConfig(), alias="json")
    """what differs from the `json` of the gateway"""
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
