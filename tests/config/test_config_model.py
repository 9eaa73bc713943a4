"""What the model says beyond its keys."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from transcoder.config.model import Config, JsonConfig, RouteConfig
from transcoder.config.names import is_loopback

ROUTE = {"name": "a", "path": "/a", "service": "s", "grpc_service": "S", "grpc_method": "M"}
ISSUER = {"name": "a", "algorithms": ["HS256"], "secret": "s" * 32}


def _route(**keys: object) -> RouteConfig:
    return RouteConfig.model_validate({**ROUTE, "method": "GET", **keys})


@pytest.mark.parametrize(
    ("method", "body", "rule"),
    [
        ("POST", None, "*"),
        ("PUT", None, "*"),
        ("PATCH", None, "*"),
        ("GET", None, None),
        ("DELETE", None, None),
        ("DELETE", "*", "*"),
        ("POST", "order", "order"),
        ("POST", "", None),
    ],
)
def test_body_rule(method: str, body: str | None, rule: str | None) -> None:
    assert _route(method=method, body=body).body_rule == rule


@pytest.mark.parametrize(
    ("issuers", "said", "expected"),
    [
        ([ISSUER], None, True),
        ([ISSUER], False, False),
        ([ISSUER], True, True),
        ([], None, False),
        ([], False, False),
    ],
)
def test_effective_auth(issuers: list[object], said: bool | None, expected: bool) -> None:
    config = Config.model_validate(
        {
            "auth": {"issuers": issuers},
            "services": {"s": {"address": "h:1", "auth_required": said}},
            "routes": [{**ROUTE, "method": "GET", "auth_required": said}],
        }
    )
    assert config.route_needs_auth(config.routes[0]) is expected
    assert config.exposed_needs_auth("s") is expected


def test_nothing_can_be_changed() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.server = config.server  # type: ignore[misc]


def test_python_values() -> None:
    networks = (ip_network("10.0.0.0/8"),)
    assert Config.model_validate({"server": {"trusted_proxies": networks}}).server.trusted_proxies == networks


def test_json_is_an_option_of_its_own_name() -> None:
    assert Config(json=JsonConfig(enums_as_ints=True)).json_options.enums_as_ints


def test_secrets_are_not_in_the_repr() -> None:
    config = Config.model_validate(
        {
            "admin": {"token": "geheim"},
            "auth": {"issuers": [{**ISSUER, "secret": "geheim" * 6}]},
            "services": {"s": {"address": "h:1", "metadata": {"authorization": "geheim"}}},
            "rate_limits": {"storage": "redis://u:geheim@h"},
            "observability": {"tracing": {"otlp_endpoint": "https://u:geheim@h"}},
        }
    )
    assert "geheim" not in repr(config)


def test_secrets_are_not_in_errors() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"auth": {"issuers": [{**ISSUER, "secret": "geheim"}]}})
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
