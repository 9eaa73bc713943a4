"""How a stream of messages is written over HTTP, chosen by what the client accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEEP_ALIVE_SECONDS: Final = 15.0
"""Silence after which a client is told that the stream is still there, where the format has a way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """A format of streams. All but the content type is put around JSON documents without line breaks.

    opening, separator, closing: of the whole; prefix, suffix: of each message; error_prefix: of the error
    that ends the stream, None for formats that cannot say it and are cut instead; keep_alive: in silence.
    """

    content_type: str
    opening: bytes = b""
    separator: bytes = b""
    closing: bytes = b""
    prefix: bytes = b""
    suffix: bytes = b""
    error_prefix: bytes | None = b""
    keep_alive: bytes = b""

    def message(self, document: bytes, *, is_first: bool) -> bytes:
        """What is written for a message."""
        return b"".join((self.opening if is_first else self.separator, self.prefix, document, self.suffix))

    def error(self, document: bytes, *, is_first: bool) -> bytes:
        """What is written for the error that ends a stream."""
        lead = self.opening if is_first else self.separator
        return b"".join((lead, self.error_prefix or b"", document, self.suffix, self.closing))

    def end(self, *, is_empty: bool) -> bytes:
        """What is written after the last message of a stream that ends well."""
        return self.opening + self.closing if is_empty else self.closing


NDJSON: Final = Framing(content_type="application/x-ndjson", suffix=b"\n")
ARRAY: Final = Framing(content_type="application/json", opening=b"[", separator=b",", closing=b"]")
EVENTS: Final = Framing(
    content_type="text/event-stream",
    prefix=b"data: ",
    suffix=b"\n\n",
    error_prefix=b"event: error\ndata: ",
    keep_alive=b": keep-alive\n\n",
)

_BY_TYPE: Final = {
    "text/event-stream": EVENTS,
    "application/json": ARRAY,
    "application/x-ndjson": NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
}


def raw(content_type: str) -> Framing:
    """Bytes one after the other, as google.api.HttpBody messages hold them."""
    return Framing(content_type=content_type, error_prefix=None)


def choose_framing(accept: str) -> Framing:
    """The format the Accept header prefers among those there are; NDJSON if it names none of them.

    Of equal weights the first counts (RFC 9110, section 12.5.1, leaves that open).
    """
    best, weight = NDJSON, 0.0
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        framing = _BY_TYPE.get(name)
        if framing is not None and (quality := _quality(parameters)) > weight:
            best, weight = framing, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
