"""What every backend has beside its service: reflection in both versions, health, a port of its own."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor_database import DescriptorDatabase
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from transcoder.demo.backends import running
from transcoder.demo.serving import Backend

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


async def reflect(channel: grpc.aio.Channel, version: str, **request: str) -> ServerReflectionResponse:
    call = channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    (response,) = [answer async for answer in call([ServerReflectionRequest(**request)], timeout=10)]
    return response


@pytest.mark.parametrize("version", [V1, V1ALPHA])
async def test_reflection_lists_and_describes_every_service(backends: list[Backend], version: str) -> None:
    for backend in backends:
        async with grpc.aio.insecure_channel(backend.address) as channel:
            listed = await reflect(channel, version, list_services="*")
            names = [service.name for service in listed.list_services_response.service]
            assert names == sorted([backend.service.name, "grpc.health.v1.Health", V1, V1ALPHA])

            files = DescriptorDatabase()
            for name in names:
                described = await reflect(channel, version, file_containing_symbol=name)
                for wire in described.file_descriptor_response.file_descriptor_proto:
                    files.Add(FileDescriptorProto.FromString(wire))
                assert DescriptorPool(files).FindServiceByName(name).methods


async def test_reflection_knows_no_other_symbol(backends: list[Backend]) -> None:
    async with grpc.aio.insecure_channel(backends[0].address) as channel:
        answer = await reflect(channel, V1, file_containing_symbol="no.such.Service")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_health(backends: list[Backend]) -> None:
    for backend in backends:
        async with grpc.aio.insecure_channel(backend.address) as channel:
            for service in ("", backend.service.name):
                answer = await HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=10)
                assert answer.status == HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await HealthStub(channel).Check(HealthCheckRequest(service="no.such.Service"), timeout=10)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_backends_are_in_the_order_of_their_ports(backends: list[Backend]) -> None:
    assert [backend.service.backend for backend in backends] == [
        "user-service",
        "order-service",
        "position-service",
        "market-data-service",
        "wallet-service",
    ]
    assert len({backend.address for backend in backends}) == 5


async def test_a_taken_port_is_an_error_that_leaves_nothing_behind(backends: list[Backend]) -> None:
    async with running(ports=[0] * 5) as others:
        first = others[0].address
    taken = backends[1].address
    ports = [int(address.rpartition(":")[2]) for address in (first, taken)]

    with pytest.raises(OSError, match=f"cannot listen on {taken} for order-service"):
        async with running(ports=[*ports, 0, 0, 0]):
            pass

    async with running(ports=[ports[0], 0, 0, 0, 0]) as again:
        assert again[0].address == first


async def test_an_address_that_grpc_alone_refuses_is_the_same_error() -> None:
    with pytest.raises(OSError, match="cannot listen on :0 for user-service"):
        async with running(host="", ports=[0] * 5):
            pass


async def test_stopping_ends_an_open_stream() -> None:
    async with running(ports=[0] * 5) as backends:
        channel = grpc.aio.insecure_channel(backends[3].address)
        method = "/marketdata.v1.MarketDataService/StreamQuotes"
        quotes = aiter(channel.unary_stream(method)(b"\n\x04AAPL", timeout=30))
        await anext(quotes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [quote async for quote in quotes]
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await channel.close()
