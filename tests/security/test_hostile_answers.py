"""Backends that answer what no backend should: a bounded JSON error, and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.support.backend import RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http2 import Fields, hostile_server
from tests.support.protos import Schema
from tests.support.raw import RawAnswer, exchange, request
from transcoder.backend.channel import MAX_METADATA

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROTO: Final = """
syntax = "proto3";
package tree.v1;
service Trees { rpc Get(Ask) returns (Node); }
message Ask { string name = 1; }
message Node { string name = 1; Node child = 2; }
"""
MEGABYTE: Final = 1_000_000
OK: Final[Fields] = [("grpc-status", "0")]
NOT_FOUND: Final = ("grpc-status", "5")
INTERNAL: Final = {"INTERNAL_ERROR", "SERVICE_UNAVAILABLE"}
"""What a call ends with that the gRPC library could not make sense of."""

OWN_HEADERS: Final = {
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "x-content-type-options",
    "x-request-id",
}


def nested(depth: int) -> bytes:
    """A Node with so many below it, as it is on the wire."""
    wire = b""
    for _ in range(depth):
        wire = b"\x12" + _varint(len(wire)) + wire
    return wire


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


ERRORS: Final[dict[str, tuple[Fields, Fields, bytes, set[str]]]] = {
    "status 99": ([], [("grpc-status", "99")], b"", INTERNAL),
    "negative status": ([], [("grpc-status", "-1")], b"", INTERNAL),
    "status of words": ([], [("grpc-status", "fine\x00")], b"", INTERNAL),
    "no status": ([], [("x-a", "b")], b"", INTERNAL),
    "line breaks in the message": (
        [],
        [NOT_FOUND, ("grpc-message", "a%0d%0aSet-Cookie: evil=1%0d%0a%0d%0a<script>")],
        b"",
        {"NOT_FOUND"},
    ),
    "bytes in the message": ([], [NOT_FOUND, ("grpc-message", b"%ff\xff%00%1b[31m%")], b"", {"NOT_FOUND"}),
    "1 MB message": ([], [NOT_FOUND, ("grpc-message", "x" * MEGABYTE)], b"", INTERNAL),
    "15 KB message": ([], [NOT_FOUND, ("grpc-message", "x" * 15_000)], b"", {"NOT_FOUND"}),
    "garbage for details": (
        [],
        [NOT_FOUND, ("grpc-status-details-bin", "!!!!")],
        b"",
        INTERNAL | {"NOT_FOUND"},
    ),
    "details of no message": ([], [NOT_FOUND, ("grpc-status-details-bin", "////")], b"", {"NOT_FOUND"}),
    "1 MB of details": (
        [],
        [NOT_FOUND, ("grpc-status-details-bin", "A" * MEGABYTE)],
        b"",
        INTERNAL,
    ),
    "line breaks in metadata": (
        [("x-a", "b\r\nSet-Cookie: evil=1")],
        [NOT_FOUND],
        b"",
        INTERNAL | {"NOT_FOUND"},
    ),
    "line breaks in a key": ([("x\r\nset-cookie", "evil")], [NOT_FOUND], b"", INTERNAL | {"NOT_FOUND"}),
    "space in a key": ([("x a", "1")], [NOT_FOUND], b"", INTERNAL | {"NOT_FOUND"}),
    "garbage for bytes": ([("a-bin", "***")], [NOT_FOUND], b"", INTERNAL | {"NOT_FOUND"}),
    "1 MB of metadata": ([("x-a", "y" * MEGABYTE)], [NOT_FOUND], b"", INTERNAL),
    "1000 keys": ([(f"x-{n}", "y" * 90) for n in range(1000)], [NOT_FOUND], b"", INTERNAL),
    "what the gateway says itself": (
        [("content-length", "9999"), ("transfer-encoding", "chunked"), ("connection", "close")],
        [NOT_FOUND, ("x-request-id", "forged"), ("access-control-allow-origin", "*")],
        b"",
        INTERNAL | {"NOT_FOUND"},
    ),
    "bytes that are no message": ([], OK, b"\xff\xff\xff", INTERNAL),
    "text that is not UTF-8": ([], OK, b"\x0a\x02\xff\xfe", INTERNAL),
    "length beyond the end": ([], OK, b"\x0a\xff\xff\xff\xff\x0f", INTERNAL),
    "3000-deep message": ([], OK, nested(3000), INTERNAL),
    "101-deep message": ([], OK, nested(101), INTERNAL),
}


def schema() -> Schema:
    return Schema.from_protos(PROTO)


def route(service: str) -> dict[str, Any]:
    return {
        "name": service,
        "path": f"/{service}/{{name}}",
        "method": "GET",
        "service": service,
        "grpc_service": "Trees",
        "grpc_method": "Get",
    }


def slug(what: str) -> str:
    return what.replace(" ", "-")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """A gateway before one honest backend and all the others."""
    directory = tmp_path_factory.mktemp("hostile")
    (directory / "trees.binpb").write_bytes(schema().files.SerializeToString())
    async with AsyncExitStack() as stack:
        honest = await stack.enter_async_context(RecordingBackend(schema()))
        addresses = {"honest": honest.address}
        for what, (headers, trailers, wire, _) in (*ERRORS.items(), ("hundred", ([], OK, nested(99), set()))):
            server = hostile_server(headers, trailers, wire)
            addresses[slug(what)] = await stack.enter_async_context(server)
        config = {
            "services": {
                name: {
                    "address": address,
                    "descriptor_set": "trees.binpb",
                    "circuit_breaker": {"failures": 0},
                }
                for name, address in addresses.items()
            },
            "routes": [route(name) for name in addresses],
        }
        yield await stack.enter_async_context(running_gateway(config, directory))


async def get(gateway: RunningGateway, service: str) -> RawAnswer:
    return await exchange(gateway.url, request("GET", f"/{service}/a"))


@pytest.mark.parametrize("what", ERRORS)
async def test_answer_is_a_bounded_error(gateway: RunningGateway, what: str) -> None:
    answer = await get(gateway, slug(what))
    error = answer.json()["error"]
    assert error["code"] in ERRORS[what][3]
    assert answer.status >= 400
    assert set(error) <= {"code", "message", "request_id"}
    assert len(answer.body) < MAX_METADATA
    assert "removed" not in error["message"]
    assert "metadata" not in error["message"]
    assert answer.header("x-request-id") == error["request_id"] != "forged"
    assert (await get(gateway, "honest")).status == 200


@pytest.mark.parametrize("what", ERRORS)
async def test_no_header_comes_of_it(gateway: RunningGateway, what: str) -> None:
    answer = await get(gateway, slug(what))
    harmless = {"x-a", *(f"x-{n}" for n in range(1000))}
    names = [name.lower() for name, _ in answer.headers]
    assert set(names) - harmless <= OWN_HEADERS
    assert sorted(set(names)) == sorted(names)
    assert all(value.isprintable() and "evil" not in value for _, value in answer.headers)


async def test_100_deep_message_is_printed(gateway: RunningGateway) -> None:
    answer = await get(gateway, "hundred")
    assert (answer.status, str(answer.json()).count("child")) == (200, 99)


async def test_no_line_of_the_log_is_forged_or_endless(gateway: RunningGateway) -> None:
    for what in ERRORS:
        await get(gateway, slug(what))
    assert (await get(gateway, "honest")).status == 200
    lines = gateway.process.stderr
    assert "evil" not in {json.loads(line)["event"] for line in lines}
    assert not [line for line in lines if "\x1b" in line or "\r" in line]
    assert max(map(len, lines)) < 10_000
