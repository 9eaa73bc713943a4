"""Compressed bodies, inflated piece by piece: a small one cannot become a large one unseen."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from transcoder.errors import INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, TranscodeError

PIECE: Final = 64 * 1024
"""Bytes that are inflated at a time."""

_WINDOW_BITS: Final = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""RFC 9110, section 8.4.1; what zlib calls the formats."""

_ACCEPTED: Final = ("accept-encoding", "gzip, deflate")


class Inflater:
    """Undoes one content coding."""

    def __init__(self, coding: str) -> None:
        """Raises TranscodeError (UNSUPPORTED_MEDIA_TYPE) for one that is not known, or for several."""
        bits = _WINDOW_BITS.get(coding)
        if bits is None:
            raise TranscodeError(
                UNSUPPORTED_MEDIA_TYPE,
                "content encoding: expected gzip, deflate or none",
                reason=f"content encoding {coding!r}",
                headers=[_ACCEPTED],
            )
        self._stream = zlib.decompressobj(bits)
        self._is_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes inflate to, in pieces. Raises TranscodeError (INVALID_ARGUMENT)."""
        self._is_begun = self._is_begun or bool(data)
        while True:
            try:
                piece = self._stream.decompress(data, PIECE)
            except zlib.error as error:
                raise _malformed(str(error)) from error
            if self._stream.unused_data:
                raise _malformed("bytes behind the end of the compressed body")
            yield piece
            if len(piece) < PIECE:
                return
            data = self._stream.unconsumed_tail

    def finish(self) -> None:
        """Nothing follows. Raises TranscodeError (INVALID_ARGUMENT) if something should."""
        if self._is_begun and not self._stream.eof:
            raise _malformed("the compressed body is cut off")


def _malformed(reason: str) -> TranscodeError:
    return TranscodeError(INVALID_ARGUMENT, "malformed body", reason=reason)
