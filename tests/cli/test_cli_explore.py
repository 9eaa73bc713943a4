"""list, describe and descriptors against a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import click
import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2

from tests.cli.conftest import target_of
from tests.support.backend import REFLECTION_V1, Answer, Call, RecordingBackend, failure
from tests.support.node import NodeBackend
from tests.support.protos import Schema
from transcoder.cli.explore import describe, list_names, save_descriptors
from transcoder.errors import TranscodeError

Output = pytest.CaptureFixture[str]


async def test_services_are_listed_in_order(backend: RecordingBackend, capsys: Output) -> None:
    await list_names(target_of(backend.address), None)
    assert capsys.readouterr() == ("shop.v1.Shop\nshop.v1.Till\nstock.v1.Till\n", "")


@pytest.mark.parametrize("name", ["shop.v1.Shop", "Shop", ".shop.v1.Shop"])
async def test_methods_of_a_service_are_listed_as_declared(
    backend: RecordingBackend, capsys: Output, name: str
) -> None:
    await list_names(target_of(backend.address), name)
    methods = ["GetItem", "ListItems", "AddItems", "Chat", "Photo", "Anything"]
    assert capsys.readouterr().out.splitlines() == [f"shop.v1.Shop/{method}" for method in methods]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Shp", "no service 'Shp'; there are: shop.v1.Shop, shop.v1.Till, stock.v1.Till"),
        ("Till", "service name 'Till' is ambiguous: shop.v1.Till, stock.v1.Till"),
    ],
)
async def test_a_service_that_is_not_there(backend: RecordingBackend, name: str, message: str) -> None:
    with pytest.raises(click.ClickException, match=message):
        await list_names(target_of(backend.address), name)


async def test_what_cannot_be_described_is_said_beside_the_rest(
    backend: RecordingBackend, capsys: Output
) -> None:
    async def forgetful(call: Call) -> AsyncGenerator[Message, None]:
        async for request in call.requests():
            name = request.file_containing_symbol
            if request.HasField("list_services"):
                yield reflection_pb2.ServerReflectionResponse(list_services_response=services)
            elif name in files:
                found = reflection_pb2.FileDescriptorResponse(file_descriptor_proto=files[name])
                yield reflection_pb2.ServerReflectionResponse(file_descriptor_response=found)
            else:
                yield unknown

    names = [reflection_pb2.ServiceResponse(name=name) for name in ("stock.v1.Till", "stock.v1.Ghost")]
    services = reflection_pb2.ListServiceResponse(service=names)
    files = {"stock.v1.Till": [backend.schema.files.file[-1].SerializeToString()]}
    unknown = reflection_pb2.ServerReflectionResponse(
        error_response=reflection_pb2.ErrorResponse(error_code=5, error_message="never heard of it")
    )
    backend.replies[REFLECTION_V1] = forgetful
    await list_names(target_of(backend.address), None)
    out, err = capsys.readouterr()
    assert out == "stock.v1.Till\n"
    assert err == "transcoder: service 'stock.v1.Ghost' left out: never heard of it\n"


SYMBOLS = {
    "shop.v1.Till": (
        "// shop.v1.Till in shop/shop.proto\n"
        "service Till {\n"
        "  rpc Pay(shop.v1.GetItemRequest) returns (shop.v1.Item);\n"
        "}\n"
    ),
    "shop.v1.Item": (
        "// shop.v1.Item in shop/shop.proto\nmessage Item {\n  string id = 1;\n  int32 price = 2;\n}\n"
    ),
    "shop.v1.Size": (
        "// shop.v1.Size in shop/shop.proto\nenum Size {\n  SIZE_UNSPECIFIED = 0;\n  LARGE = 1;\n}\n"
    ),
    "shop.v1.Shop/Chat": (
        "// shop.v1.Shop.Chat in shop/shop.proto\n"
        "rpc Chat(stream shop.v1.Item) returns (stream shop.v1.Item);\n"
    ),
    "google.protobuf.Any": (
        "// google.protobuf.Any in google/protobuf/any.proto\n"
        "message Any {\n  string type_url = 1;\n  bytes value = 2;\n}\n"
    ),
}


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_a_symbol_is_shown_as_it_is_declared(
    backend: RecordingBackend, capsys: Output, symbol: str
) -> None:
    await describe(target_of(backend.address), symbol)
    assert capsys.readouterr() == (SYMBOLS[symbol], "")


@pytest.mark.parametrize("symbol", ["shop.v1.Shop.Chat", "Shop/Chat", "Shop.Chat", ".shop.v1.Shop.Chat"])
async def test_a_method_has_several_spellings(backend: RecordingBackend, capsys: Output, symbol: str) -> None:
    await describe(target_of(backend.address), symbol)
    assert capsys.readouterr().out == SYMBOLS["shop.v1.Shop/Chat"]


@pytest.mark.parametrize("symbol", ["Nothing", "Till", "Till/Pay", "Shop/Nope", "shop.v1", ""])
async def test_an_unknown_symbol(backend: RecordingBackend, symbol: str) -> None:
    with pytest.raises(click.ClickException) as error:
        await describe(target_of(backend.address), symbol)
    assert error.value.message == f"the server has no service, method, message or enum {symbol!r}"


async def test_a_service_of_another_implementation(node_backend: NodeBackend, capsys: Output) -> None:
    await describe(target_of(node_backend.address), "Library/ListBooks")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "rpc ListBooks(library.v1.ListBooksRequest) returns (stream library.v1.Book);"
    ]


async def test_descriptors_are_saved_with_all_they_import(backend: RecordingBackend, tmp_path: Path) -> None:
    await save_descriptors(target_of(backend.address), tmp_path / "set.binpb")
    saved = FileDescriptorSet.FromString((tmp_path / "set.binpb").read_bytes())
    assert Schema.from_files(saved).services() == ["shop.v1.Shop", "shop.v1.Till", "stock.v1.Till"]


async def test_descriptors_go_to_stdout(
    backend: RecordingBackend, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    await save_descriptors(target_of(backend.address), Path("-"))
    saved = FileDescriptorSet.FromString(capsysbinary.readouterr().out)
    assert {"shop/shop.proto", "stock/stock.proto"} < {file.name for file in saved.file}


async def test_a_server_without_reflection(backend: RecordingBackend) -> None:
    await backend.stop()
    backend.reflection = ()
    await backend.start()
    with pytest.raises(TranscodeError) as error:
        await list_names(target_of(backend.address), None)
    assert "UNIMPLEMENTED" in error.value.reason


async def test_metadata_goes_with_reflection(backend: RecordingBackend) -> None:
    await list_names(target_of(backend.address, headers=["Authorization: Bearer x"]), None)
    assert backend.reflection_calls[0].values("authorization") == ["Bearer x"]


async def test_reflection_that_is_refused(backend: RecordingBackend) -> None:
    async def refuse(_call: Call) -> Answer:
        return failure(grpc.StatusCode.PERMISSION_DENIED, "not for you")

    backend.replies[REFLECTION_V1] = refuse
    with pytest.raises(TranscodeError) as error:
        await list_names(target_of(backend.address), None)
    assert error.value.reason == "reflection: v1: PERMISSION_DENIED not for you"
