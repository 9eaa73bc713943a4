"""What the backends of the soak serve, and how the gateway is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from tests.support.tokens import SECRET

Side = Literal["east", "west"]
"""A backend: one may be down while the other must not be touched by that."""

SIDES: Final[tuple[Side, ...]] = ("east", "west")
SERVICE: Final = "soak.v1.Notes"
PROTO: Final = """
syntax = "proto3";
package soak.v1;

service Notes {
  rpc Get(Note) returns (Note);             // the note
  rpc Wait(Note) returns (Note);            // the note after `number` milliseconds
  rpc Watch(Note) returns (stream Note);    // `number` notes, numbered from 0
  rpc Chat(stream Note) returns (stream Note);  // every note that comes
}

message Note {
  string id = 1;
  string text = 2;
  int32 number = 3;
  string user = 4;  // set by the backend: whose token the gateway has verified
  string side = 5;  // set by the backend: which one it is
}
"""


def gateway_config(addresses: Mapping[Side, str]) -> dict[str, Any]:
    """What `config.yaml` says: every path needs a token, and its first segment is the backend."""
    return {
        "server": {"max_request_body": "2MiB"},
        "auth": {"issuers": [{"name": "main", "algorithms": ["HS256"], "secret": SECRET}]},
        "services": {side: {"address": address} for side, address in addresses.items()},
        "routes": [route for side in addresses for route in _routes(side)],
        "observability": {"access_log": False, "log_level": "warning"},
    }


def _routes(side: Side) -> list[dict[str, Any]]:
    return [
        _route(side, "get", "Get", "GET", "notes/{id}"),
        _route(side, "put", "Get", "POST", "notes"),
        _route(side, "wait", "Wait", "POST", "wait"),
        _route(side, "watch", "Watch", "GET", "watch/{id}"),
        _route(side, "chat", "Chat", "POST", "chat"),
    ]


def _route(side: Side, name: str, rpc: str, http_method: str, path: str) -> dict[str, Any]:
    target = {"service": side, "grpc_service": SERVICE, "grpc_method": rpc}
    return {"name": f"{side}-{name}", "method": http_method, "path": f"/{side}/{path}", **target}
