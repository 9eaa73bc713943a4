"""Our own share of a small authenticated request, part by part: all between the HTTP stage and the gRPC call.

usage: python -m benchmarks.hot_path      prints microseconds; the call is one that answers at once
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path
from time import monotonic
from typing import Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from benchmarks.growth.series import seconds_of
from benchmarks.tokens import AUDIENCE, ISSUER, SECRET, bearer
from transcoder.codec import Codec, JsonOptions
from transcoder.config.model import Config
from transcoder.context import CallResult, Metadata, OpenStream, RequestContext, UnaryCall
from transcoder.events import EventLog
from transcoder.gateway import Gateway
from transcoder.observe.access import log_access
from transcoder.observe.logs import configure_logs, get_log
from transcoder.plan.compile import BackendCompiler, compile_snapshot
from transcoder.plan.deadline import client_timeout
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set
from transcoder.security.verifier import Verifier

_USER: Final = (
    b"\x0a\x06user-1\x12\x0cAda Lovelace\x1a\x0fada@example.org\x20\x80\xd0\x95\xff\xbc\x31\x28\x01"
)
_FIELDS: Final = (
    ("id", FieldDescriptorProto.TYPE_STRING),
    ("name", FieldDescriptorProto.TYPE_STRING),
    ("email", FieldDescriptorProto.TYPE_STRING),
    ("created", FieldDescriptorProto.TYPE_INT64),
    ("is_active", FieldDescriptorProto.TYPE_BOOL),
)
_HEADERS: Final = (("host", "api.example"), ("user-agent", "wrk/4.1.0"), ("accept", "*/*"))
_CONFIG: Final = Config.model_validate(
    {
        "services": {"users": {"address": "127.0.0.1:1", "metadata": {"x-gateway": "bench"}}},
        "auth": {
            "issuers": [
                {
                    "name": "bench",
                    "issuer": ISSUER,
                    "audience": [AUDIENCE],
                    "algorithms": ["HS256"],
                    "secret": SECRET,
                }
            ]
        },
        "routes": [
            {
                "name": "get",
                "path": "/v1/users/{id}",
                "method": "GET",
                "service": "users",
                "grpc_service": "bench.Users",
                "grpc_method": "Get",
            }
        ],
    }
)


class _Answering:
    """Calls that come back at once."""

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:  # noqa: ARG002 - all answer alike
        async def call(_wire: bytes, _metadata: Metadata, _timeout: float) -> CallResult:
            return CallResult(wire=_USER)

        return call

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        raise NotImplementedError(path)


class _NoBody:
    async def read(self) -> bytes:
        return b""

    def chunks(self) -> AsyncIterator[bytes]:
        raise NotImplementedError


def users_schema() -> Schema:
    """A method that takes and gives a message of five fields."""
    file = FileDescriptorProto(name="users.proto", package="bench", syntax="proto3")
    message = file.message_type.add(name="User")
    for number, (name, kind) in enumerate(_FIELDS, 1):
        message.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    users = file.service.add(name="Users")
    users.method.add(name="Get", input_type=".bench.User", output_type=".bench.User")
    return Schema.from_files(from_descriptor_set(FileDescriptorSet(file=[file]).SerializeToString()))


def measure_parts(log: EventLog) -> Iterator[tuple[str, float]]:
    """What each part takes, in microseconds, the whole first. log: gets a line for every request."""
    schema, verifier = users_schema(), Verifier.from_config(_CONFIG.auth)
    compiler = BackendCompiler(backend="users", config=_CONFIG, calls=_Answering(), verifier=verifier)
    gateway = Gateway(log=log)
    gateway.snapshot = compile_snapshot(1, _CONFIG, {"users": compiler.compile(schema)})
    route, captures = gateway.snapshot.table.match("GET", "/v1/users/user-1")
    ctx = _request()
    (guard,) = route.guards
    parts: dict[str, Callable[[], object]] = {
        "all but the access log": lambda: _run(gateway.handle(ctx)),
        "route": lambda: gateway.snapshot.table.match("GET", "/v1/users/user-1"),
        "token, known": lambda: _run(guard(ctx)),
        "deadline": lambda: client_timeout(ctx.headers),
        "metadata": lambda: route.metadata(ctx, captures),
        **_codec_parts(schema, captures),
    }
    for name, part in parts.items():
        yield name, seconds_of(part) * 1e6
    logged = log_access(gateway.handle, log, monotonic)
    without = seconds_of(lambda: _run(gateway.handle(ctx)))
    yield "access log line", (seconds_of(lambda: _run(logged(ctx))) - without) * 1e6


def _codec_parts(schema: Schema, captures: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    codec = Codec(schema.shapes, JsonOptions())
    encode = codec.request_encoder("bench.User", http_method="GET", body=None, path_fields=("id",))
    decode = codec.response_decoder("bench.User", response_body=None)
    return {
        "request to wire": lambda: encode(b"", "", captures, ""),
        "response to JSON": lambda: decode(_USER),
    }


def _request() -> RequestContext:
    headers = (*_HEADERS, *((name.lower(), value) for name, value in bearer().items()))
    return RequestContext(
        http_method="GET",
        path="/v1/users/user-1",
        query="",
        headers=headers,
        body=_NoBody(),
        peer="127.0.0.1",
        scheme="http",
        request_id="0123456789abcdef0123456789abcdef",
    )


def _run(work: Awaitable[object]) -> None:
    """Run what waits for nothing."""
    with suppress(StopIteration):
        next(work.__await__())
        raise AssertionError("it waits")


def main() -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        configure_logs("info", "json")
        for name, micros in measure_parts(get_log()):
            print(f"{micros:7.2f} us  {name}")


if __name__ == "__main__":
    main()
