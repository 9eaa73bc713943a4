"""Which HTTP requests lead to which method: every source of routes becomes a `Binding` here.

Sources, highest priority first (google/api/http.proto is the model of all of them): routes of the
configuration, then `POST /pkg.Service/Method` for backends that expose their methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from transcoder.config.model import RouteConfig
from transcoder.schema.schema import MethodShape, Schema

Origin = Literal["config", "methods"]

_REFLECTION: Final = "grpc.reflection."
"""Services that describe the backend to the gateway; they are not part of anybody's REST API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An HTTP rule bound to a method.

    template: path template as written; body: `*`, a request field, or None for no body; response_body: the
    response field that is the answer; params: request field by path variable, where the names differ.
    """

    http_method: str
    template: str
    method: MethodShape
    origin: Origin
    body: str | None = None
    response_body: str | None = None
    params: dict[str, str] = field(default_factory=dict)


def from_route(route: RouteConfig, schema: Schema) -> Binding:
    """The binding a configured route asks for. Raises SchemaError when the backend has no such method."""
    return Binding(
        http_method=route.method,
        template=route.path,
        method=schema.method(route.grpc_service, route.grpc_method),
        origin="config",
        body=route.body_rule,
        response_body=route.response_body,
        params=dict(route.params),
    )


def from_methods(schema: Schema) -> Iterator[Binding]:
    """`POST /pkg.Service/Method` with the whole message as body, for every method."""
    for method in schema.methods():
        if not method.service.startswith(_REFLECTION):
            yield Binding(http_method="POST", template=method.path, method=method, origin="methods", body="*")
