"""One-off calls of any kind: what they send, what they raise, what they leave behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from tests.support.backend import Call, RecordingBackend, failure
from tests.support.protos import Schema
from transcoder.backend.channel import channel_options, open_channel
from transcoder.backend.client import open_client
from transcoder.config.model import ServiceConfig
from transcoder.errors import NOT_FOUND, SERVICE_UNAVAILABLE, TranscodeError

SCHEMA = Schema.from_protos("""
    syntax = "proto3";
    package a;
    message M { int32 n = 1; }
    service S { rpc Go(stream M) returns (stream M); }
""")


def config(backend: RecordingBackend) -> ServiceConfig:
    return ServiceConfig(address=backend.address)


async def test_messages_go_out_and_come_back() -> None:
    replies = {"a.S/Go": [SCHEMA.message("a.M", n=1), SCHEMA.message("a.M", n=2)]}
    async with (
        RecordingBackend(SCHEMA, replies) as backend,
        open_client(config(backend), [("k", "v")]) as client,
    ):
        received = [wire async for wire in client.call("/a.S/Go", [b"\x08\x07", b""], None)]
    assert received == [b"\x08\x01", b"\x08\x02"]
    assert backend.calls[0].wire == [b"\x08\x07", b""]
    assert backend.calls[0].values("k") == ["v"]


async def test_the_schema_is_read_with_the_metadata() -> None:
    async with RecordingBackend(SCHEMA) as backend, open_client(config(backend), [("k", "v")]) as client:
        schema = await client.schema()
    assert [method.full_name for method in schema.methods()] == ["a.S/Go"]
    assert backend.reflection_calls[0].values("k") == ["v"]


async def test_a_silent_server_is_not_pinged_more_often_than_it_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[ServiceConfig] = []

    def note(config: ServiceConfig) -> grpc.aio.Channel:
        opened.append(config)
        return open_channel(config)

    monkeypatch.setattr("transcoder.backend.client.open_channel", note)
    async with open_client(ServiceConfig(address="127.0.0.1:1")):
        pass
    (used,) = opened
    assert dict(channel_options(used))["grpc.keepalive_time_ms"] >= 5 * 60 * 1000


async def test_a_failure_is_mapped_with_what_it_says() -> None:
    replies = {"a.S/Go": failure(grpc.StatusCode.NOT_FOUND, "no such thing")}
    async with RecordingBackend(SCHEMA, replies) as backend, open_client(config(backend)) as client:
        with pytest.raises(TranscodeError) as error:
            await anext(client.call("/a.S/Go", [], None))
    assert (error.value.kind, error.value.message) == (NOT_FOUND, "no such thing")


@pytest.mark.parametrize("metadatum", [("k", "\u20ac"), ("k", 5), ("K", "v")])
async def test_metadata_grpc_refuses_is_mapped(metadatum: Any) -> None:
    async with RecordingBackend(SCHEMA) as backend, open_client(config(backend), [metadatum]) as client:
        with pytest.raises(TranscodeError) as error:
            await anext(client.call("/a.S/Go", [], None))
    assert error.value.kind.http >= 500
    assert backend.calls == []


async def never(call: Call) -> list[object]:
    await call.done.wait()
    return []


async def test_leaving_early_cancels_the_call() -> None:
    async def one_then_never(call: Call):  # type: ignore[no-untyped-def]
        yield SCHEMA.message("a.M")
        await call.done.wait()

    async with (
        RecordingBackend(SCHEMA, {"a.S/Go": one_then_never}) as backend,
        open_client(config(backend)) as client,
    ):
        async with aclosing(client.call("/a.S/Go", [], None)) as responses:
            await anext(responses)
        async with asyncio.timeout(5):
            await backend.calls[0].done.wait()
    assert backend.calls[0].cancelled


async def test_being_cancelled_cancels_the_call() -> None:
    async with RecordingBackend(SCHEMA, {"a.S/Go": never}) as backend, open_client(config(backend)) as client:
        task = asyncio.ensure_future(anext(client.call("/a.S/Go", [], None)))
        (call,) = await backend.wait_for_calls()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await call.done.wait()


async def test_a_channel_closed_during_a_call_is_no_cancellation() -> None:
    async with RecordingBackend(SCHEMA, {"a.S/Go": never}) as backend:
        async with open_client(config(backend)) as client:
            task = asyncio.ensure_future(anext(client.call("/a.S/Go", [], None)))
            await backend.wait_for_calls()
        with pytest.raises(TranscodeError) as error:
            await task
    assert error.value.kind is SERVICE_UNAVAILABLE
