"""What is fed with any bytes: each parser of what others send, and the only exceptions that may come of it.

A target returns, or raises what its parser documents; anything else that is raised is a finding.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from google.protobuf.message import DecodeError

from tests.support.protos import Schema as Compiled
from transcoder.codec import Codec, JsonOptions
from transcoder.codec.documents import DocumentSplitter
from transcoder.codec.parsing import pieces, text
from transcoder.codec.parsing.text import parse_json
from transcoder.codec.printing import slices
from transcoder.errors import TranscodeError
from transcoder.plan.deadline import client_timeout
from transcoder.routing.table import RouteTable
from transcoder.routing.template import TemplateError, parse_template
from transcoder.schema.classes import message_class
from transcoder.schema.schema import Schema
from transcoder.schema.shape import Shapes
from transcoder.schema.source import from_descriptor_set
from transcoder.security.jws import InvalidToken, parse_jws
from transcoder.security.keys import KeyProblem, keys_from_jwks
from transcoder.server.framing import Chunked
from transcoder.server.head import HeadParser
from transcoder.server.inflate import Inflater

PROTO: Final = """
    syntax = "proto3"; package p;
    import "google/protobuf/any.proto"; import "google/protobuf/duration.proto";
    import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
    enum E { ZERO = 0; ONE = 1; }
    message M {
      string text = 1; int64 long = 2; double real = 3; bytes raw = 4; bool flag = 5; E kind = 6;
      float small = 7;
      M one = 8; repeated M many = 9; map<string, M> by_name = 10; map<int32, bool> flags = 11;
      oneof choice { string left = 12; M right = 13; }
      google.protobuf.Any any = 14; google.protobuf.Duration duration = 15;
      google.protobuf.FieldMask mask = 16; google.protobuf.Struct struct = 17;
      google.protobuf.Timestamp time = 18; google.protobuf.Int32Value boxed = 19;
      repeated uint32 numbers = 20;
    }
