"""Reading a schema from real servers: honest, forgetful, hostile and absent ones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2 as pb
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

from tests.support.backend import REFLECTION_V1, REFLECTION_V1ALPHA, Answer, Call, RecordingBackend, failure
from tests.support.http2 import mute_server
from tests.support.ports import free_port
from tests.support.protos import Schema as Compiled
from transcoder.backend.reflection import DEFAULT_LIMITS, ReflectionLimits, reflect
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet

PROTOS = {
    "a/service.proto": """
        syntax = "proto3"; package a; import "a/types.proto"; import "google/api/annotations.proto";
        service S { rpc Get(M) returns (M) { option (google.api.http) = {get: "/m"}; } }
    """,
    "a/types.proto": """
        syntax = "proto3"; package a; import "a/deep.proto"; import "google/protobuf/timestamp.proto";
        message M { D d = 1; google.protobuf.Timestamp at = 2; }
    """,
    "a/deep.proto": 'syntax = "proto3"; package a; message D { string x = 1; }',
    "b/service.proto": """
        syntax = "proto3"; package b; service S { rpc Get(M) returns (M); } message M { string x = 1; }
    """,
}
SHIPPED = ("google/", "grpc/")

Reflect = Callable[..., Any]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return Compiled.from_protos(PROTOS)


def named(compiled: Compiled) -> dict[str, bytes]:
    """The files of a backend that has none of the shipped ones."""
    return {
        file.name: file.SerializeToString()
        for file in compiled.files.file
        if not file.name.startswith(SHIPPED)
    }


def listing(*services: str) -> Response:
    response = Response()
    for name in services:
        response.list_services_response.service.add(name=name)
    return response


def sending(*files: bytes) -> Response:
    response = Response()
    response.file_descriptor_response.file_descriptor_proto.extend(files)
    return response


def refusing(message: str) -> Response:
    response = Response()
    response.error_response.error_code = 5
    response.error_response.error_message = message
    return response


def scripted(services: Sequence[str], answer: Callable[[str], Response]) -> Reflect:
    """A reflection service that answers every symbol and file name with a function."""

    async def serve(call: Call) -> AsyncGenerator[Response, None]:
        async for request in call.requests():
            if request.HasField("list_services"):
                yield listing(*services)
            else:
                yield answer(request.file_containing_symbol or request.file_by_filename)

    return serve


def asked(call: Call) -> list[str]:
    """What a reflection call asked for, after the list of services."""
    return [one.file_containing_symbol or one.file_by_filename for one in call.messages[1:]]


@asynccontextmanager
async def reflecting(
    compiled: Compiled, replies: Mapping[str, Any] | None = None, **more: Any
) -> AsyncIterator[tuple[RecordingBackend, grpc.aio.Channel]]:
    async with (
        RecordingBackend(compiled, replies, **more) as backend,
        grpc.aio.insecure_channel(backend.address) as channel,
    ):
        yield backend, channel


async def read(
    compiled: Compiled, told: Reflect, limits: ReflectionLimits = DEFAULT_LIMITS
) -> tuple[FileSet, Call]:
    async with reflecting(compiled, {REFLECTION_V1: told}, reflection=(REFLECTION_V1,)) as (backend, channel):
        files = await reflect(channel, (), limits)
        return files, backend.reflection_calls[0]


def failing(code: grpc.StatusCode, text: str) -> Reflect:
    """A reflection service that fails when it is asked."""

    async def serve(call: Call) -> Answer:
        await anext(call.requests())
        return failure(code, text)

    return serve


def silent(arrived: asyncio.Event) -> Reflect:
    """A reflection service that never answers; arrived: set when somebody has asked."""

    async def serve(call: Call) -> AsyncGenerator[Response, None]:
        arrived.set()
        await asyncio.Event().wait()
        yield listing()

    return serve


async def refused(compiled: Compiled, told: Any, limits: ReflectionLimits = DEFAULT_LIMITS) -> str:
    """Why a look at the schema failed, for the log; a client is never told."""
    with pytest.raises(TranscodeError) as caught:
        await read(compiled, told, limits)
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert caught.value.message == "service unavailable"
    return str(caught.value.reason)


@pytest.mark.parametrize(
    ("served", "told", "origin", "calls"),
    [
        ((REFLECTION_V1,), {}, "v1", [REFLECTION_V1]),
        ((REFLECTION_V1, REFLECTION_V1ALPHA), {}, "v1", [REFLECTION_V1]),
        ((REFLECTION_V1ALPHA,), {}, "v1alpha", [REFLECTION_V1ALPHA]),
        (
            (REFLECTION_V1, REFLECTION_V1ALPHA),
            {REFLECTION_V1: failing(grpc.StatusCode.UNAVAILABLE, "unknown service")},
            "v1alpha",
            [REFLECTION_V1, REFLECTION_V1ALPHA],
        ),
    ],
)
async def test_both_versions(
    compiled: Compiled, served: Sequence[str], told: Mapping[str, Any], origin: str, calls: list[str]
) -> None:
    async with reflecting(compiled, told, reflection=served) as (backend, channel):
        files = await reflect(channel, ())
    assert files.origin == origin
    assert set(files.services) == {"a.S", "b.S"}
    assert files.problems == ()
    assert [call.method for call in backend.reflection_calls] == calls
    schema = Schema.from_files(files)
    assert schema.problems == ()
    assert schema.method("a.S", "Get").request == "a.M"


async def test_status_that_a_failed_write_hides_is_asked_for(compiled: Compiled) -> None:
    hidden = iter([failure(grpc.StatusCode.INTERNAL, "Internal error from Core")])
    shown = failure(grpc.StatusCode.UNIMPLEMENTED, "no such method")

    async def end(call: Call) -> Answer:
        await anext(call.requests())
        return next(hidden, shown)

    async with reflecting(compiled, {REFLECTION_V1: end}) as (backend, channel):
        assert (await reflect(channel, ())).origin == "v1alpha"
    assert [call.method for call in backend.reflection_calls] == [
        REFLECTION_V1,
        REFLECTION_V1,
        REFLECTION_V1ALPHA,
    ]


async def test_no_reflection_names_both_versions(compiled: Compiled) -> None:
    async with reflecting(compiled, reflection=()) as (_, channel):
        with pytest.raises(TranscodeError) as caught:
            await reflect(channel, ())
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert re.fullmatch(r"reflection: v1 and v1alpha: UNIMPLEMENTED .+", str(caught.value.reason))


async def test_backend_that_refuses_is_not_asked_in_another_version(compiled: Compiled) -> None:
    told = failing(grpc.StatusCode.UNAUTHENTICATED, "who are you")
    async with reflecting(compiled, {REFLECTION_V1: told}) as (backend, channel):
        with pytest.raises(TranscodeError) as caught:
            await reflect(channel, ())
    assert caught.value.reason == "reflection: v1: UNAUTHENTICATED who are you"
    assert [call.method for call in backend.reflection_calls] == [REFLECTION_V1]


async def test_backend_that_is_down(compiled: Compiled) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as channel:
        with pytest.raises(TranscodeError) as caught:
            await reflect(channel, ())
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert "v1alpha: UNAVAILABLE" in str(caught.value.reason)
    assert "127.0.0.1" not in caught.value.message


async def test_static_metadata_goes_with_it(compiled: Compiled) -> None:
    async with reflecting(compiled, reflection=(REFLECTION_V1ALPHA,)) as (backend, channel):
        await reflect(channel, [("authorization", "Bearer x")])
    assert [call.values("authorization") for call in backend.reflection_calls] == [["Bearer x"]]


async def test_missing_imports_are_fetched_by_name(compiled: Compiled) -> None:
    """A server that sends one file at a time, and has none of those the gateway brings itself."""
    files = named(compiled)
    homes = {"a.S": "a/service.proto", "b.S": "b/service.proto"}
    got, call = await read(
        compiled, scripted(["a.S", "b.S"], lambda name: sending(files[homes.get(name, name)]))
    )
    assert asked(call) == ["a.S", "b.S", "a/types.proto", "a/deep.proto"]
    assert dict(got.files) == files
    assert Schema.from_files(got).problems == ()


async def test_closure_needs_no_further_questions(compiled: Compiled) -> None:
    files = named(compiled)
    got, call = await read(compiled, scripted(["a.S", "b.S"], lambda _: sending(*files.values())))
    assert asked(call) == ["a.S", "b.S"]
    assert dict(got.files) == files


async def test_features_of_other_languages_are_asked_for(compiled: Compiled) -> None:
    features = "google/protobuf/lua_features.proto"
    user = pb.FileDescriptorProto(name="user.proto", dependency=[features])
    files = {
        "S": user.SerializeToString(),
        features: pb.FileDescriptorProto(name=features, package="pb").SerializeToString(),
    }
    got, call = await read(compiled, scripted(["S"], lambda name: sending(files[name])))
    assert asked(call) == ["S", features]
    assert features in got.files


async def test_symbol_that_fails_costs_its_service(compiled: Compiled) -> None:
    files = named(compiled)
    got, _ = await read(
        compiled,
        scripted(
            ["gone.S", "b.S"],
            lambda name: sending(files["b/service.proto"]) if name == "b.S" else refusing("no idea"),
        ),
    )
    assert got.services == ("b.S",)
    assert got.problems == ("service 'gone.S' left out: no idea",)
    assert list(Schema.from_files(got).services) == ["b.S"]


@pytest.mark.parametrize("answer", [refusing("no idea"), sending(), listing("x")])
async def test_import_that_fails_costs_what_needs_it(compiled: Compiled, answer: Response) -> None:
    files = named(compiled)
    homes = {"a.S": "a/service.proto", "b.S": "b/service.proto"}
    got, call = await read(
        compiled,
        scripted(["a.S", "b.S"], lambda name: sending(files[homes[name]]) if name in homes else answer),
    )
    assert asked(call) == ["a.S", "b.S", "a/types.proto"]
    (problem,) = got.problems
    assert problem.startswith("file 'a/types.proto' missing: ")
    schema = Schema.from_files(got)
    assert list(schema.services) == ["b.S"]
    assert "service 'a.S' left out: its description is missing or broken" in schema.problems


async def test_file_under_another_name_is_not_asked_for_again(compiled: Compiled) -> None:
    files = named(compiled)
    got, call = await read(compiled, scripted(["a.S"], lambda _: sending(files["a/service.proto"])))
    assert asked(call) == ["a.S", "a/types.proto"]
    assert list(got.files) == ["a/service.proto"]


async def test_service_listed_twice_is_asked_for_once(compiled: Compiled) -> None:
    files = named(compiled)
    got, call = await read(compiled, scripted(["b.S", "b.S"], lambda _: sending(files["b/service.proto"])))
    assert asked(call) == ["b.S"]
    assert got.services == ("b.S",)


async def test_bytes_that_are_no_file_cost_themselves(compiled: Compiled) -> None:
    files = named(compiled)
    got, _ = await read(compiled, scripted(["b.S"], lambda _: sending(b"\xff", files["b/service.proto"])))
    assert got.problems == ("a file left out: not a FileDescriptorProto",)
    assert list(Schema.from_files(got).services) == ["b.S"]


async def test_names_that_are_not_utf8_do_not_break_the_look(compiled: Compiled) -> None:
    hostile = pb.FileDescriptorProto(name="name", dependency=["import"]).SerializeToString()
    hostile = hostile.replace(b"name", b"\xff" * 4).replace(b"import", b"\xff" * 6)
    files = named(compiled)
    got, _ = await read(compiled, scripted(["b.S"], lambda _: sending(hostile, files["b/service.proto"])))
    assert got.fingerprint()
    assert list(Schema.from_files(got).services) == ["b.S"]


async def test_many_services_are_asked_for_together(compiled: Compiled) -> None:
    """The server answers only what is asked in windows of 64: one at a time would never end."""
    services = [f"s{n}.S" for n in range(150)]

    async def windowed(call: Call) -> AsyncGenerator[Response, None]:
        requests = call.requests()
        await anext(requests)
        yield listing(*services)
        for size in (64, 64, 22):
            names = [(await anext(requests)).file_containing_symbol for _ in range(size)]
            for name in names:
                yield sending(pb.FileDescriptorProto(name=name).SerializeToString())

    got, call = await read(compiled, windowed, ReflectionLimits(seconds=5))
    assert asked(call) == services
    assert list(got.files) == services


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ReflectionLimits(size=100), "reflection: v1: more than 100 bytes"),
        (ReflectionLimits(files=3), "reflection: v1: more than 3 files"),
        (ReflectionLimits(services=1), "reflection: v1: more than 1 services"),
    ],
)
async def test_too_much_is_refused(compiled: Compiled, limits: ReflectionLimits, reason: str) -> None:
    files = named(compiled)
    told = scripted(["a.S", "b.S"], lambda _: sending(*files.values()))
    assert await refused(compiled, told, limits) == reason


async def test_exactly_the_limit_is_fine(compiled: Compiled) -> None:
    files = named(compiled)
    answers = (listing("a.S", "b.S"), *[sending(*files.values())] * 2)
    size = sum(answer.ByteSize() for answer in answers)
    told = scripted(["a.S", "b.S"], lambda _: answers[1])
    got, _ = await read(compiled, told, ReflectionLimits(size=size, files=4, services=2))
    assert len(got.files) == 4


async def test_endless_imports_end_at_the_limit(compiled: Compiled) -> None:
    def deeper(name: str) -> Response:
        file = pb.FileDescriptorProto(name=name, dependency=[f"{name}x"])
        return sending(file.SerializeToString())

    reason = await refused(compiled, scripted(["S"], deeper), ReflectionLimits(files=200))
    assert reason == "reflection: v1: more than 200 files"


async def test_silence_ends_at_the_time_limit(compiled: Compiled) -> None:
    reason = await refused(compiled, silent(asyncio.Event()), ReflectionLimits(seconds=0.2))
    assert reason.startswith("reflection: v1: DEADLINE_EXCEEDED ")


async def test_stream_that_ends_before_the_answer(compiled: Compiled) -> None:
    async def short(call: Call) -> AsyncGenerator[Response, None]:
        requests = call.requests()
        await anext(requests)
        yield listing("a.S")
        await anext(requests)

    assert await refused(compiled, short) == "reflection: v1: the backend ended the stream early"


async def test_stream_that_ends_before_the_question(compiled: Compiled) -> None:
    async def short(call: Call) -> AsyncGenerator[Response, None]:
        await anext(call.requests())
        yield listing(*(f"s{n}.S" for n in range(100)))

    assert (await refused(compiled, short)).startswith("reflection: v1: ")


async def test_stream_that_fails_half_way(compiled: Compiled) -> None:
    async def aborting(call: Call) -> AsyncGenerator[Response, None]:
        await anext(call.requests())
        yield listing(*(f"s{n}.S" for n in range(100)))
        await call.context.abort(grpc.StatusCode.INTERNAL, "broken")

    assert (await refused(compiled, aborting)).startswith("reflection: v1: INTERNAL ")


async def test_list_that_is_refused(compiled: Compiled) -> None:
    async def refuse(call: Call) -> AsyncGenerator[Response, None]:
        async for _ in call.requests():
            yield refusing("not for you")

    assert await refused(compiled, refuse) == "reflection: v1: list_services: not for you"


async def test_garbage(compiled: Compiled) -> None:
    async def garbage(call: Call) -> AsyncGenerator[Response, None]:
        await call.context.write(b"\xff\xff\xff")
        yield listing()

    reason = await refused(compiled, garbage)
    assert reason == "reflection: v1: the backend sent something else than a response"


async def test_stream_that_ends_after_the_last_answer_is_complete(compiled: Compiled) -> None:
    """grpc raises something else than an RpcError when a stream ends just when it is half-closed."""

    class Stream:
        def __init__(self, stream: Any) -> None:
            self.write, self.read, self.cancel = stream.write, stream.read, stream.cancel
            self.add_done_callback = stream.add_done_callback

        async def done_writing(self) -> None:
            raise grpc.aio.InternalError("Failed grpc_call_start_batch")

    class Channel:
        def __init__(self, channel: grpc.aio.Channel) -> None:
            self._channel = channel

        def stream_stream(self, path: str) -> Callable[..., Stream]:
            method: Callable[..., Any] = self._channel.stream_stream(path)
            return lambda **options: Stream(method(**options))

    async with reflecting(compiled) as (_, channel):
        broken: Any = Channel(channel)
        assert set((await reflect(broken, ())).services) == {"a.S", "b.S"}


async def test_cancelled_look_ends_the_call(compiled: Compiled) -> None:
    arrived = asyncio.Event()
    async with reflecting(compiled, {REFLECTION_V1: silent(arrived)}) as (backend, channel):
        look = asyncio.create_task(reflect(channel, ()))
        await asyncio.wait_for(arrived.wait(), 5)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        (call,) = backend.reflection_calls
        await asyncio.wait_for(call.done.wait(), 5)
    assert call.cancelled


async def test_channel_closed_before_it_is_connected() -> None:
    arrived = asyncio.Event()
    async with mute_server(arrived) as address, grpc.aio.insecure_channel(address) as channel:
        look = asyncio.create_task(reflect(channel, ()))
        await asyncio.wait_for(arrived.wait(), 5)
        await channel.close()
        with pytest.raises(TranscodeError) as caught:
            await asyncio.wait_for(look, 5)
    assert caught.value.reason == "the channel was closed"


async def test_channel_closed_meanwhile_or_before(compiled: Compiled) -> None:
    arrived = asyncio.Event()
    async with reflecting(compiled, {REFLECTION_V1: silent(arrived)}) as (_, channel):
        look = asyncio.create_task(reflect(channel, ()))
        await asyncio.wait_for(arrived.wait(), 5)
        await channel.close()
        for attempt in (look, reflect(channel, ())):
            with pytest.raises(TranscodeError) as caught:
                await attempt
            assert caught.value.kind is SERVICE_UNAVAILABLE
            assert caught.value.reason == "the channel was closed"
