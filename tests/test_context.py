"""What a request carries."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.requests import request
from transcoder.context import metadata_text


def test_header_is_the_first_of_its_name() -> None:
    ctx = request(headers=[("a", "1"), ("b", "2"), ("b", "3"), ("c", "")])
    assert [ctx.header(name) for name in ("a", "b", "c", "d")] == ["1", "2", "", None]


@pytest.mark.parametrize("text", ["", "plain", "a b", "!~", "a/b:c?d&e", "x" * 1000])
def test_plain_text_goes_as_it_is(text: str) -> None:
    assert metadata_text(text) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("é", "%C3%A9"),
        ("%41", "%2541"),
        (" a", "%20a"),
        ("a ", "a%20"),
        ("a\r\nb", "a%0D%0Ab"),
        ("\x7f", "%7F"),
        ("é b/!", "%C3%A9%20b/!"),
        ("\udcff", "%FF"),
    ],
)
def test_other_text_is_percent_encoded(text: str, sent: str) -> None:
    assert metadata_text(text) == sent


@given(st.text())
def test_every_text_can_be_read_back(text: str) -> None:
    sent = metadata_text(text)
    assert sent.isascii()
    assert sent.isprintable()
    assert sent == sent.strip()
    assert unquote(sent) == text
