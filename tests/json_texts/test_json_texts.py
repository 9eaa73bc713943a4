"""JSONTestSuite against a gateway on a socket, with bodies of any JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.protos import Schema

from .suite import not_utf8, texts

PROTO: Final = """
syntax = "proto3";
package echo.v1;
import "google/protobuf/struct.proto";
service Echo {
  rpc Object(google.protobuf.Struct) returns (google.protobuf.Struct);
  rpc Any(google.protobuf.Value) returns (google.protobuf.Value);
  rpc Last(stream google.protobuf.Value) returns (google.protobuf.Value);
}
"""

TEXTS: Final = texts()
VALID: Final = sorted(name for name in TEXTS if name.startswith("y_"))
INVALID: Final = sorted(name for name in TEXTS if name.startswith("n_"))
NOT_UTF8: Final = not_utf8()

DUPLICATE_KEYS: Final = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
"""JSON as RFC 8259 has it, but not as ProtoJSON does: a field may be there once."""

NO_BODY: Final = "n_structure_no_data"
"""No text, but to HTTP no body, which is an empty message."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def echo(call: Call) -> Any:
    """The last message, or a null."""
    messages = [message async for message in call.requests()]
    return messages[-1] if messages else call.request_type(null_value=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    schema = Schema.from_protos(PROTO)
    methods = [f"echo.v1.Echo/{name}" for name in ("Object", "Any", "Last")]
    async with RecordingBackend(schema, dict.fromkeys(methods, echo)) as backend:
        config = {"services": {"echo": {"address": backend.address, "expose": ["methods"]}}}
        async with running_gateway(config, tmp_path_factory.mktemp("json")) as gateway:
            yield gateway.client


async def post(client: httpx.AsyncClient, method: str, text: bytes) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return await client.post(f"/echo.v1.Echo/{method}", content=text, headers=headers)


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "INVALID_ARGUMENT"


def as_doubles(text: bytes) -> Any:
    """What google.protobuf.Value can hold of a text."""
    return json.loads(text, parse_int=float)


async def test_the_suite_is_all_there() -> None:
    assert (len(TEXTS), len(VALID), len(INVALID), len(NOT_UTF8)) == (340, 95, 188, 28)


@pytest.mark.parametrize("name", VALID)
async def test_valid(client: httpx.AsyncClient, name: str) -> None:
    answer = await post(client, "Any", TEXTS[name])
    if name in DUPLICATE_KEYS:
        assert_refused(answer)
    else:
        assert answer.status_code == 200, answer.text
        assert as_doubles(answer.content) == as_doubles(TEXTS[name])


@pytest.mark.parametrize("name", VALID)
async def test_valid_but_only_objects_will_do(client: httpx.AsyncClient, name: str) -> None:
    answer = await post(client, "Object", TEXTS[name])
    if TEXTS[name].lstrip().startswith(b"{") and name not in DUPLICATE_KEYS:
        assert as_doubles(answer.content) == as_doubles(TEXTS[name])
    else:
        assert_refused(answer)


@pytest.mark.parametrize("method", ["Any", "Object"])
@pytest.mark.parametrize("name", INVALID)
async def test_invalid(client: httpx.AsyncClient, name: str, method: str) -> None:
    answer = await post(client, method, TEXTS[name])
    if name == NO_BODY:
        assert (answer.status_code, answer.json()) == (200, None if method == "Any" else {})
    else:
        assert_refused(answer)


@pytest.mark.parametrize("method", ["Any", "Object", "Last"])
@pytest.mark.parametrize("name", sorted(NOT_UTF8))
async def test_not_utf8(client: httpx.AsyncClient, name: str, method: str) -> None:
    assert_refused(await post(client, method, NOT_UTF8[name]))


@pytest.mark.parametrize("method", ["Any", "Object", "Last"])
@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {*VALID, *INVALID}))
async def test_left_to_the_parser(client: httpx.AsyncClient, name: str, method: str) -> None:
    answer = await post(client, method, TEXTS[name])
    if answer.status_code != 200:
        assert_refused(answer)


@pytest.mark.parametrize("name", [*VALID, *INVALID])
async def test_as_a_stream_of_documents(client: httpx.AsyncClient, name: str) -> None:
    """One document after the other, and the elements of an array: `[][]` and `1 2` are fine here."""
    answer = await post(client, "Last", TEXTS[name])
    if answer.status_code != 200:
        assert_refused(answer)
