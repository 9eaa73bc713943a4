"""Envoy as it is set up to do what the gateway does: transcode the paths of the shop, and verify tokens."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.cells import SERVICE
from benchmarks.tokens import AUDIENCE, ISSUER, SECRET

_TYPES: Final = "type.googleapis.com/envoy.extensions"
_UNBOUNDED: Final = 1_000_000


def envoy_config(port: int, backend: int, descriptors: Path, *, has_auth: bool) -> bytes:
    """A bootstrap file (JSON). port, backend: on 127.0.0.1; descriptors: a FileDescriptorSet."""
    filters = [*([_jwt_filter()] if has_auth else []), _transcoder(descriptors), _ROUTER]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_ROUTE]}]},
        "http_filters": filters,
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"address": _address(port), "filter_chains": [{"filters": [network_filter]}]}
    return orjson.dumps({"static_resources": {"listeners": [listener], "clusters": [_cluster(backend)]}})


_ROUTE: Final = {"match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "0s"}}
_ROUTER: Final = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"},
}


def _transcoder(descriptors: Path) -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor_bin": b64encode(descriptors.read_bytes()).decode(),
            "services": [SERVICE],
            "print_options": {"stream_newline_delimited": True},
        },
    }


def _jwt_filter() -> dict[str, Any]:
    """Verified tokens are cached, as the gateway caches them."""
    key = urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    keys = orjson.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": key}]}).decode()
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": keys},
        "jwt_cache_config": {"jwt_cache_size": 1000},
        "claim_to_headers": [{"header_name": "x-user-id", "claim_name": "sub"}],
    }
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": f"{_TYPES}.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"main": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "main"}}],
        },
    }


def _cluster(backend: int) -> dict[str, Any]:
    """HTTP/2, and none of the limits on connections or requests at once that would answer 503."""
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _UNBOUNDED)
    endpoint = {"endpoint": {"address": _address(backend)}}
    return {
        "name": "shop",
        "type": "STATIC",
        "typed_extension_protocol_options": {options: http2},
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "shop", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
