"""Media types: which request bodies are JSON, and which texts are safe to send as a Content-Type."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from transcoder.codec.parsing.invalid import shown
from transcoder.errors import UNSUPPORTED_MEDIA_TYPE, TranscodeError

JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"

_MAX_LENGTH: Final = 256
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 9110, 8.3.1; every space has one place to go, so that no input makes the match backtrack for long.
_MEDIA_TYPE: Final = re.compile(
    rf"(?P<type>{_WORD}/{_WORD})[ \t]*(?:;[ \t]*(?:{_WORD}=(?:{_WORD}|\"[ !#-\[\]-~]*\")[ \t]*)?)*"
)
_CHARSET: Final = re.compile(rf";[ \t]*charset=\"?({_WORD})", re.IGNORECASE)


def is_media_type(text: str) -> bool:
    """True for a well-formed media type of reasonable length, parameters included."""
    return len(text) <= _MAX_LENGTH and _MEDIA_TYPE.fullmatch(text) is not None


def check_json_type(content_type: str) -> None:
    """Raise UNSUPPORTED_MEDIA_TYPE unless the header, if any, declares JSON in UTF-8."""
    if content_type and content_type != JSON and not _is_json(content_type):
        raise TranscodeError(
            UNSUPPORTED_MEDIA_TYPE, f"media type `{shown(content_type)}`: expected application/json"
        )


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    match = _MEDIA_TYPE.fullmatch(content_type) if len(content_type) <= _MAX_LENGTH else None
    if match is None:
        return False
    essence = match["type"].lower()
    charsets = _CHARSET.findall(content_type)
    return (essence == JSON or essence.endswith("+json")) and all(
        charset.lower() in {"utf-8", "utf8"} for charset in charsets
    )
