"""A backend with methods of every kind, and the commands as functions and as programs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import yaml

from tests.support.backend import RecordingBackend
from tests.support.process import running
from tests.support.protos import Schema
from transcoder.cli.target import Target, make_target

SCHEMA: Final = Schema.from_protos(
    {
        "shop/shop.proto": """
        syntax = "proto3";
        package shop.v1;
        import "google/api/annotations.proto";
        import "google/api/httpbody.proto";
        import "google/protobuf/any.proto";

        service Shop {
          rpc GetItem(GetItemRequest) returns (Item) {
            option (google.api.http) = { get: "/v1/items/{id}" };
          }
          rpc ListItems(GetItemRequest) returns (stream Item);
          rpc AddItems(stream Item) returns (Item);
          rpc Chat(stream Item) returns (stream Item);
          rpc Photo(GetItemRequest) returns (google.api.HttpBody);
          rpc Anything(GetItemRequest) returns (google.protobuf.Any);
        }
        service Till {
          rpc Pay(GetItemRequest) returns (Item);
        }
        message GetItemRequest { string id = 1; }
        message Item { string id = 1; int32 price = 2; }
        enum Size { SIZE_UNSPECIFIED = 0; LARGE = 1; }
        message Box { Size size = 1; }
    """,
        "stock/stock.proto": """
        syntax = "proto3";
        package stock.v1;
        service Till { rpc Count(Nothing) returns (Nothing); }
        message Nothing {}
    """,
    }
)


@pytest.fixture
async def backend() -> AsyncIterator[RecordingBackend]:
    async with RecordingBackend(SCHEMA) as backend:
        yield backend


def target_of(address: str, **options: Any) -> Target:
    """A target without any option but those given."""
    none: dict[str, Any] = dict.fromkeys(("ca", "cert", "key", "server_name"))
    return make_target(**{"address": address, "tls": False, "headers": (), **none, **options})


WriteConfig: TypeAlias = Callable[[Mapping[str, Any] | str], Path]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    """Writes a configuration file and returns its path."""

    def write(config: Mapping[str, Any] | str) -> Path:
        path = tmp_path / "gateway.yaml"
        path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
        return path

    return write


async def run_cli(*arguments: str, within: float = 30) -> tuple[int, list[str], list[str]]:
    """`transcoder` as a user runs it: exit code, lines of stdout, lines of stderr."""
    async with running(sys.executable, "-m", "transcoder", *arguments) as process:
        code = await process.wait(within)
    return code, process.stdout, process.stderr
