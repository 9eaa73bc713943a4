"""What each worked case expects, of the backend's side and of the client's."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.conformance.cases import Case, Rule, read_cases
from tests.conformance.descriptors import SOUND
from tests.conformance.site import Site
from tests.conformance.uploads import joined
from tests.support.backend import Call
from transcoder.errors import kind_of_code

pytestmark = pytest.mark.asyncio(loop_scope="package")

FIXED_MESSAGES: Final = {"status-14", "status-15"}
"""Backend errors whose message is to be seen by clients, which they do in google's format of errors only."""

ROUNDING: Final = 0.05
"""Seconds by which the deadline on the wire may lie above the one that was asked for."""


def cases(name: str) -> list[Any]:
    """The cases of a file."""
    return [
        pytest.param(_in_googles_format(case) if case.id in FIXED_MESSAGES else case, id=case.id)
        for case in read_cases(name)
    ]


def _in_googles_format(case: Case) -> Case:
    return replace(case, tags={**case.tags, "options": "google"})


@pytest.mark.parametrize("case", [*cases("transcoding_cases.jsonl"), *cases("own_cases.jsonl")])
async def test_case(site: Site, case: Case) -> None:
    answer = await site.ask(case)
    calls = site.calls(case)
    if case.is_rejected:
        assert answer.status_code == 404
        await check_siblings(site, case)
        return
    check_calls(site, case, calls)
    check_answer(case, answer)


async def check_siblings(site: Site, case: Case) -> None:
    """The rejected rule is reported, and its sibling served."""
    table = (await site.gateway(case).admin.get("/routes")).json()
    method = f"{case.service}/{case.method_name(0)}"
    assert not [
        route for route in table["routes"] if route["method"] == method and route["origin"] == "annotations"
    ]
    template = case.placed(Rule.from_text(case.rules[0]).template)
    assert [one for one in table["problems"] if method in one and template in one]
    assert (await site.ask(case, SOUND)).status_code == 200


def check_calls(site: Site, case: Case, calls: list[Call]) -> None:
    """What the backend was asked: once, by the right method, with the right message; or nothing."""
    if is_refused(case):
        assert calls == []
        return
    expected = case.expect_http
    if "upstream_deadline_s_max" in expected:
        for call in calls:
            assert call.timeout is not None
            assert call.timeout <= expected["upstream_deadline_s_max"] + ROUNDING
        return
    (call,) = calls
    if case.expect_rule is not None:
        assert call.method == f"{case.service}/{case.method_name(case.rules.index(case.expect_rule))}"
    if case.expect_grpc is not None:
        wanted = case.expect_grpc if isinstance(case.expect_grpc, list) else [case.expect_grpc]
        expected_messages = [site.parse(case, one) for one in wanted]
        assert [comparable(one) for one in joined(call.messages)] == [
            comparable(one) for one in joined(expected_messages)
        ]


def is_refused(case: Case) -> bool:
    """Whether the gateway answers by itself."""
    status = case.expect_http.get("status", 200)
    is_error = status >= 400 or 404 in case.expect_http.get("status_one_of", ())
    return case.is_down or (is_error and not case.upstream.keys() & {"error", "delay_s"})


def comparable(message: Message) -> tuple[type[Message], bytes]:
    """Equal for equal messages, NaN included; the paths of a FieldMask are a set."""
    copy = type(message).FromString(message.SerializeToString())
    _sort_masks(copy)
    return type(copy), copy.SerializeToString(deterministic=True)


def _sort_masks(message: Any) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.FieldMask":
        message.paths.sort()
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                _sort_masks(one)


def check_answer(case: Case, answer: httpx.Response) -> None:
    """Status, headers and body of the answer."""
    expected = case.expect_http
    assert answer.status_code in expected.get("status_one_of", [expected.get("status", 200)]), answer.text
    check_headers(expected.get("headers", {}), answer)
    if answer.status_code >= 400:
        check_error(case, answer)
        return
    if "body" in expected:
        assert exact(answer.json()) == exact(expected["body"])
    if "body_contains" in expected:
        assert expected["body_contains"].items() <= answer.json().items()
    if "body_text" in expected:
        assert answer.text == expected["body_text"]
    if "body_b64" in expected:
        assert answer.content == base64.b64decode(expected["body_b64"])
    if "ndjson" in expected:
        lines = [json.loads(line) for line in answer.text.split("\n") if line]
        assert exact(lines) == exact(expected["ndjson"])


def exact(value: Any) -> str:
    """JSON text that is equal for equal values only: 1 is 1.0, but to Python it is True, too."""
    return json.dumps(json.loads(json.dumps(value), parse_float=_number), sort_keys=True)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def check_headers(expected: Mapping[str, Any], answer: httpx.Response) -> None:
    """Headers as expected; `absent` lists names that must not be there."""
    for name, value in expected.items():
        if name == "absent":
            assert not answer.headers.keys() & set(value)
        else:
            assert answer.headers.get(name) == value


def check_error(case: Case, answer: httpx.Response) -> None:
    """The error says what the case asks for, in the shape the gateway was told to use."""
    wanted = {
        **case.upstream.get("error", {}),
        **case.expect_http.get("body", {}),
        **case.expect_http.get("body_contains", {}),
    }
    body = answer.json()
    error = body if case.options else body["error"]
    if not case.options:
        assert error["request_id"] == answer.headers["x-request-id"]
    if "code" in wanted:
        assert error["code"] in (kind_of_code(wanted["code"]).name, wanted["code"])
    assert error["message"]
    if "message" in wanted:
        assert error["message"] == wanted["message"]
    assert error.get("details", []) == wanted.get("details", [])
