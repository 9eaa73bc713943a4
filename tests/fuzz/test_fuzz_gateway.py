"""Anything a client or a backend can send: an answer or a report, never a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import structlog
from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.plan.requests import request
from tests.support.protos import Schema as Compiled
from transcoder.config.model import Config
from transcoder.context import CallResult, Metadata, OpenStream, Reply, Stream, UnaryCall
from transcoder.errors import UNAVAILABLE_MESSAGE, UNIMPLEMENTED, TranscodeError
from transcoder.gateway import Gateway
from transcoder.plan.compile import BackendCompiler, compile_snapshot
from transcoder.plan.plan import BackendRoutes
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set

PROTO: Final = """
syntax = "proto3";
package fuzz.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service Fuzz {
  rpc Get(Ask) returns (Ask) {
    option (google.api.http) = {
      get: "/v1/{name=shelves/*/**}" response_body: "kids" additional_bindings { get: "/v1/{at}/{size}:verb" }
    };
  }
  rpc Put(Ask) returns (Ask) {
    option (google.api.http) = {
      put: "/v1/{kid.name}" body: "*"
      additional_bindings { patch: "/v1/{kid.name}" body: "kid" }
      additional_bindings { post: "/v1/{name}/kids" body: "kids" }
      additional_bindings { post: "/v1/{name}/free" body: "free" }
      additional_bindings { post: "/v1/{name}/raw" body: "raw" }
      additional_bindings { custom { kind: "*" path: "/any/**" } }
    };
  }
  rpc Watch(Ask) returns (stream Ask);
}
enum Size { SIZE_UNSPECIFIED = 0; BIG = 1; }
message Ask {
  string name = 1;
  google.protobuf.Timestamp at = 2;
  Size size = 3;
  Ask kid = 4;
  repeated Ask kids = 5;
  map<int64, Size> sizes = 6;
  oneof one { bytes blob = 7; double ratio = 8; google.protobuf.Int64Value big = 9; }
  google.protobuf.Value free = 10;
  google.protobuf.Any any = 11;
  google.api.HttpBody raw = 12;
  google.protobuf.FieldMask update_mask = 13;
  repeated sint32 numbers = 14;
  optional bool yes = 15;
}
"""

CONFIG: Final = Config.model_validate(
    {"services": {"fuzz": {"address": "localhost:1", "expose": ["annotations", "methods"]}}}
)


class Calls:
    """A backend that answers with whatever wire bytes it is told to."""

    wire: bytes = b""
    metadata: Metadata = ()

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:
        async def call(wire: bytes, metadata: Metadata, timeout: float) -> CallResult:  # noqa: ASYNC109
            return CallResult(wire=self.wire, metadata=self.metadata)

        return call

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
            raise TranscodeError(UNIMPLEMENTED, "no streams here")

        return open_stream


@cache
def descriptor_set() -> bytes:
    data: bytes = Compiled.from_protos(PROTO).files.SerializeToString()
    return data


def compiled(files: bytes, calls: Calls) -> BackendRoutes:
    schema = Schema.from_files(from_descriptor_set(files))
    return BackendCompiler(backend="fuzz", config=CONFIG, calls=calls, verifier=None).compile(schema)


@cache
def gateway() -> tuple[Gateway, Calls]:
    calls = Calls()
    subject = Gateway(log=structlog.get_logger())
    subject.snapshot = compile_snapshot(1, CONFIG, {"fuzz": compiled(descriptor_set(), calls)})
    return subject, calls


def answer(*args: Any, **more: Any) -> Reply:
    reply = asyncio.run(gateway()[0].handle(request(*args, **more)))
    assert isinstance(reply, Reply)
    return reply


targets = st.lists(
    st.sampled_from(
        [
            "/",
            "v1",
            "shelves",
            "kids",
            "free",
            "raw",
            "any",
            ":verb",
            "%2F",
            "%zz",
            "%ff",
            "%00",
            "..",
            "*",
            "a",
            "BIG",
            "1",
            "2020-01-01T00:00:00Z",
            "?",
            "&",
            "=",
            "+",
            "name",
            "kid.name",
            "numbers",
            "big",
            "kids.name",
            "sizes",
            "at",
            "blob",
            "ratio",
            "NaN",
            "fuzz.v1.Fuzz/Put",
            ".",
            "updateMask",
        ]
    )
    | st.text(st.characters(max_codepoint=0x7F), max_size=5),
    max_size=12,
).map("".join)

json_texts = st.recursive(
    st.sampled_from(
        ['"a"', "1", "-0", "1e999", "null", "true", "NaN", '"\\ud800"', '"BIG"', "{}", "[]", '""']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(
            st.tuples(
                st.sampled_from(
                    ["name", "kid", "kids", "sizes", "free", "any", "at", "big", "raw", "@type", "1"]
                ),
                inner,
            ),
            max_size=3,
        ).map(lambda items: "{" + ",".join(f'"{key}":{value}' for key, value in items) + "}")
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=40) | json_texts.map(str.encode)
headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "grpc-timeout", "traceparent", "baggage", "x-user-id", "accept"]),
        st.sampled_from(["application/json", "text/plain", "5S", "é", "x" * 300, ""]) | st.text(max_size=10),
    ),
    max_size=3,
)
http_methods = st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS", "get", "*", ""])


@settings(max_examples=400)
@given(http_methods, targets, bodies, headers)
@example("PATCH", "/v1/x", b'{"kid":{"kid":{}}}', [])
def test_any_request_is_answered(
    http_method: str, target: str, body: bytes, sent: Sequence[tuple[str, str]]
) -> None:
    gateway()[1].wire = b""
    assert answer(http_method, target, body, headers=sent).status in (200, 400, 404, 405, 415, 501)


@settings(max_examples=200)
@given(st.binary(max_size=60), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3))
def test_any_response_is_answered(wire: bytes, metadata: Sequence[tuple[str, str]]) -> None:
    calls = gateway()[1]
    calls.wire, calls.metadata = wire, metadata
    try:
        for reply in (answer("GET", "/v1/shelves/1"), answer("PUT", "/v1/a")):
            assert reply.status in range(200, 600)
            assert all(value.isprintable() and value.isascii() for _, value in reply.headers)
            assert UNAVAILABLE_MESSAGE.encode() not in reply.body
    finally:
        calls.wire, calls.metadata = b"", ()


names = st.sampled_from(
    ["", "name", "kid", "Ask", ".fuzz.v1.Ask", ".fuzz.v1.Size", "class", "\u00e9", "a\nb", "/"]
)
rules = st.builds(
    HttpRule,
    post=st.sampled_from(["/{name.x}", "/{kids}", "/a/{", "", "/{size}/{size}", "/fine"]),
    body=st.sampled_from(["", "*", "nothing", "kids.name"]),
)


@settings(max_examples=100)
@given(st.data())
def test_any_descriptors_give_a_table(data: st.DataObject) -> None:
    """Parts of a sound file, changed at random: what cannot be served is reported, the rest is served."""
    files = FileDescriptorSet.FromString(descriptor_set())
    (file,) = (file for file in files.file if file.package == "fuzz.v1")
    parts = st.sampled_from([*file.message_type[0].field, *file.service[0].method])
    for _ in range(data.draw(st.integers(1, 4))):
        spoil(data.draw, data.draw(parts))
    schema = Schema.from_files(from_descriptor_set(files.SerializeToString()))
    compiler = BackendCompiler(backend="fuzz", config=CONFIG, calls=Calls(), verifier=None)
    routes = compiler.compile(schema)
    assert schema.problems or len(routes.exposed) + len(routes.skipped) >= 11
    assert all(route.plan is not None for route in routes.exposed)
    for problem in compile_snapshot(1, CONFIG, {"fuzz": routes}).problems():
        assert isinstance(problem, str)


def spoil(draw: Callable[[Any], Any], part: Any) -> None:
    """Change one thing about a field or a method."""
    is_method = isinstance(part, MethodDescriptorProto)
    if is_method and draw(st.booleans()):
        part.options.Extensions[annotations_pb2.http].MergeFrom(draw(rules))
        return
    texts = ["input_type", "output_type", "name"] if is_method else ["name", "json_name", "type_name"]
    which = draw(st.sampled_from(texts if is_method else [*texts, "type", "label", "number", "oneof_index"]))
    setattr(part, which, draw(names) if which in texts else draw(st.integers(1, 3)))
