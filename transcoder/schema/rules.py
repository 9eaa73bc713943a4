"""Which HTTP requests lead to which method: every source of routes becomes a `Binding` here.

Sources, highest priority first (google/api/http.proto is the model of all of them): routes of the
configuration; google.api.http annotations of backends that expose them; `POST /pkg.Service/Method` for
backends that expose their methods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import DecodeError

from transcoder.config.model import RouteConfig
from transcoder.context import Origin
from transcoder.schema.schema import MethodShape, Schema

_HTTP_METHOD: Final = re.compile(r"\*|(?!CONNECT$|TRACE$)[A-Z][A-Z0-9_-]{0,31}")
"""Of a `custom` rule; `*` is every method."""

_REFLECTION: Final = "grpc.reflection."
"""Services that describe the backend to the gateway; they are not part of anybody's REST API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An HTTP rule bound to a method.

    template: path template as written; body: `*`, a request field, or None for no body; response_body: the
    response field that is the answer; params: request field by path variable, where the names differ;
    retry: the configuration says that calls may be made again.
    """

    http_method: str
    template: str
    method: MethodShape
    origin: Origin
    body: str | None = None
    response_body: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    retry: bool = False

    @property
    def is_retried(self) -> bool:
        """Whether a call that failed may be made again: GET is safe (RFC 9110, section 9.2.1)."""
        return self.retry or self.http_method == "GET" or self.method.is_idempotent


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
        retry=route.retry,
    )


def from_annotations(schema: Schema, refused: list[str]) -> Iterator[Binding]:
    """The bindings of every google.api.http option, additional ones included, in the order of the protos.

    refused: gets a sentence for each rule that cannot be used; its siblings can.
    """
    for method in schema.methods():
        try:
            rules = _http_rules(method.options)
        except DecodeError:
            refused.append(f"{method.full_name}: google.api.http cannot be read")
            continue
        for rule in rules:
            try:
                yield _from_rule(method, rule)
            except ValueError as error:
                refused.append(f"{method.full_name}: {error}")


def _http_rules(options: bytes) -> list[HttpRule]:
    """Read from bytes, the option is found whether or not the backend describes the extension."""
    parsed = MethodOptions.FromString(options)
    if not parsed.HasExtension(annotations_pb2.http):
        return []
    rule = parsed.Extensions[annotations_pb2.http]
    return [rule, *rule.additional_bindings]


def _from_rule(method: MethodShape, rule: HttpRule) -> Binding:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ValueError("google.api.http without a path")
    http_method, template = (
        (rule.custom.kind, rule.custom.path) if kind == "custom" else (kind.upper(), getattr(rule, kind))
    )
    if not _HTTP_METHOD.fullmatch(http_method):
        raise ValueError(f"google.api.http: {http_method[:32]!r} is no HTTP method")
    return Binding(
        http_method=http_method,
        template=template,
        method=method,
        origin="annotations",
        body=rule.body or None,
        response_body=rule.response_body or None,
    )


def from_methods(schema: Schema) -> Iterator[Binding]:
    """`POST /pkg.Service/Method` with the whole message as body, for every method."""
    for method in schema.methods():
        if not method.service.startswith(_REFLECTION):
            yield Binding(http_method="POST", template=method.path, method=method, origin="methods", body="*")
