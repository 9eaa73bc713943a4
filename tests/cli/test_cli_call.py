"""call: JSON in, JSON out, for every streaming kind, and failures as grpcurl tells them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest

from tests.cli.conftest import SCHEMA, target_of
from tests.support.backend import Answer, Call, RecordingBackend, failure
from tests.support.node import NodeBackend
from transcoder.cli.call import call, documents
from transcoder.errors import Code, TranscodeError

Output = pytest.CaptureFixture[str]


def item(name: str, price: int = 0) -> Message:
    return SCHEMA.message("shop.v1.Item", id=name, price=price)


async def run(backend: RecordingBackend, method: str, data: str = "", seconds: float | None = None) -> int:
    return await call(target_of(backend.address), method, data, seconds)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \n", []),
        ("{}", ["{}"]),
        ('{"a": "}{"}\n{"b": [1, {}]}\n', ['{"a": "}{"}', '{"b": [1, {}]}']),
        ("{}{} {}", ["{}", "{}", "{}"]),
        ('1 "x" null', ["1", '"x"', "null"]),
        ("{} {nonsense} {}", ["{}", "{nonsense} {}"]),
        ("[" * 100_000, ["[" * 100_000]),
        ("9" * 5_000, ["9" * 5_000]),
    ],
)
def test_documents_stand_one_after_the_other(text: str, found: list[str]) -> None:
    assert list(documents(text)) == found


@pytest.mark.parametrize(
    "method", ["shop.v1.Shop/GetItem", "shop.v1.Shop.GetItem", "Shop/GetItem", "Shop.GetItem"]
)
async def test_a_unary_call(backend: RecordingBackend, capsys: Output, method: str) -> None:
    backend.replies["shop.v1.Shop/GetItem"] = item("7", 250)
    assert await run(backend, method, '{"id": "7"}') == 0
    assert capsys.readouterr() == ('{\n  "id": "7",\n  "price": 250\n}\n', "")
    assert backend.calls[0].message.id == "7"


async def test_without_data_an_empty_message_is_sent(backend: RecordingBackend, capsys: Output) -> None:
    assert await run(backend, "Shop/GetItem") == 0
    assert backend.calls[0].wire == [b""]
    assert capsys.readouterr().out == "{}\n"


async def test_metadata_and_timeout_reach_the_method(backend: RecordingBackend) -> None:
    target = target_of(backend.address, headers=["x-user-id: user-1", "x-user-id: user-2", "k-bin: AAE="])
    assert await call(target, "Shop/GetItem", "", 20) == 0
    assert backend.calls[0].values("x-user-id") == ["user-1", "user-2"]
    assert backend.calls[0].values("k-bin") == [b"\x00\x01"]
    timeout = backend.calls[0].timeout
    assert timeout is not None
    assert 10 < timeout < 21


async def test_there_is_no_deadline_unless_asked_for(backend: RecordingBackend) -> None:
    await run(backend, "Shop/GetItem")
    assert backend.calls[0].timeout is None


async def test_server_streaming_prints_a_document_per_message(
    backend: RecordingBackend, capsys: Output
) -> None:
    backend.replies["shop.v1.Shop/ListItems"] = [item("1"), item("2")]
    assert await run(backend, "Shop/ListItems") == 0
    assert capsys.readouterr().out == '{\n  "id": "1"\n}\n{\n  "id": "2"\n}\n'


async def test_client_streaming_sends_every_document(backend: RecordingBackend, capsys: Output) -> None:
    backend.replies["shop.v1.Shop/AddItems"] = item("sum", 3)
    assert await run(backend, "Shop/AddItems", '{"price": 1}\n{"price": 2}') == 0
    assert [message.price for message in backend.calls[0].messages] == [1, 2]
    assert json.loads(capsys.readouterr().out) == {"id": "sum", "price": 3}


async def test_a_client_stream_may_be_empty(backend: RecordingBackend) -> None:
    assert await run(backend, "Shop/AddItems") == 0
    assert backend.calls[0].wire == []


async def test_bidirectional_streaming(backend: RecordingBackend, capsys: Output) -> None:
    async def echo(call: Call) -> AsyncGenerator[Message, None]:
        async for message in call.requests():
            yield item(message.id * 2)

    backend.replies["shop.v1.Shop/Chat"] = echo
    assert await run(backend, "Shop/Chat", '{"id": "a"}{"id": "b"}') == 0
    assert capsys.readouterr().out == '{\n  "id": "aa"\n}\n{\n  "id": "bb"\n}\n'


async def test_data_from_a_file(backend: RecordingBackend, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"id": "ä"}', encoding="utf-8")
    assert await run(backend, "Shop/GetItem", f"@{tmp_path / 'data.json'}") == 0
    assert backend.calls[0].message.id == "ä"


async def test_data_from_stdin(backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": "7"}')))
    assert await run(backend, "Shop/GetItem", "@") == 0
    assert backend.calls[0].message.id == "7"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "malformed JSON: line 1 column 2"),
        ('{"id": 7}', "invalid value for string @ $.id"),
        ('{"ident": "7"}', "no field `ident` in shop.v1.GetItemRequest @ $"),
        ("[]", "invalid value for shop.v1.GetItemRequest @ $"),
        ('{"id": "\udcff"}', "malformed JSON: not UTF-8"),
    ],
)
async def test_bad_json_is_not_sent(backend: RecordingBackend, data: str, reason: str) -> None:
    with pytest.raises(TranscodeError) as error:
        await run(backend, "Shop/GetItem", data)
    assert error.value.reason == reason
    assert backend.calls == []


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("GetItem", "'GetItem' is no method: expected pkg.Service/Method"),
        ("Shop/GetItm", "service 'shop.v1.Shop' has no method 'GetItm'; there are: GetItem, ListItems, "),
        ("Till/Pay", "service name 'Till' is ambiguous: shop.v1.Till, stock.v1.Till"),
        ("Shp/GetItem", "no service 'Shp'; there are: "),
    ],
)
async def test_a_method_that_is_not_there(backend: RecordingBackend, method: str, message: str) -> None:
    with pytest.raises(click.ClickException) as error:
        await run(backend, method)
    assert error.value.message.startswith(message)


async def test_a_method_that_takes_one_message_is_sent_one(backend: RecordingBackend) -> None:
    with pytest.raises(click.ClickException) as error:
        await run(backend, "Shop/ListItems", "{} {}")
    assert error.value.message == "shop.v1.Shop/ListItems takes one message, not 2"


ERRORS = {
    "CANCELLED": "Cancelled",
    "INVALID_ARGUMENT": "InvalidArgument",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "NOT_FOUND": "NotFound",
    "DATA_LOSS": "DataLoss",
    "UNAVAILABLE": "Unavailable",
    "INTERNAL": "Internal",
    "UNAUTHENTICATED": "Unauthenticated",
}


@pytest.mark.parametrize("name", ERRORS)
async def test_a_failed_call_says_why_and_exits_with_its_code(
    backend: RecordingBackend, capsys: Output, name: str
) -> None:
    backend.replies["shop.v1.Shop/GetItem"] = failure(grpc.StatusCode[name], "so it\nis\x1b[2J")
    assert await run(backend, "Shop/GetItem") == 64 + Code[name]
    assert capsys.readouterr() == ("", f"ERROR:\n  Code: {ERRORS[name]}\n  Message: so it is\\x1b[2J\n")


async def test_details_of_a_failure_are_shown(backend: RecordingBackend, capsys: Output) -> None:
    violation = BadRequest.FieldViolation(field="id", description="too short")
    backend.replies["shop.v1.Shop/GetItem"] = failure(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no",
        details=[BadRequest(field_violations=[violation]), item("7")],
    )
    assert await run(backend, "Shop/GetItem") == 67
    *_, title, first, second = capsys.readouterr().err.splitlines()
    assert title == "  Details:"
    assert first.startswith('  1) {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": ')
    assert second == '  2) {"@type": "type.googleapis.com/shop.v1.Item", "id": "7"}'


async def test_what_came_before_a_failure_is_printed(backend: RecordingBackend, capsys: Output) -> None:
    backend.replies["shop.v1.Shop/ListItems"] = Answer(
        messages=[item("1")], code=grpc.StatusCode.ABORTED, text="enough"
    )
    assert await run(backend, "Shop/ListItems") == 74
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": "1"}
    assert err == "ERROR:\n  Code: Aborted\n  Message: enough\n"


async def test_a_call_that_takes_too_long(backend: RecordingBackend, capsys: Output) -> None:
    async def never(call: Call) -> Any:
        await call.done.wait()

    backend.replies["shop.v1.Shop/GetItem"] = never
    assert await run(backend, "Shop/GetItem", seconds=0.2) == 68
    assert capsys.readouterr().err.startswith("ERROR:\n  Code: DeadlineExceeded\n")


async def test_an_http_body_is_printed_as_it_is(
    backend: RecordingBackend, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    backend.replies["shop.v1.Shop/Photo"] = HttpBody(content_type="image/png", data=b"\x89PNG")
    assert await run(backend, "Shop/Photo") == 0
    assert capsysbinary.readouterr().out == b"\x89PNG"


@pytest.mark.parametrize("data", [b'{"a":', b"[1, 2]"])
async def test_an_http_body_of_json_is_printed_as_it_is(
    backend: RecordingBackend, capsysbinary: pytest.CaptureFixture[bytes], data: bytes
) -> None:
    backend.replies["shop.v1.Shop/Photo"] = HttpBody(content_type="application/json", data=data)
    assert await run(backend, "Shop/Photo") == 0
    assert capsysbinary.readouterr().out == data


async def test_an_answer_without_a_json_form(backend: RecordingBackend) -> None:
    backend.replies["shop.v1.Shop/Anything"] = AnyMessage(type_url="x/no.Such", value=b"\x01")
    with pytest.raises(click.ClickException, match=r"cannot print google\.protobuf\.Any"):
        await run(backend, "Shop/Anything")


async def test_another_implementation_of_grpc(node_backend: NodeBackend, capsys: Output) -> None:
    target = target_of(node_backend.address)
    assert await call(target, "Library/GetBook", '{"id": "b-1"}', None) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "b-1"
    assert await call(target, "Library/DeleteBook", '{"id": "1"}', None) > 64
    assert "  Details:\n  1) {" in capsys.readouterr().err
