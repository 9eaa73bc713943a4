"""The connection to a backend, over real sockets."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from tests.support.backend import Answer, Call, RecordingBackend, failure
from tests.support.certs import Authority
from tests.support.events import Events
from tests.support.http2 import hostile_server, mute_server, resetting_server
from tests.support.ports import free_port
from tests.support.protos import Schema
from transcoder.backend.connection import Connection
from transcoder.config.model import ServiceConfig
from transcoder.context import Metadata, UnaryCall
from transcoder.errors import (
    CANCELLED,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    PAYLOAD_TOO_LARGE,
    RESOURCE_EXHAUSTED,
    SERVICE_UNAVAILABLE,
    TIMEOUT,
    ErrorKind,
    TranscodeError,
    kind_of_code,
)

SCHEMA = Schema.from_protos("""
    syntax = "proto3"; package e;
    service E { rpc Say(W) returns (W); rpc Ask(W) returns (W); }
    message W { string text = 1; }
""")
SAY, ASK = "/e.E/Say", "/e.E/Ask"
CANCEL = 8
"""RFC 9113, section 7."""


def word(text: str) -> Any:
    return SCHEMA.message("e.W", text=text)


def wire(text: str) -> bytes:
    return bytes(word(text).SerializeToString())


@asynccontextmanager
async def connected(
    address: str, events: Events | None = None, on_reconnect: Callable[[], None] = lambda: None, **config: Any
) -> AsyncIterator[Connection]:
    settings = ServiceConfig.model_validate({"address": address, **config})
    connection = Connection("b", settings, log=events or Events(), on_reconnect=on_reconnect)
    try:
        yield connection
    finally:
        await connection.close(0)


async def failed(call: UnaryCall, metadata: Metadata = (), within: float = 5) -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        await call(b"", metadata, within)
    return caught.value


def hanging(arrived: asyncio.Event) -> Callable[[Call], Any]:
    """A method that never answers; arrived: set when it is called."""

    async def serve(call: Call) -> Answer:
        arrived.set()
        await asyncio.Event().wait()
        return Answer()

    return serve


async def test_bytes_and_metadata_go_both_ways() -> None:
    told = Answer(
        messages=[word("hello")],
        metadata=[("x-before", "1"), ("x-bin", b"\x00\xff")],
        trailers=[("x-after", "2"), ("x-after", "3")],
    )
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": told}) as backend,
        connected(backend.address) as connection,
    ):
        result = await connection.unary(SAY)(wire("hi"), [("x-a", "1"), ("x-a", "2"), ("b-bin", b"\xff")], 5)
    assert result.wire == wire("hello")
    assert [*result.metadata] == [
        ("x-before", "1"),
        ("x-bin", b"\x00\xff"),
        ("x-after", "2"),
        ("x-after", "3"),
    ]
    (call,) = backend.calls
    assert call.message.text == "hi"
    assert call.values("x-a") == ["1", "2"]
    assert call.values("b-bin") == [b"\xff"]
    assert call.timeout == pytest.approx(5, abs=0.5)
    assert str(call.values("user-agent")[0]).startswith("transcoder/")


async def test_nothing_is_connected_before_the_first_call() -> None:
    events = Events()
    async with RecordingBackend(SCHEMA) as backend, connected(backend.address, events) as connection:
        call = connection.unary(SAY)
        assert (connection.state, repr(connection)) == ("unused", "Connection('b', unused)")
        assert events.all == []
        await call(b"", (), 5)
        event = await events.wait_for("connected")
        assert event.fields == {"backend": "b", "address": backend.address}
        assert connection.state == "ready"
        assert [one.event for one in events.all] == ["creating channel", "connected"]
    assert len(backend.peers) == 1


async def test_one_connection_serves_every_call_and_method() -> None:
    async with RecordingBackend(SCHEMA) as backend, connected(backend.address) as connection:
        say, ask = connection.unary(SAY), connection.unary(ASK)
        await asyncio.gather(*(call(b"", (), 5) for _ in range(10) for call in (say, ask)))
        await connection.unary(SAY)(b"", (), 5)
        assert len(backend.calls) == 21
        assert len(backend.peers) == 1


async def test_connections_of_two_generations_are_their_own() -> None:
    async with (
        RecordingBackend(SCHEMA) as backend,
        connected(backend.address) as old,
        connected(backend.address) as new,
    ):
        for connection in (old, new):
            await connection.unary(SAY)(b"", (), 5)
        assert len(backend.peers) == 2


async def test_backend_that_is_down_is_said_once_and_its_return_too() -> None:
    events, reconnects = Events(), asyncio.Event()
    backend = RecordingBackend(SCHEMA, port=free_port())
    async with connected(backend.address, events, reconnects.set) as connection:
        call = connection.unary(SAY)
        for _ in range(3):
            error = await failed(call)
            assert error.kind is SERVICE_UNAVAILABLE
            assert error.message == "service unavailable"
            assert str(backend.port) in str(error.reason)
        await events.wait_for("backend unreachable")
        assert not reconnects.is_set()
        async with backend:
            await events.wait_for("connected")
            await asyncio.wait_for(reconnects.wait(), 5)
            await call(b"", (), 5)
            said = [(one.level, one.event) for one in events.all]
    assert said == [("info", "creating channel"), ("warning", "backend unreachable"), ("info", "connected")]


async def test_lost_connection_is_made_again_without_a_call() -> None:
    """Else an open circuit breaker, which lets no call pass, would not hear that the backend is back."""
    events, reconnects = Events(), asyncio.Event()
    async with (
        RecordingBackend(SCHEMA) as backend,
        connected(backend.address, events, reconnects.set) as connection,
    ):
        call = connection.unary(SAY)
        await call(b"", (), 5)
        await events.wait_for("connected")
        assert not reconnects.is_set()
        await backend.stop()
        await backend.start()
        await asyncio.wait_for(reconnects.wait(), 10)
        await call(b"", (), 5)
        assert len(backend.peers) == 2


async def test_abandoned_call_is_cancelled_at_the_backend() -> None:
    arrived = asyncio.Event()
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": hanging(arrived)}) as backend,
        connected(backend.address) as connection,
    ):
        waiting = asyncio.create_task(connection.unary(SAY)(b"", (), 60))
        await asyncio.wait_for(arrived.wait(), 5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(backend.calls[0].done.wait(), 5)
        assert backend.calls[0].cancelled


async def test_deadline() -> None:
    arrived = asyncio.Event()
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": hanging(arrived)}) as backend,
        connected(backend.address) as connection,
    ):
        error = await failed(connection.unary(SAY), within=0.2)
        assert (error.kind, error.message.lower()) == (TIMEOUT, "deadline exceeded")
        await asyncio.wait_for(backend.calls[0].done.wait(), 5)


@pytest.mark.parametrize("within", [0, -1.5])
async def test_expired_deadline_starts_no_call(within: float) -> None:
    events = Events()
    async with connected("127.0.0.1:1", events) as connection:
        error = await failed(connection.unary(SAY), within=within)
        assert (error.kind, error.message) == (TIMEOUT, "deadline exceeded")
        assert connection.state == "unused"
        assert events.all == []


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_every_status_is_mapped(code: grpc.StatusCode) -> None:
    told = failure(code, "what happened", details=[ErrorInfo(reason="WHY")])
    answer = Answer(
        code=code, text="what happened", metadata=[("x-a", "1")], trailers=[("x-t", "2"), *told.trailers]
    )
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": answer}) as backend,
        connected(backend.address) as connection,
    ):
        error = await failed(connection.unary(SAY))
    assert error.kind is kind_of_code(code.value[0])
    assert error.message == (error.kind.fixed_message or "what happened")
    assert error.reason == "what happened"
    assert Status.FromString(error.status_details).details[0].type_url.endswith("google.rpc.ErrorInfo")
    assert {("x-a", "1"), ("x-t", "2")} <= set(error.metadata)


async def test_status_without_a_message_gets_one() -> None:
    answer = Answer(code=grpc.StatusCode.NOT_FOUND)
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": answer}) as backend,
        connected(backend.address) as connection,
    ):
        error = await failed(connection.unary(SAY))
    assert (error.message, error.status_details) == ("not found", b"")


async def test_method_the_backend_does_not_have() -> None:
    async with RecordingBackend(SCHEMA) as backend, connected(backend.address) as connection:
        assert (await failed(connection.unary("/e.E/Shout"))).kind.name == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "metadata",
    [
        [("a", "é")],
        [("a", "\n")],
        [("A B", "x")],
        [("a", 1)],
        [("a-bin", "text")],
        [("a", "\ud800")],
        ["no pair"],
    ],
)
async def test_illegal_metadata_is_an_internal_error(metadata: Any) -> None:
    async with RecordingBackend(SCHEMA) as backend, connected(backend.address) as connection:
        error = await failed(connection.unary(SAY), metadata)
        assert (error.kind, error.message) == (INTERNAL_ERROR, "internal error")
        await connection.unary(SAY)(b"", (), 5)
        assert len(backend.calls) == 1


async def test_channel_closed_during_a_call_and_before_one() -> None:
    arrived = asyncio.Event()
    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": hanging(arrived)}) as backend,
        connected(backend.address) as connection,
    ):
        call = connection.unary(SAY)
        waiting = asyncio.create_task(failed(call, within=60))
        await asyncio.wait_for(arrived.wait(), 5)
        await connection.close(0)
        assert connection.state == "shutdown"
        for error in (await waiting, await failed(call)):
            assert error.kind is SERVICE_UNAVAILABLE
            assert error.reason == "the channel was closed"


async def test_channel_closed_before_a_stream_has_started() -> None:
    """The message waits for a connection then, and grpc does not say that there will be none."""
    arrived = asyncio.Event()
    async with mute_server(arrived) as address, connected(address) as connection:
        stream = connection.stream(SAY)((), 60)
        sending = asyncio.create_task(stream.send(wire("hi")))
        await asyncio.wait_for(arrived.wait(), 5)
        await connection.close(0)
        with pytest.raises(TranscodeError) as caught:
            await stream.receive()
        await asyncio.wait((sending,), timeout=5)
        assert sending.done()
    assert caught.value.reason == "the channel was closed"


async def test_close_lets_calls_finish_within_the_grace() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> Answer:
        arrived.set()
        await go.wait()
        return Answer(messages=[word("done")])

    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": slow}) as backend,
        connected(backend.address) as connection,
    ):
        waiting = asyncio.create_task(connection.unary(SAY)(b"", (), 60))
        await asyncio.wait_for(arrived.wait(), 5)
        closing = asyncio.create_task(connection.close(10))
        go.set()
        assert (await waiting).wire == wire("done")
        await closing


async def test_close_of_a_connection_nobody_used() -> None:
    async with connected("127.0.0.1:1") as connection:
        await connection.close(0)
    assert connection.state == "unused"


async def test_environment_proxy_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, nowhere)
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with RecordingBackend(SCHEMA) as backend, connected(f"localhost:{backend.port}") as connection:
        await connection.unary(SAY)(b"", (), 5)


async def test_messages_of_ten_mebibytes_pass_and_no_more() -> None:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    limit = 10 * 1024 * 1024
    fits, too_big = "x" * (limit - 16), "x" * limit

    async def echo(call: Call) -> Any:
        (request,) = [one async for one in call.requests()]
        return word(too_big) if request.text == "big" else request

    async with (
        RecordingBackend(SCHEMA, {"e.E/Say": echo}, options=options) as backend,
        connected(backend.address) as connection,
    ):
        call = connection.unary(SAY)
        assert (await call(wire(fits), (), 30)).wire == wire(fits)
        for request, kind in ((wire("big"), INTERNAL_ERROR), (wire(too_big), PAYLOAD_TOO_LARGE)):
            with pytest.raises(TranscodeError) as caught:
                await call(request, (), 30)
            assert caught.value.kind is kind
            assert "larger than max" in caught.value.reason
            assert "larger than max" not in caught.value.message


async def test_limit_of_the_configuration() -> None:
    async with (
        RecordingBackend(SCHEMA) as backend,
        connected(backend.address, max_message_size="1KiB") as connection,
    ):
        call = connection.unary(SAY)
        await call(wire("x" * 1000), (), 5)
        with pytest.raises(TranscodeError) as caught:
            await call(wire("x" * 1100), (), 5)
        assert (caught.value.kind, caught.value.message) == (PAYLOAD_TOO_LARGE, "request message too large")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server_credentials(
    authority: Authority, *, is_mutual: bool, name: str = "server"
) -> grpc.ServerCredentials:
    identity = authority.issue(name)
    pair = (identity.key.read_bytes(), identity.cert.read_bytes())
    root = authority.cert.read_bytes() if is_mutual else None
    return grpc.ssl_server_credentials([pair], root, require_client_auth=is_mutual)


async def test_tls(authority: Authority) -> None:
    credentials = server_credentials(authority, is_mutual=False)
    tls = {"ca": str(authority.cert)}
    async with (
        RecordingBackend(SCHEMA, credentials=credentials) as backend,
        connected(f"localhost:{backend.port}", tls=tls) as connection,
    ):
        assert (await connection.unary(SAY)(b"", (), 10)).wire == b""


async def test_tls_with_a_client_certificate(authority: Authority) -> None:
    client = authority.issue("client")
    tls = {"ca": str(authority.cert), "cert": str(client.cert), "key": str(client.key)}
    async with RecordingBackend(SCHEMA, credentials=server_credentials(authority, is_mutual=True)) as backend:
        async with connected(f"localhost:{backend.port}", tls=tls) as connection:
            assert (await connection.unary(SAY)(b"", (), 10)).wire == b""
        async with connected(f"localhost:{backend.port}", tls={"ca": tls["ca"]}) as connection:
            assert (await failed(connection.unary(SAY), within=10)).kind is SERVICE_UNAVAILABLE


async def test_other_authority_and_other_name_are_refused(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    credentials = server_credentials(authority, is_mutual=False)
    async with RecordingBackend(SCHEMA, credentials=credentials) as backend:
        for tls in (
            {"ca": str(other.cert)},
            {"ca": str(authority.cert), "server_name": "elsewhere.example"},
            None,
        ):
            async with connected(f"localhost:{backend.port}", tls=tls) as connection:
                assert (await failed(connection.unary(SAY), within=10)).kind is SERVICE_UNAVAILABLE
        assert backend.calls == []


async def test_expired_certificate_and_plaintext_are_refused(authority: Authority) -> None:
    expired = authority.issue("expired", valid_for=-datetime.timedelta(minutes=1))
    pair = (expired.key.read_bytes(), expired.cert.read_bytes())
    for credentials in (grpc.ssl_server_credentials([pair]), None):
        async with (
            RecordingBackend(SCHEMA, credentials=credentials) as backend,
            connected(f"localhost:{backend.port}", tls={"ca": str(authority.cert)}) as connection,
        ):
            assert (await failed(connection.unary(SAY), within=10)).kind is SERVICE_UNAVAILABLE
            assert backend.calls == []


async def test_server_name_of_a_certificate(authority: Authority) -> None:
    identity = authority.issue("elsewhere", hosts=("elsewhere.example",))
    pair = (identity.key.read_bytes(), identity.cert.read_bytes())
    tls = {"ca": str(authority.cert), "server_name": "elsewhere.example"}
    async with (
        RecordingBackend(SCHEMA, credentials=grpc.ssl_server_credentials([pair])) as backend,
        connected(backend.address, tls=tls) as connection,
    ):
        assert (await connection.unary(SAY)(b"", (), 10)).wire == b""


async def test_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    async with connected("127.0.0.1:1", tls={"ca": str(missing)}) as connection:
        error = await failed(connection.unary(SAY))
        assert (error.kind, error.message) == (SERVICE_UNAVAILABLE, "service unavailable")
        assert str(missing) in str(error.reason)


@pytest.mark.parametrize("status", ["99", "x", "-1", ""])
async def test_status_nobody_knows(status: str) -> None:
    async with hostile_server([], [("grpc-status", status)]) as address, connected(address) as connection:
        error = await failed(connection.unary(SAY))
    assert (error.kind.name, error.message) == ("INTERNAL_ERROR", "internal error")


@pytest.mark.parametrize(
    ("headers", "trailers"),
    [
        ([("x a", "1")], [("grpc-status", "0")]),
        ([("x\r\nb", "1")], [("grpc-status", "0")]),
        ([("a-bin", "***")], [("grpc-status", "0")]),
        ([("x", "y" * 100_000)], [("grpc-status", "0")]),
        ([], [("grpc-status", "5"), ("grpc-message", "x" * 1_000_000)]),
        ([], [("grpc-status", "5"), ("grpc-status-details-bin", "!!!!")]),
    ],
)
async def test_hostile_headers_are_an_error_of_ours(
    headers: list[tuple[str, str]], trailers: list[tuple[str, str]]
) -> None:
    async with hostile_server(headers, trailers) as address, connected(address) as connection:
        error = await failed(connection.unary(SAY))
    assert len(error.message) < 20_000


@pytest.mark.parametrize("size", [9_000, 15_000, 60_000])
async def test_long_message_and_details_are_read(size: int) -> None:
    """Every time: between its two limits grpc refuses by lot."""
    trailers: list[tuple[str, str | bytes]] = [("grpc-status", "5"), ("grpc-message", "x" * size)]
    async with hostile_server([], trailers) as address, connected(address) as connection:
        for _ in range(5):
            error = await failed(connection.unary(SAY))
            assert (error.kind.name, error.message) == ("NOT_FOUND", "x" * size)


@pytest.mark.parametrize("status", ["0", "5"])
@pytest.mark.parametrize("where", ["headers", "message", "many"])
async def test_metadata_that_is_too_large_is_no_lack_of_resources(where: str, status: str) -> None:
    """To grpc it is: clients would be told to come again later."""
    headers = {"headers": [("x", "y" * 100_000)], "many": [(f"x-{n}", "y" * 90) for n in range(1000)]}
    trailers = [("grpc-status", status), *([("grpc-message", "x" * 100_000)] if where == "message" else [])]
    async with (
        hostile_server(headers.get(where, []), trailers) as address,
        connected(address) as connection,
    ):
        unary = await failed(connection.unary(SAY))
        with pytest.raises(TranscodeError) as of_a_stream:
            await connection.stream(SAY)((), 5, b"").receive()
    for error in (unary, of_a_stream.value):
        assert (error.kind, error.message) == (INTERNAL_ERROR, "internal error")
        assert "metadata size exceeds" in error.reason


async def test_metadata_that_is_too_large_for_the_backend() -> None:
    """What it says would tell the client of metadata that is none of its business."""
    async with RecordingBackend(SCHEMA) as backend, connected(backend.address) as connection:
        error = await failed(connection.unary(SAY), [("x-secret", "y" * 20_000)])
    assert (error.kind, error.message) == (HEADERS_TOO_LARGE, "request metadata too large")


@pytest.mark.parametrize("text", ["quota used up", "metadata size", ""])
async def test_backend_without_resources(text: str) -> None:
    trailers = [("grpc-status", "8"), ("grpc-message", text)]
    async with hostile_server([], trailers) as address, connected(address) as connection:
        error = await failed(connection.unary(SAY))
    assert (error.kind, error.message) == (RESOURCE_EXHAUSTED, text or "resource exhausted")


async def test_message_of_any_bytes_is_text() -> None:
    trailers = [("grpc-status", "5"), ("grpc-message", b"a%0d%0ab%ff\xff")]
    async with hostile_server([], trailers) as address, connected(address) as connection:
        error = await failed(connection.unary(SAY))
    assert error.kind.name == "NOT_FOUND"
    assert error.message.startswith("a\r\nb")
    error.message.encode()


@pytest.mark.parametrize("error_code", range(14))
async def test_reset_says_nothing_of_the_transport(error_code: int) -> None:
    async with resetting_server(error_code) as address, connected(address) as connection:
        error = await failed(connection.unary(SAY))
    assert "stream" not in error.message.lower()
    assert "RST_STREAM" in error.reason


async def test_reset_at_the_deadline_is_a_timeout() -> None:
    """So grpc-go and grpc-java end calls whose deadline has passed, and their clock may be ahead."""
    async with resetting_server(CANCEL) as address, connected(address) as connection:
        with pytest.raises(TranscodeError) as at_the_deadline:
            await connection.unary(SAY)(b"", (), 0.09)
        with pytest.raises(TranscodeError) as long_before:
            await connection.unary(SAY)(b"", (), 60)
        with pytest.raises(TranscodeError) as of_a_stream:
            await connection.stream(SAY)((), 0.09, b"").receive()
    assert (at_the_deadline.value.kind, at_the_deadline.value.message) == (TIMEOUT, "deadline exceeded")
    assert long_before.value.kind is SERVICE_UNAVAILABLE, "no client has cancelled it, and no handler said so"
    assert of_a_stream.value.kind is TIMEOUT


@pytest.mark.parametrize(
    ("text", "headers", "trailers", "kind"),
    [
        ("CANCELLED", [], [], SERVICE_UNAVAILABLE),
        ("CANCELLED", [("x-a", "1")], [], CANCELLED),
        ("CANCELLED", [], [("x-a", "1")], CANCELLED),
        ("cancelled by its owner", [], [], CANCELLED),
        ("", [], [], CANCELLED),
    ],
)
async def test_only_a_handler_cancels_a_call(
    text: str, headers: list[tuple[str, str]], trailers: list[tuple[str, str]], kind: ErrorKind
) -> None:
    """A server that stops before it has begun a call says CANCELLED, and nothing else."""
    status = [("grpc-status", "1"), ("grpc-message", text)]
    async with hostile_server(headers, [*status, *trailers]) as address, connected(address) as connection:
        assert (await failed(connection.unary(SAY))).kind is kind
        stream = connection.stream(SAY)((), 5, b"")
        assert await stream.receive() == b""
        with pytest.raises(TranscodeError) as of_a_stream:
            await stream.receive()
    assert of_a_stream.value.kind is kind


async def test_half_close_of_a_stream_that_is_just_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """grpc raises something else than an RpcError then; what the call ended with is still to be had."""

    async def fail(_call: object) -> None:
        raise grpc.aio.InternalError("Failed grpc_call_start_batch")

    monkeypatch.setattr("grpc.aio._call.StreamStreamCall.done_writing", fail)
    replies = {"e.E/Say": failure(grpc.StatusCode.NOT_FOUND, "none")}
    async with RecordingBackend(SCHEMA, replies) as backend, connected(backend.address) as connection:
        stream = connection.stream(SAY)((), 1)
        await stream.close_send()
        with pytest.raises(TranscodeError) as caught:
            await stream.receive()
    assert caught.value.kind is TIMEOUT
