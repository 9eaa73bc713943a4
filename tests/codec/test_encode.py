"""Whole requests: bodies, precedence, media types, raw bodies, update masks, required fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from transcoder.codec import BindingError, Codec, JsonOptions
from transcoder.errors import INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, TranscodeError
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, expected, message

JSON = "application/json"


class Requests:
    """Sends one request after the other through freshly compiled encoders."""

    def __init__(self, codec: Codec, shapes: Shapes) -> None:
        self.codec = codec
        self.shapes = shapes

    def __call__(
        self,
        name: str = EVERYTHING,
        *,
        rule: str | None,
        body: bytes | str = b"",
        content_type: str = JSON,
        path: Sequence[tuple[str | None, str]] = (),
        query: str = "",
        http_method: str = "POST",
    ) -> Any:
        fields = [field for field, _ in path]
        encode = self.codec.request_encoder(name, http_method=http_method, body=rule, path_fields=fields)
        raw = body.encode() if isinstance(body, str) else body
        return message(self.shapes, name, encode(raw, content_type, [value for _, value in path], query))

    def expected(self, value: Any, name: str = EVERYTHING) -> Any:
        return expected(self.shapes, name, value)

    def refused(self, *args: Any, **kwargs: Any) -> TranscodeError:
        with pytest.raises(TranscodeError) as caught:
            self(*args, **kwargs)
        return caught.value


@pytest.fixture
def requests(codec: Codec, shapes: Shapes) -> Requests:
    return Requests(codec, shapes)


def test_without_a_body_rule_the_body_is_not_looked_at(requests: Requests) -> None:
    got = requests(rule=None, body=b"\xff not JSON", content_type="text/plain", query="a_bool=true")
    assert got == requests.expected({"aBool": True})


def test_the_whole_body_is_the_message_and_the_query_is_not_used(requests: Requests) -> None:
    got = requests(rule="*", body='{"aString": "b", "aBool": true}', query="an_int32=1&address=bad")
    assert got == requests.expected({"aString": "b", "aBool": True})


def test_path_goes_over_body_goes_over_query(requests: Requests) -> None:
    got = requests(rule="*", body='{"aString": "body", "anInt32": 7}', path=[("a_string", "path")])
    assert got == requests.expected({"aString": "path", "anInt32": 7})
    got = requests(
        rule="address",
        body='{"city": "body", "zipCode": 1}',
        path=[("address.city", "path")],
        query="address.zip_code=2&address=bad&a_bool=true",
    )
    assert got == requests.expected({"address": {"city": "path", "zipCode": 1}, "aBool": True})


@pytest.mark.parametrize(
    ("field", "zero"),
    [("an_int32", "0"), ("a_string", ""), ("a_bool", "false"), ("size", "0"), ("a_double", "0")],
)
def test_a_zero_in_the_path_overrides_the_body(requests: Requests, field: str, zero: str) -> None:
    full = '{"an_int32": 1, "a_string": "x", "a_bool": true, "size": 1, "a_double": 1}'
    got = requests(rule="*", body=full, path=[(field, zero)])
    assert not getattr(got, field)


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"rule": "*", "body": '{"right": 1}', "path": [("left", "p")]}, "@ $.right"),
        ({"rule": "*", "body": '{"right": 1}', "path": [("middle.city", "p")]}, "@ $.right"),
        (
            {"rule": "*", "body": '{"itself": {"right": 1}}', "path": [("itself.left", "p")]},
            "@ $.itself.right",
        ),
        ({"rule": "itself", "body": '{"right": 1}', "path": [("itself.left", "p")]}, "@ $.right"),
        ({"rule": "right", "body": "1", "query": "left=q"}, "in query and body"),
        (
            {"rule": "middle", "body": '{"city": "b"}', "query": "left=q", "http_method": "PATCH"},
            "in query and body",
        ),
    ],
)
def test_two_members_of_a_oneof_are_refused(requests: Requests, sent: dict[str, Any], problem: str) -> None:
    error = requests.refused(**sent)
    assert (error.kind, error.message) == (
        INVALID_ARGUMENT,
        f"more than one field of oneof `choice` {problem}",
    )


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"rule": "*", "body": '{"left": "b"}', "path": [("left", "p")]}, {"left": "p"}),
        ({"rule": "*", "body": '{"right": null}', "path": [("left", "p")]}, {"left": "p"}),
        (
            {"rule": "*", "body": '{"itself": null}', "path": [("itself.left", "p")]},
            {"itself": {"left": "p"}},
        ),
        (
            {"rule": "*", "body": '{"itself": {"right": 1}}', "path": [("left", "p")]},
            {"left": "p", "itself": {"right": 1}},
        ),
        (
            {"rule": "itself", "body": '{"right": 1}', "path": [("left", "p")]},
            {"left": "p", "itself": {"right": 1}},
        ),
        ({"rule": "itself", "body": "null", "path": [("itself.left", "p")]}, {"itself": {"left": "p"}}),
        ({"rule": "right", "query": "left=q"}, {"left": "q"}),
        ({"rule": "middle", "body": '{"city": "b"}', "query": "left_out=q"}, {"middle": {"city": "b"}}),
    ],
)
def test_one_member_of_a_oneof_may_come_twice_or_from_anywhere(
    requests: Requests, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert requests(**sent) == requests.expected(expected)


def test_a_body_cannot_be_the_other_member_of_a_oneof_than_the_path(codec: Codec) -> None:
    with pytest.raises(BindingError, match=r"^body `right`: more than one field of oneof `choice`$"):
        codec.request_encoder(EVERYTHING, http_method="POST", body="right", path_fields=["left"])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("a_string", '"x"'),
        ("aString", '"x"'),
        ("an_int64", '"5"'),
        ("size", '"SMALL"'),
        ("address", '{"city": "Bern"}'),
        ("addresses", '[{"city": "Bern"}, {}]'),
        ("tags", '["a", "b"]'),
        ("numbers", "[1, 2]"),
        ("labels", '{"a": "b"}'),
        ("meta", '{"a": null}'),
        ("value", "true"),
        ("value", "null"),
        ("value", '{"a": null}'),
        ("list", '["x", 3]'),
        ("at", '"1970-01-01T00:00:01Z"'),
        ("string_value", '"x"'),
        ("any", '{"@type": "x/kitchen.Address", "city": "Bern"}'),
        ("null_value", "null"),
        ("left", '"x"'),
    ],
)
def test_the_body_can_be_a_field_of_any_kind(requests: Requests, field: str, text: str) -> None:
    got = requests(rule=field, body=text, query="a_bool=true")
    assert got == requests.expected({field: json.loads(text), "aBool": True})


def test_the_body_can_be_a_nested_field(requests: Requests) -> None:
    got = requests(
        rule="itself.address", body='{"city": "Bern"}', query="itself.a_bool=true&itself.address=x"
    )
    assert got == requests.expected({"itself": {"address": {"city": "Bern"}, "aBool": True}})


@pytest.mark.parametrize("field", ["a_string", "address", "addresses", "labels", "meta", "list"])
def test_a_null_body_is_an_unset_field(requests: Requests, field: str) -> None:
    assert requests(rule=field, body="null") == requests.expected({})


@pytest.mark.parametrize("rule", ["*", "address", "numbers"])
@pytest.mark.parametrize("content_type", ["", JSON, "text/plain"])
def test_an_empty_body_sets_nothing(requests: Requests, rule: str, content_type: str) -> None:
    assert requests(rule=rule, content_type=content_type) == requests.expected({})


@pytest.mark.parametrize(
    ("rule", "body", "problem"),
    [
        ("*", "[]", "invalid value for kitchen.Everything @ $"),
        ("*", "null", "invalid value for kitchen.Everything @ $"),
        ("*", '{"address": {"zipCode": "x"}}', "invalid value for int32 @ $.address.zipCode"),
        ("address", '{"zipCode": "x"}', "invalid value for int32 @ $.zipCode"),
        ("addresses", '[{}, {"zipCode": "x"}]', "invalid value for int32 @ $[1].zipCode"),
        ("an_int32", '"x"', "invalid value for int32 @ $"),
        ("numbers", "1", "expected an array @ $"),
        ("labels", "[]", "expected an object @ $"),
        ("*", "{", "malformed JSON: line 1 column 2"),
        ("*", " ", "malformed JSON: line 1 column 2"),
    ],
)
def test_errors_say_where(requests: Requests, rule: str, body: str, problem: str) -> None:
    error = requests.refused(rule=rule, body=body)
    assert (error.kind, error.message) == (INVALID_ARGUMENT, problem)


@pytest.mark.parametrize("rule", ["nope", "address.nope", "tags.x", "addresses.city", ""])
def test_a_body_rule_that_names_no_field(codec: Codec, rule: str) -> None:
    with pytest.raises(BindingError, match=f"body `{rule}`: .* in kitchen"):
        codec.request_encoder(EVERYTHING, http_method="POST", body=rule, path_fields=[])


@pytest.mark.parametrize("rule", [None, "*", "x"])
def test_an_unknown_request_message_is_a_key_error(codec: Codec, rule: str | None) -> None:
    with pytest.raises(KeyError):
        codec.request_encoder("no.Such", http_method="POST", body=rule, path_fields=[])


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ;",
        "application/merge-patch+json",
        "application/vnd.api+json; version=1",
    ],
)
def test_json_media_types(requests: Requests, content_type: str) -> None:
    got = requests(rule="*", body='{"aBool": true}', content_type=content_type)
    assert got == requests.expected({"aBool": True})


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json, text/plain",
        "application/json; " + "x" * 300,
        "application/json" + "; " * 200,
        "é",
        "\ud800",
        "application/json\r\n",
    ],
)
@pytest.mark.parametrize("rule", ["*", "address"])
def test_other_media_types(requests: Requests, content_type: str, rule: str) -> None:
    error = requests.refused(rule=rule, body="{}", content_type=content_type)
    assert error.kind is UNSUPPORTED_MEDIA_TYPE
    assert error.message.startswith("media type `")
    assert error.message.endswith("`: expected application/json")
    assert len(error.message.encode()) < 250


RAW = b"\x89PNG\xff\x00{"


def test_an_http_body_takes_the_bytes_as_they_are(requests: Requests) -> None:
    got = requests("google.api.HttpBody", rule="*", body=RAW, content_type="image/png; name=x")
    assert (got.content_type, got.data) == ("image/png; name=x", RAW)
    got = requests(
        "kitchen.Upload",
        rule="file",
        body=RAW,
        content_type="text/csv",
        path=[("name", "report")],
        query="file=x&file.content_type=y&folder.path=p",
    )
    assert (got.name, got.file.content_type, got.file.data, got.folder.path) == (
        "report",
        "text/csv",
        RAW,
        "p",
    )
    got = requests("kitchen.Upload", rule="folder.file", body=RAW, content_type="")
    assert (got.folder.file.content_type, got.folder.file.data) == ("", RAW)


def test_an_empty_upload_keeps_its_type(requests: Requests) -> None:
    assert requests("kitchen.Upload", rule="file", content_type="text/csv").file.content_type == "text/csv"
    assert not requests("kitchen.Upload", rule="file", content_type="").HasField("file")


def test_a_malformed_type_of_an_http_body(requests: Requests) -> None:
    error = requests.refused("kitchen.Upload", rule="file", body=RAW, content_type="text/x\r\nx: y")
    assert error.kind is INVALID_ARGUMENT
    assert error.message == "header content-type: `text/x\r\nx: y` is no media type"


def test_an_http_body_inside_json_is_a_message(requests: Requests) -> None:
    value = {"file": {"contentType": "text/plain", "data": "eA=="}}
    got = requests("kitchen.Upload", rule="*", body=json.dumps(value))
    assert got == requests.expected(value, "kitchen.Upload")


MASKS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"aString": "x"}, ["a_string"]),
    ({"a_string": "x", "anInt32": 0}, ["a_string", "an_int32"]),
    ({"aString": None, "address": None}, ["a_string", "address"]),
    ({"address": {}}, ["address"]),
    ({"address": {"city": "x", "zipCode": None}}, ["address.city", "address.zip_code"]),
    (
        {"itself": {"itself": {"aBool": True}, "address": {"city": "x"}}},
        ["itself.itself.a_bool", "itself.address.city"],
    ),
    (
        {"tags": ["a"], "addresses": [{"city": "x"}], "labels": {"a": "b"}, "byNumber": {}},
        ["tags", "addresses", "labels", "by_number"],
    ),
    ({"at": "1970-01-01T00:00:00Z", "stringValue": "x", "empty": {}}, ["at", "string_value", "empty"]),
    ({"any": {"@type": "x/kitchen.Address", "city": "Bern"}}, ["any"]),
    ({"meta": {"a": {"b": 1, "c": {}}, "d": [1]}}, ["meta.a.b", "meta.a.c", "meta.d"]),
    ({"value": {"a": 1}, "list": [1]}, ["value.a", "list"]),
    ({"meta": {}, "value": 1}, ["meta", "value"]),
    ({'a "custom" name': "x"}, ["custom"]),
]


@pytest.mark.parametrize(("body", "paths"), MASKS)
def test_a_patch_fills_in_the_mask(requests: Requests, body: dict[str, Any], paths: list[str]) -> None:
    got = requests("kitchen.Update", rule="thing", body=json.dumps(body), http_method="PATCH")
    assert list(got.update_mask.paths) == paths
    assert not got.HasField("read_mask")
    assert got.thing == requests.expected(body)


def test_the_only_mask_is_filled_in_whatever_its_name(requests: Requests) -> None:
    got = requests("kitchen.OnlyMask", rule="thing", body='{"aBool": true}', http_method="PATCH")
    assert list(got.changed.paths) == ["a_bool"]
    got = requests("kitchen.TwoMasks", rule="thing", body='{"aBool": true}', http_method="PATCH")
    assert [got.HasField(name) for name in ("one", "other")] == [False, False]


@pytest.mark.parametrize(
    "query", ["updateMask=aString", "update_mask=a_string", "update_mask.paths=a_string"]
)
def test_a_mask_of_the_query_is_left_alone(requests: Requests, query: str) -> None:
    got = requests("kitchen.Update", rule="thing", body='{"aBool": true}', query=query, http_method="PATCH")
    assert list(got.update_mask.paths) == ["a_string"]


def test_a_mask_of_the_path_is_left_alone(requests: Requests) -> None:
    got = requests(
        "kitchen.Update",
        rule="thing",
        body='{"aBool": true}',
        path=[("update_mask", "a")],
        http_method="PATCH",
    )
    assert list(got.update_mask.paths) == ["a"]


@pytest.mark.parametrize("http_method", ["PUT", "POST"])
def test_only_patch_fills_in_a_mask(requests: Requests, http_method: str) -> None:
    got = requests("kitchen.Update", rule="thing", body='{"aBool": true}', http_method=http_method)
    assert not got.HasField("update_mask")


def test_no_mask_without_a_body_of_fields(requests: Requests) -> None:
    whole = '{"thing": {"aBool": true}}'
    for rule, body in (
        ("*", whole),
        ("thing", ""),
        ("thing", "null"),
        ("thing.meta", '{"a": 1}'),
        ("thing.tags", "[]"),
    ):
        got = requests("kitchen.Update", rule=rule, body=body, http_method="PATCH")
        assert not got.HasField("update_mask")


def test_paths_are_bound_on_top_of_a_patch(requests: Requests) -> None:
    got = requests(
        "kitchen.Update",
        rule="thing",
        body='{"aBool": true}',
        path=[("thing.a_string", "id")],
        http_method="PATCH",
    )
    assert (got.thing.a_string, list(got.update_mask.paths)) == ("id", ["a_bool"])


def test_a_patch_checks_its_body_as_others_do(requests: Requests) -> None:
    error = requests.refused("kitchen.Update", rule="thing", body="[1]", http_method="PATCH")
    assert error.message == "invalid value for kitchen.Everything @ $"
    error = requests.refused(
        "kitchen.Update", rule="thing", body="{}", content_type="a/b", http_method="PATCH"
    )
    assert error.kind is UNSUPPORTED_MEDIA_TYPE


def test_an_ignored_key_is_not_in_the_mask(shapes: Shapes) -> None:
    requests = Requests(Codec(shapes, JsonOptions(unknown_fields="ignore")), shapes)
    got = requests(
        "kitchen.Update", rule="thing", body='{"nope": {"a": 1}, "aBool": true}', http_method="PATCH"
    )
    assert list(got.update_mask.paths) == ["a_bool"]


def test_an_ignored_name_is_not_in_the_mask(shapes: Shapes) -> None:
    """The backend would clear the field for a value it never got."""
    requests = Requests(Codec(shapes, JsonOptions(unknown_fields="ignore")), shapes)
    got = requests(
        "kitchen.Update", rule="thing", body='{"size": "HUGE", "aBool": true}', http_method="PATCH"
    )
    assert list(got.update_mask.paths) == ["a_bool"]


def test_required_fields_may_come_from_anywhere(requests: Requests) -> None:
    for request in (
        {"rule": "*", "body": '{"id": "1"}'},
        {"rule": None, "query": "id=1"},
        {"rule": "level", "body": '"LOW"', "path": [("id", "1")]},
    ):
        assert requests("legacy.Record", **request).id == "1"


@pytest.mark.parametrize(
    ("name", "body", "missing"),
    [
        ("legacy.Record", "{}", "id"),
        ("legacy.Record", "", "id"),
        ("legacy.Holder", '{"record": {"count": 1}}', "record.id"),
        ("legacy.Holder", '{"records": [{"id": "1"}, {}]}', "records[1].id"),
        ("legacy.Holder", '{"holder": {"record": {}}}', "holder.record.id"),
    ],
)
def test_a_missing_required_field_is_named(requests: Requests, name: str, body: str, missing: str) -> None:
    error = requests.refused(name, rule="*", body=body)
    assert (error.kind, error.message) == (INVALID_ARGUMENT, f"missing required field: {missing}")


def test_a_message_with_only_optional_ways_to_a_required_field(requests: Requests) -> None:
    assert requests("legacy.Holder", rule="*", body='{"name": "x"}').name == "x"


def test_a_request_too_deep_to_be_checked(requests: Requests) -> None:
    body = '{"records": [], "holder":' * 99 + "{}" + "}" * 99
    assert requests("legacy.Holder", rule="*", body=body).HasField("holder")
    query = "holder." * 31 + "name=x"
    error = requests.refused(
        "legacy.Holder", rule="holder." * 20 + "holder", body='{"holder":' * 95 + "{}" + "}" * 95, query=query
    )
    assert (error.kind, error.message) == (INVALID_ARGUMENT, "request is nested too deeply")
