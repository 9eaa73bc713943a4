"""Percent-encoding in paths (RFC 3986 section 2.1); `+` is itself here, unlike in a query."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_MALFORMED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH: Final = re.compile(r"(%2[Ff])")


def decode(text: str) -> str:
    """The text without its escapes. Raises ValueError if one is malformed or the bytes are not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    if _MALFORMED.search(text):
        raise ValueError("has a malformed percent-escape")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError("is not UTF-8") from None


def decode_all_but_slash(text: str) -> str:
    """The same, but every `%2F` and `%2f` stays as it is: a slash of the result always separates segments."""
    parts = _SLASH.split(text)
    parts[::2] = map(decode, parts[::2])
    return "".join(parts)
