"""Backends that describe themselves endlessly, hugely, in circles or by evil names: it costs only them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

from tests.support.backend import REFLECTION_V1, Call, Handler, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

TWIN: Final = """
syntax = "proto3";
package twin.v1;
service Twins {{ rpc Get(Ask) returns (Twin); }}
message Ask {{ string name = 1; }}
message Twin {{ {} }}
"""
FIRST: Final = Schema.from_protos({"twin.proto": TWIN.format("string word = 1;")})
SECOND: Final = Schema.from_protos({"twin.proto": TWIN.format("repeated int32 numbers = 1;")})
GET: Final = "twin.v1.Twins/Get"

MEBIBYTE: Final = 1024 * 1024
NAMES: Final = (
    'evil\r\n{"event":"forged"}',
    "evil\x1b[31m",
    "<script>evil()</script>",
    "../../evil",
    "evil.\x00.evil",
    "evil" * 100_000,
    "",
    ".",
)
MOST_MEMORY: Final = 600 * MEBIBYTE
"""A third of what one of the backends here would send if it were let."""


def scripted(services: Sequence[str], answer: Callable[[str], Response]) -> Handler:
    """A reflection service that answers every symbol and file name with a function."""

    async def serve(call: Call) -> AsyncGenerator[Response, None]:
        async for request in call.requests():
            if request.HasField("list_services"):
                yield Response(list_services_response={"service": [{"name": name} for name in services]})
            else:
                yield answer(request.file_containing_symbol or request.file_by_filename)

    return serve


def sending(*files: FileDescriptorProto) -> Response:
    data = [file.SerializeToString() for file in files]
    return Response(file_descriptor_response={"file_descriptor_proto": data})


def one_more(name: str) -> Response:
    """A file that imports two, and a hundred others beside it; there is no end of it."""
    imports = [f"{name}a", f"{name}b"]
    others = (FileDescriptorProto(name=f"{name}{n}") for n in range(100))
    return sending(FileDescriptorProto(name=name, dependency=imports), *others)


def megabytes_of_file(name: str) -> Response:
    return sending(FileDescriptorProto(name=name, package="x" * (8 * MEBIBYTE)))


def megabytes_of_refusal(_name: str) -> Response:
    return Response(error_response={"error_code": 5, "error_message": "evil\r\n" + "x" * (8 * MEBIBYTE)})


def circle(name: str) -> Response:
    other = {"a.proto": "b.proto"}.get(name, "a.proto")
    file = FileDescriptorProto(name=name, dependency=[other, name], message_type=[{"name": "M"}])
    file.service.add(name="S").method.add(name="Get", input_type=".M", output_type=".M")
    return sending(file)


def named(name: str) -> Response:
    file = FileDescriptorProto(name=name, package=name, dependency=["/etc/passwd", "evil\n"])
    file.service.add(name=name).method.add(name=name, input_type=name, output_type=name)
    return sending(file)


MANY: Final = [f"s{n}.S" for n in range(200)]
HOSTILE: Final = {
    "endless": scripted(["s.S"], one_more),
    "huge": scripted(MANY, megabytes_of_file),
    "refusing": scripted(MANY, megabytes_of_refusal),
    "circle": scripted(["a.proto"], circle),
    "names": scripted(NAMES, named),
    "crowded": scripted([f"s{n}.S" for n in range(100_000)], one_more),
}


def route(service: str) -> dict[str, Any]:
    return {
        "name": service,
        "path": f"/{service}/{{name}}",
        "method": "GET",
        "service": service,
        "grpc_service": "Twins",
        "grpc_method": "Get",
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """A gateway before two honest backends that share all their names, and the hostile ones."""
    backends = {
        "first": RecordingBackend(FIRST, {GET: FIRST.message("twin.v1.Twin", word="a")}),
        "second": RecordingBackend(SECOND, {GET: SECOND.message("twin.v1.Twin", numbers=[1, 2])}),
        **{
            name: RecordingBackend(FIRST, {REFLECTION_V1: told}, reflection=[REFLECTION_V1])
            for name, told in HOSTILE.items()
        },
    }
    async with AsyncExitStack() as stack:
        for backend in backends.values():
            await stack.enter_async_context(backend)
        config = {
            "services": {
                name: {
                    "address": backend.address,
                    "expose": ["annotations", "methods"] if name in HOSTILE else [],
                }
                for name, backend in backends.items()
            },
            "routes": [route("first"), route("second")],
        }
        directory = tmp_path_factory.mktemp("reflection")
        yield await stack.enter_async_context(running_gateway(config, directory))


async def service(gateway: RunningGateway, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = (await gateway.admin.get(f"/services/{name}")).json()
    return shown


def peak_memory(pid: int) -> int:
    """Bytes of memory a process has had at most."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def test_two_backends_with_one_file_name_do_not_meet(gateway: RunningGateway) -> None:
    for _ in range(2):
        assert (await gateway.client.get("/first/a")).json() == {"word": "a"}
        assert (await gateway.client.get("/second/a")).json() == {"numbers": [1, 2]}
    first, second = await service(gateway, "first"), await service(gateway, "second")
    assert first["fingerprint"] != second["fingerprint"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("endless", "more than 10000 files"),
        ("huge", "bytes"),
        ("refusing", "bytes"),
        ("crowded", "more than 5000 services"),
    ],
)
async def test_too_much_is_refused_with_its_reason(gateway: RunningGateway, name: str, limit: str) -> None:
    assert (await gateway.admin.post(f"/services/{name}/refresh")).status_code == 503
    shown = await service(gateway, name)
    assert shown["fingerprint"] is None
    assert limit in shown["last_error"]


@pytest.mark.parametrize("name", ["circle", "names"])
async def test_what_makes_no_sense_is_left_out(gateway: RunningGateway, name: str) -> None:
    shown = await service(gateway, name)
    assert (shown["last_error"], shown["methods"]) == (None, 0)
    assert shown["problems"]


async def test_memory_is_bounded(gateway: RunningGateway) -> None:
    for name in HOSTILE:
        await gateway.admin.post(f"/services/{name}/refresh")
    assert peak_memory(gateway.process.pid) < MOST_MEMORY


async def test_log_and_admin_are_bounded(gateway: RunningGateway) -> None:
    for name in HOSTILE:
        assert len(json.dumps(await service(gateway, name))) < 100_000
    assert (await gateway.client.get("/first/a")).status_code == 200
    lines = gateway.process.stderr
    assert "forged" not in {json.loads(line)["event"] for line in lines}
    assert not [line for line in lines if "\x1b" in line or "\r" in line]
    assert max(map(len, lines)) < 10_000