"""
TEMPLATES: Final = ("/a/{b}", "/a/{b=c/*}:v", "/{x=**}", "/a/*/{c}/**", "/a:v:w", "/%61/{d=*/e}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """parse: what is fed. refusals: what it may raise. seeds: inputs to begin with, good and nearly good."""

    parse: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...] = (TranscodeError,)
    seeds: tuple[bytes, ...] = ()

    def feed(self, data: bytes) -> None:
        """Raises what is a finding, and nothing else."""
        with suppress(*self.refusals):
            self.parse(data)


@cache
def shapes() -> Shapes:
    return Schema.from_files(
        from_descriptor_set(Compiled.from_protos(PROTO).files.SerializeToString())
    ).shapes


@cache
def codec() -> Codec:
    return Codec(shapes(), JsonOptions())


@cache
def encoder(name: str) -> Callable[[bytes], bytes]:
    return codec().encode_json(name)


def json(data: bytes) -> None:
    """What is taken is printed, and read back as the same message."""
    cls, encode = message_class(shapes().pool, "p.M"), encoder("p.M")
    message = cls.FromString(encode(data))
    printed, _ = codec().response_decoder("p.M", response_body=None)(cls.SerializeToString(message))
    assert cls.FromString(encode(printed)) == message


def json_in_pieces(data: bytes) -> None:
    """Either both read the same, or neither anything."""
    with patch.object(pieces, "PIECE", data[0] % 32 if data else 0), patch.object(text, "PIECE", 0):
        piecewise = _outcome(parse_json, data[1:])
    assert repr(piecewise) == repr(_outcome(parse_json, data[1:]))


def _outcome(parse: Callable[[Any], Any], data: Any) -> Any:
    try:
        return parse(data)
    except TranscodeError as error:
        return error.kind


def wire(data: bytes) -> None:
    codec().response_decoder("p.M", response_body=None)(data)


def wire_in_slices(data: bytes) -> None:
    cls = message_class(shapes().pool, "p.M")
    with patch.object(slices, "SLICE", data[0] % 32 if data else 0):
        message = slices.read_in_slices(cls, data[1:])
    assert cls.FromString(data[1:]).SerializeToString(deterministic=True) == message.SerializeToString(
        deterministic=True
    )


def status(data: bytes) -> None:
    codec().status_details(data)
    codec().retry_delay(data)


def query(data: bytes) -> None:
    _request()(b"", "", (), data.decode("latin-1"))


@cache
def _request() -> Any:
    return codec().request_encoder("p.M", http_method="GET", body=None, path_fields=())


def moments(data: bytes) -> None:
    """As the text of a path."""
    value = data.decode(errors="replace")
    for field in ("time", "duration", "mask", "boxed"):
        _outcome(lambda one: _path(one)(b"", "", (value,), ""), field)


@cache
def _path(field: str) -> Any:
    return codec().request_encoder("p.M", http_method="GET", body=None, path_fields=(field,))


def documents(data: bytes) -> None:
    """In whatever pieces a body comes, the documents in it are the same."""
    cut = data[0] if data else 0
    body = data[1:]
    assert _outcome(_split, [body]) == _outcome(_split, [body[:cut], body[cut:]])


def _split(parts: list[bytes]) -> list[bytes]:
    splitter = DocumentSplitter(1 << 20)
    found = [document for part in parts for document in splitter.feed(part)]
    return found + list(splitter.finish())


def template(data: bytes) -> None:
    parsed = parse_template(data.decode(errors="replace"))
    RouteTable([("GET", parsed, "it")])


def route(data: bytes) -> None:
    """As latin-1, which is what a request line is read as."""
    _, captures = _table().match("GET", "/" + data.decode("latin-1"))
    assert all(type(one) is str for one in captures)


@cache
def _table() -> RouteTable[str]:
    return RouteTable([("GET", parse_template(one), one) for one in TEMPLATES])


def head(data: bytes) -> None:
    """One that is taken says what is behind it, and is taken again without that."""
    found = HeadParser().parse(data)
    if found is not None:
        head, rest = found
        assert HeadParser().parse(data.removesuffix(rest)) == (head, b"")
        client_timeout(found[0].headers)


def chunks(data: bytes) -> None:
    """In whatever pieces chunks come, they are the same body, and the same comes behind it."""
    cut = data[0] if data else 0
    assert _outcome(_unchunked, [data[1:]]) == _outcome(_unchunked, [data[1:][:cut], data[1:][cut:]])


def _unchunked(parts: list[bytes]) -> tuple[bytes, bool, bytes]:
    decoder, body, rest = Chunked(), b"", b""
    for part in parts:
        if decoder.is_done:
            rest += part
        else:
            body += decoder.feed(part)
    return body, decoder.is_done, decoder.rest + rest


def inflate(data: bytes) -> None:
    for coding in ("gzip", "deflate"):
        _outcome(lambda one: _inflated(one, data), coding)


def _inflated(coding: str, data: bytes) -> None:
    inflater = Inflater(coding)
    for number, _ in enumerate(inflater.feed(data)):
        if number > 10:
            return
    inflater.finish()


def token(data: bytes) -> None:
    parse_jws(data.decode("latin-1"))


def key_set(data: bytes) -> None:
    keys_from_jwks(data, ["RS256"])


def descriptors(data: bytes) -> None:
    """Whatever is left of the files of a backend has a codec for each of its methods."""
    schema = Schema.from_files(from_descriptor_set(data))
    made = Codec(schema.shapes, JsonOptions())
    for method in schema.methods():
        _outcome(made.encode_json(method.request), b"{}")
        _outcome(made.response_decoder(method.response, response_body=None), b"")


JSON_SEEDS: Final = (
    b'{"text":"a\\u00e9","long":"-1","real":1e3,"raw":"AA==","flag":true,"kind":"ONE","small":0.1}',
    b'{"one":{"many":[{},{"left":"x"}]},"byName":{"a":{"flags":{"1":true}}},"boxed":7,"numbers":[1,2]}',
    b'{"any":{"@type":"a/google.protobuf.Duration","value":"1.5s"},"mask":"a.bC,d","struct":{"a":[null,1,"x"]}}',
    b'{"time":"2026-01-01T00:00:00.5+01:00","duration":"-3.000000001s","by_name":{}}',
)

TARGETS: Final[Mapping[str, Target]] = {
    "json": Target(parse=json, seeds=JSON_SEEDS),
    "json_in_pieces": Target(parse=json_in_pieces, seeds=tuple(b"\x03" + one for one in JSON_SEEDS)),
    "wire": Target(parse=wire, seeds=tuple(encoder("p.M")(one) for one in JSON_SEEDS)),
    "wire_in_slices": Target(
        parse=wire_in_slices,
        refusals=(DecodeError,),
        seeds=tuple(b"\x03" + encoder("p.M")(one) for one in JSON_SEEDS),
    ),
    "status": Target(parse=status, seeds=(b"\x08\x05\x12\x01a\x1a\x07\n\x03a/b\x12\x00",)),
    "query": Target(
        parse=query, seeds=(b"text=a%20b&one.text=+&numbers=1&numbers=2", b"time=x&one.one.kind=ONE")
    ),
    "moments": Target(
        parse=moments,
        seeds=(b"2026-02-28T23:59:59.123456789Z", b"-1.5s", b"a.b_c,dE", b"9999-12-31T23:59:59-00:01"),
    ),
    "documents": Target(parse=documents, seeds=(b'\x05[{"a":[1,"]"]},2]', b'\x03{}\n{"a":"\\""} 1 null')),
    "template": Target(
        parse=template, refusals=(TemplateError,), seeds=tuple(one.encode() for one in TEMPLATES)
    ),
    "route": Target(parse=route, seeds=(b"a/b", b"a/c/d:v", b"%61/x%2Fy/e", b"a/x/y/z", b"a:v:w", b"%zz")),
    "head": Target(
        parse=head,
        seeds=(
            b"GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"PUT * HTTP/1.0\r\nContent-Length: 3\r\nGrpc-Timeout: 1S\r\nExpect: 100-continue\r\n\r\nabc",
        ),
    ),
    "chunks": Target(
        parse=chunks, seeds=(b"\x04" + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\nmore",)
    ),
    "inflate": Target(parse=inflate, seeds=(gzip.compress(b"abc"), zlib.compress(b"abc"))),
    "token": Target(
        parse=token,
        refusals=(InvalidToken,),
        seeds=(b"eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJhIn0.AAAA",),
    ),
    "key_set": Target(
        parse=key_set,
        refusals=(KeyProblem,),
        seeds=(
            b'{"keys":[{"kty":"RSA","kid":"k","use":"sig","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256"}]}',
        ),
    ),
    "descriptors": Target(
        parse=descriptors,
        refusals=(ValueError,),
        seeds=(
            Compiled.from_protos(PROTO + "service S { rpc Do(M) returns (M); }").files.SerializeToString(),
        ),
    ),
}
"""By the names that `scripts/fuzz` takes."""
