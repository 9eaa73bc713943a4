"""What counts as one upload."""

from __future__ import annotations

from google.api.httpbody_pb2 import HttpBody
from google.rpc.context.attribute_context_pb2 import AttributeContext

from tests.conformance.uploads import joined


def test_parts_are_one_upload() -> None:
    parts = [HttpBody(content_type="a/b", data=b"1"), HttpBody(data=b"2"), HttpBody(data=b"3")]
    assert joined(parts) == [HttpBody(content_type="a/b", data=b"123")]
    assert parts[0].data == b"1"


def test_a_type_begins_another() -> None:
    parts = [HttpBody(content_type="a/b", data=b"1"), HttpBody(content_type="a/b", data=b"2")]
    assert joined(parts) == parts


def test_other_messages_stay_apart() -> None:
    messages = [AttributeContext.Peer(ip="1"), AttributeContext.Peer(ip="1")]
    assert joined(messages) == messages
