"""`serve --backend`: a configuration without a file."""

from __future__ import annotations

import pytest

from transcoder.config.backends import config_for_backends
from transcoder.errors import ConfigError


def test_backends() -> None:
    config = config_for_backends(
        ["localhost:1", "orders=localhost:2", "dns:///users:3", "x=unix:/tmp/a=b"], host="0.0.0.0", port=9000
    )
    assert {name: service.address for name, service in config.services.items()} == {
        "backend": "localhost:1",
        "orders": "localhost:2",
        "backend-2": "dns:///users:3",
        "x": "unix:/tmp/a=b",
    }
    assert all(service.expose == ("annotations", "methods") for service in config.services.values())
    assert (config.server.host, config.server.port) == ("0.0.0.0", 9000)
    assert not config.exposed_needs_auth("orders")


def test_a_unix_socket_is_no_name() -> None:
    assert config_for_backends(["unix:/tmp/a=b"]).services["backend"].address == "unix:/tmp/a=b"


def test_local_by_default() -> None:
    server = config_for_backends(["h:1"]).server
    assert (server.host, server.port) == ("127.0.0.1", 8080)


def test_every_problem_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        config_for_backends(["http://a", "a=h:1", "a=h:2", "b="], host="a b", port=0)
    assert str(caught.value).splitlines() == [
        "--backend a: this name is given twice",
        '--host: expected an IP address or a host name, got "a b"',
        "--port: expected at least 1, got 0",
        "--backend backend: expected host:port or a gRPC target (dns:///, ipv4:, ipv6:, unix:, xds:///),"
        ' got "http://a"',
        '--backend b: expected host:port or a gRPC target (dns:///, ipv4:, ipv6:, unix:, xds:///), got ""',
    ]
