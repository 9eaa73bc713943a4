"""The schemas and backends the other tests stand on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.support.backend import (
    REFLECTION,
    REFLECTION_V1,
    REFLECTION_V1ALPHA,
    Answer,
    Call,
    RecordingBackend,
    failure,
)
from tests.support.certs import Authority
from tests.support.node import NodeBackend
from tests.support.protos import Schema

ECHO = """
syntax = "proto3";
package echo.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
service Echo {
  rpc Say(Word) returns (Word) { option (google.api.http) = {get: "/v1/{text}"}; }
  rpc Repeat(Word) returns (stream Word);
  rpc Chat(stream Word) returns (stream Word);
}
message Word { string text = 1; google.protobuf.Timestamp at = 2; }
"""


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.from_protos(ECHO)


def _word(schema: Schema, text: str) -> bytes:
    return schema.message("echo.v1.Word", text=text).SerializeToString()


def test_schema_is_compiled_once_and_has_its_imports(schema: Schema) -> None:
    assert Schema.from_protos(ECHO) is schema
    assert schema.services() == ["echo.v1.Echo"]
    assert "google/api/http.proto" in [file.name for file in schema.files.file]


def test_schema_of_several_files() -> None:
    schema = Schema.from_protos(
        {
            "a/a.proto": 'syntax = "proto3"; message A { int32 x = 1; }',
            "b.proto": 'syntax = "proto3"; package b; import "a/a.proto"; message B { A a = 1; }',
        }
    )
    assert schema.message("b.B", a={"x": 3}).SerializeToString() == b"\x0a\x02\x08\x03"


def test_bad_proto_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="protoc refused"):
        Schema.from_protos("message {")
    assert "test.proto:1" in capfd.readouterr().err


async def test_unary_call_is_recorded_and_answered(schema: Schema) -> None:
    async with RecordingBackend(schema) as backend, grpc.aio.insecure_channel(backend.address) as channel:
        backend.replies["echo.v1.Echo/Say"] = Answer(
            messages=[schema.message("echo.v1.Word", text="hello")],
            metadata=[("x-before", "1")],
            trailers=[("x-after", "2"), ("x-after-bin", b"\x00\xff")],
        )
        say = channel.unary_unary("/echo.v1.Echo/Say")
        call = say(
            _word(schema, "hi"), timeout=30, metadata=[("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\xff")]
        )
        assert await call == _word(schema, "hello")
        assert ("x-before", "1") in tuple(await call.initial_metadata())
        assert tuple(await call.trailing_metadata()) == (("x-after", "2"), ("x-after-bin", b"\x00\xff"))

        (seen,) = backend.calls
        assert seen.method == "echo.v1.Echo/Say"
        assert seen.message.text == "hi"
        assert seen.values("x-a") == ["1", "2"]
        assert seen.values("x-b-bin") == [b"\xff"]
        assert seen.timeout == pytest.approx(30, abs=1)
        assert not seen.cancelled
        assert len(backend.peers) == 1


async def test_untold_method_answers_an_empty_message(schema: Schema) -> None:
    async with RecordingBackend(schema) as backend, grpc.aio.insecure_channel(backend.address) as channel:
        assert await channel.unary_unary("/echo.v1.Echo/Say")(b"") == b""
        assert backend.calls[0].timeout is None


async def test_failure_with_details(schema: Schema) -> None:
    told = failure(grpc.StatusCode.NOT_FOUND, "no such word", details=[ErrorInfo(reason="GONE")])
    async with (
        RecordingBackend(schema, {"echo.v1.Echo/Say": told}) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/echo.v1.Echo/Say")(b"")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "no such word"
    ((key, value),) = caught.value.trailing_metadata()
    assert key == "grpc-status-details-bin"
    info = ErrorInfo()
    assert Status.FromString(value).details[0].Unpack(info)
    assert info.reason == "GONE"


async def test_stream_ends_with_an_error_after_its_messages(schema: Schema) -> None:
    words = [schema.message("echo.v1.Word", text=text) for text in ("a", "b")]
    told = Answer(messages=words, code=grpc.StatusCode.ABORTED, text="cut")
    async with (
        RecordingBackend(schema, {"echo.v1.Echo/Repeat": told}) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        call = channel.unary_stream("/echo.v1.Echo/Repeat")(b"")
        assert [await call.read(), await call.read()] == [_word(schema, "a"), _word(schema, "b")]
        with pytest.raises(grpc.aio.AioRpcError, match="cut"):
            await call.read()


async def test_async_functions_answer(schema: Schema) -> None:
    async def say(call: Call) -> Answer:
        async for word in call.requests():
            return failure(grpc.StatusCode.INVALID_ARGUMENT, f"not {word.text}")
        raise AssertionError("no request")

    async def chat(call: Call) -> AsyncGenerator[Message, None]:
        async for word in call.requests():
            word.text += "!"
            yield word

    async with (
        RecordingBackend(schema, {"echo.v1.Echo/Say": say, "echo.v1.Echo/Chat": chat}) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="not hi"):
            await channel.unary_unary("/echo.v1.Echo/Say")(_word(schema, "hi"))
        call = channel.stream_stream("/echo.v1.Echo/Chat")()
        await call.write(_word(schema, "a"))
        assert await call.read() == _word(schema, "a!")
        await call.write(_word(schema, "b"))
        await call.done_writing()
        assert [await call.read(), await call.read()] == [_word(schema, "b!"), grpc.aio.EOF]
    assert [word.text for word in backend.calls[1].messages] == ["a", "b"]


@pytest.mark.parametrize("method", ["Say", "Repeat", "Chat"])
async def test_cancelled_call_is_seen(schema: Schema, method: str) -> None:
    async def never(call: Call) -> AsyncGenerator[Message, None]:
        yield schema.message("echo.v1.Word", text="first")
        await asyncio.Event().wait()

    async with (
        RecordingBackend(schema, {f"echo.v1.Echo/{method}": never}) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        call = channel.unary_stream(f"/echo.v1.Echo/{method}")(b"")
        assert await call.read() == _word(schema, "first")
        (seen,) = await backend.wait_for_calls()
        call.cancel()
        await asyncio.wait_for(seen.done.wait(), 5)
        assert seen.cancelled


async def _reflect(channel: grpc.aio.Channel, path: str) -> list[str]:
    call = channel.stream_stream(
        f"/{path}",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )(iter([ServerReflectionRequest(list_services="")]))
    return [service.name async for response in call for service in response.list_services_response.service]


@pytest.mark.parametrize("served", [REFLECTION, (REFLECTION_V1,), (REFLECTION_V1ALPHA,), ()])
async def test_only_the_told_reflection_versions_are_served(schema: Schema, served: tuple[str, ...]) -> None:
    async with (
        RecordingBackend(schema, reflection=served) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        for version in REFLECTION:
            if version in served:
                assert await _reflect(channel, version) == ["echo.v1.Echo"]
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await _reflect(channel, version)
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert backend.calls == []
        assert [call.method for call in backend.reflection_calls] == list(served)


async def test_reflection_can_be_told_to_fail(schema: Schema) -> None:
    told = failure(grpc.StatusCode.UNAUTHENTICATED, "who are you")
    async with (
        RecordingBackend(schema, {REFLECTION_V1: told}) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="who are you"):
            await _reflect(channel, REFLECTION_V1)


async def test_restart_keeps_the_port_and_takes_another_schema(schema: Schema) -> None:
    other = Schema.from_protos(
        'syntax = "proto3"; package other; service O { rpc M(E) returns (E); } message E {}'
    )
    async with RecordingBackend(schema) as backend:
        address = backend.address
        await backend.stop()
        backend.schema = other
        await backend.start()
        assert backend.address == address
        async with grpc.aio.insecure_channel(address) as channel:
            assert await _reflect(channel, REFLECTION_V1) == ["other.O"]


async def test_tls_backend_wants_the_certificates_of_its_authority(schema: Schema, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    root = authority.cert.read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.cert.read_bytes())], root, require_client_auth=True
    )
    known = grpc.ssl_channel_credentials(root, client.key.read_bytes(), client.cert.read_bytes())
    unknown = grpc.ssl_channel_credentials(root)
    async with RecordingBackend(schema, credentials=credentials) as backend:
        async with grpc.aio.secure_channel(backend.address, known) as channel:
            assert await channel.unary_unary("/echo.v1.Echo/Say")(b"") == b""
        async with grpc.aio.secure_channel(backend.address, unknown) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/echo.v1.Echo/Say")(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("version", REFLECTION)
async def test_node_backend_reflects(node_backend: NodeBackend, version: str) -> None:
    async with grpc.aio.insecure_channel(node_backend.address) as channel:
        assert "library.v1.Library" in await _reflect(channel, version)


async def test_node_backend_fails_with_details(node_backend: NodeBackend) -> None:
    async with grpc.aio.insecure_channel(node_backend.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/library.v1.Library/DeleteBook")(b"")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    status = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message, info.reason) == (9, "the book is on loan", "ON_LOAN")
