"""The masked configuration and the JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.config.conftest import Load
from transcoder.config.export import json_schema, masked, routes_json_schema
from transcoder.config.model import Config

SECRETS = """\
admin: {token: geheim}
auth:
  issuers:
    - {name: a, algorithms: [HS256], secret: geheimgeheimgeheimgeheimgeheimgeheim}
    - {name: b, issuer: b, algorithms: [RS256], jwks_url: "https://u:geheim@h/jwks"}
services:
  s:
    address: "h:1"
    timeout: 250ms
    max_message_size: 5KiB
    metadata: {authorization: geheim, x-api-key: geheim, x-region: eu}
rate_limits: {storage: "redis://:geheim@h", default: 5/day}
observability: {tracing: {otlp_endpoint: "http://u:geheim@h"}}
"""


def test_masked(load: Load) -> None:
    shown = masked(load(SECRETS).config)
    assert "geheim" not in json.dumps(shown)
    assert shown["admin"]["token"] == shown["auth"]["issuers"][0]["secret"] == "***"
    assert shown["auth"]["issuers"][1]["jwks_url"] == "https://***@h/jwks"
    assert shown["services"]["s"]["metadata"] == {
        "authorization": "***",
        "x-api-key": "***",
        "x-region": "eu",
    }
    assert (shown["services"]["s"]["timeout"], shown["services"]["s"]["max_message_size"]) == (
        "250ms",
        "5KiB",
    )
    assert shown["rate_limits"]["default"] == "5/day"
    assert shown["json"]["unknown_fields"] == "reject"


def test_masked_is_a_configuration(load: Load) -> None:
    config = load(
        "server: {request_timeout: 90s, trusted_proxies: [10.0.0.0/8]}\nerrors: {format: google}"
    ).config
    assert Config.model_validate(masked(config)) == config


def _objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "", schema
    yield from schema["$defs"].items()


def test_schema_has_every_default_as_written() -> None:
    schema = json_schema()
    server = schema["$defs"]["ServerConfig"]["properties"]
    assert server["request_timeout"]["default"] == "30s"
    assert server["max_request_body"]["default"] == "4MiB"
    assert schema["properties"]["json"]["default"] == masked(Config())["json"]
    for _, described in _objects(schema):
        assert described["additionalProperties"] is False
        required = described.get("required", [])
        assert all(
            ("default" in value) != (key in required) for key, value in described["properties"].items()
        )


@pytest.mark.parametrize(
    ("model", "key", "value", "allowed"),
    [
        ("ServerConfig", "request_timeout", "30s", True),
        ("ServerConfig", "request_timeout", "30", False),
        ("ServerConfig", "request_timeout", "${TIMEOUT}", True),
        ("ServerConfig", "workers", "${WORKERS:-1}", True),
        ("ServerConfig", "workers", "two", False),
        ("ServiceConfig", "max_message_size", "4MiB", True),
        ("ServiceConfig", "max_message_size", "4MB", False),
        ("ServiceConfig", "load_balancing", "round_robin", True),
        ("ServiceConfig", "load_balancing", "random", False),
        ("RouteConfig", "rate_limit", "5/second", True),
        ("RouteConfig", "rate_limit", "5", False),
    ],
)
def test_schema_of_a_text(model: str, key: str, value: str, allowed: bool) -> None:
    options = json_schema()["$defs"][model]["properties"][key]["anyOf"]
    assert any(_allows(option, value) for option in options) is allowed


def _allows(option: dict[str, Any], value: str) -> bool:
    if option["type"] != "string" or value not in option.get("enum", [value]):
        return False
    return re.search(option.get("pattern", ""), value) is not None


def test_schema_of_the_routes_file() -> None:
    schema = routes_json_schema()
    assert set(schema["properties"]) == {"routes"}
    assert schema["$defs"]["RouteConfig"] == json_schema()["$defs"]["RouteConfig"]
    json.dumps(schema)
