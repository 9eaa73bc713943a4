"""Bodies of many documents, in whatever pieces they arrive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.codec.documents import DocumentSplitter
from transcoder.errors import PAYLOAD_TOO_LARGE, TranscodeError


def split(pieces: Sequence[bytes], max_size: int = 1000) -> list[bytes]:
    splitter = DocumentSplitter(max_size)
    found = [document for piece in pieces for document in splitter.feed(piece)]
    return [*found, *splitter.finish()]


def bytewise(text: bytes) -> list[bytes]:
    return [text[i : i + 1] for i in range(len(text))]


@pytest.mark.parametrize(
    ("body", "documents"),
    [
        (b"", []),
        (b" \r\n\t", []),
        (b'{"a": 1}', [b'{"a": 1}']),
        (b'{"a": 1}\n{"a": 2}\n', [b'{"a": 1}', b'{"a": 2}']),
        (b'{"a": 1}{"a": [2]}', [b'{"a": 1}', b'{"a": [2]}']),
        (b"[]", []),
        (b" [ ] ", []),
        (b'[{"a": [1, {}]}, {"a": 2}]', [b'{"a": [1, {}]}', b'{"a": 2}']),
        (b'["a", 1, null, [2], "]"]', [b'"a"', b"1", b"null", b"[2]", b'"]"']),
        (b'1 2\n"a"true', [b"1", b"2", b'"a"', b"true"]),
        (b'{"a": "\\"}{"}{"b": "\\\\"}', [b'{"a": "\\"}{"}', b'{"b": "\\\\"}']),
        ('{"a": "é\u2028"}'.encode(), ['{"a": "é\u2028"}'.encode()]),
    ],
)
def test_documents_are_found(body: bytes, documents: list[bytes]) -> None:
    assert split([body]) == documents
    assert split(bytewise(body)) == documents


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a": 1', "unexpected end"),
        (b'"a', "unexpected end"),
        (b"[", "unexpected end, expected an element or `]`"),
        (b"[{}", "unexpected end, expected `,` or `]`"),
        (b"[{},", "unexpected end, expected an element"),
        (b"[,]", "expected an element or `]`"),
        (b"[{},]", "expected an element"),
        (b"[{} {}]", "expected `,` or `]`"),
        (b"[{}] {}", "expected nothing after `]`"),
        (b"{},{}", "expected another JSON document"),
        (b"}", "expected a JSON document"),
    ],
)
def test_what_is_no_sequence_is_refused(body: bytes, problem: str) -> None:
    for pieces in ([body], bytewise(body)):
        with pytest.raises(TranscodeError) as caught:
            split(pieces)
        assert caught.value.message == f"malformed JSON: {problem}"


def test_a_document_is_given_as_soon_as_it_ends() -> None:
    splitter = DocumentSplitter(100)
    assert list(splitter.feed(b'[{"a": 1}')) == [b'{"a": 1}']
    assert list(splitter.feed(b', {"a"')) == []
    assert list(splitter.feed(b": 2}, {")) == [b'{"a": 2}']


def test_one_document_is_bounded_and_not_all_of_them() -> None:
    assert len(split([b'{"a": 1}\n'] * 100, max_size=20)) == 100
    assert len(split([b'{"a": 1}\n' * 100], max_size=20)) == 100
    with pytest.raises(TranscodeError) as caught:
        split([b'{"a": "', b"x" * 20], max_size=20)
    assert caught.value.kind is PAYLOAD_TOO_LARGE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@given(st.lists(json_values), st.booleans(), st.data())
def test_any_values_in_any_pieces(values: list[Any], in_array: bool, data: st.DataObject) -> None:
    if not in_array and values and isinstance(values[0], list):
        values = values[1:] if not any(isinstance(value, list) for value in values[1:]) else []
    body = (json.dumps(values) if in_array else "\n".join(map(json.dumps, values))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)))))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert [json.loads(document) for document in split(pieces, max_size=1 << 20)] == values


marks = st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"1", b" "])


@given(st.lists(st.binary(max_size=20) | marks))
def test_any_bytes_give_documents_or_a_refusal(pieces: list[bytes]) -> None:
    with suppress(TranscodeError):
        assert all(len(document) <= 50 + 20 for document in split(pieces, max_size=50))
