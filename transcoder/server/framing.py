"""Where the body of a request ends (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from transcoder.errors import INVALID_ARGUMENT, TranscodeError

MAX_LINE: Final = 4 * 1024
"""Bytes of a line between chunks: a size with extensions, or a trailer."""

MAX_IGNORED: Final = 16 * 1024
"""Bytes of chunk extensions and trailers of one body; nobody reads them."""

_CRLF: Final = b"\r\n"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;" + _TEXT + rb")?)")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:" + _TEXT)


class Framing(Protocol):
    """Finds the bytes of one body among those that arrive.

    is_done: whether all of it came; rest: what came behind it.
    """

    is_done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """Take what came; returns what of it is the body. Raises TranscodeError (INVALID_ARGUMENT)."""


class Sized:
    """A body whose length is known."""

    __slots__ = ("_left", "is_done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """See Framing."""
        body = data[: self._left]
        self.rest = data[len(body) :]
        self._left -= len(body)
        self.is_done = not self._left
        return body


_Step = Callable[["Chunked", bytes, int], tuple[bytes, int] | None]
"""`(decoder, data, position)` -> bytes of the body and the position behind; None if more must come first."""


class Chunked:
    """A body in chunks."""

    __slots__ = ("_ignored", "_left", "_step", "is_done", "rest")

    def __init__(self) -> None:
        self._left = 0
        self._ignored = 0
        self._step: _Step = Chunked._size
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """See Framing."""
        data = self.rest + data
        parts: list[bytes] = []
        position = 0
        while not self.is_done and (step := self._step(self, data, position)) is not None:
            part, position = step
            parts.append(part)
        self.rest = data[position:]
        return b"".join(parts)

    def _size(self, data: bytes, start: int) -> tuple[bytes, int] | None:
        line = _line(data, start)
        if line is None:
            return None
        size = _SIZE.fullmatch(line)
        if size is None:
            raise _malformed("chunk size")
        self._ignore(size[2])
        self._left = int(size[1], 16)
        self._step = Chunked._data if self._left else Chunked._trailer
        return b"", start + len(line) + len(_CRLF)

    def _data(self, data: bytes, start: int) -> tuple[bytes, int] | None:
        part = data[start : start + self._left]
        if not part:
            return None
        self._left -= len(part)
        if not self._left:
            self._step = Chunked._end
        return part, start + len(part)

    def _end(self, data: bytes, start: int) -> tuple[bytes, int] | None:
        end = data[start : start + len(_CRLF)]
        if not _CRLF.startswith(end):
            raise _malformed("no line break behind a chunk")
        if end != _CRLF:
            return None
        self._step = Chunked._size
        return b"", start + len(_CRLF)

    def _trailer(self, data: bytes, start: int) -> tuple[bytes, int] | None:
        line = _line(data, start)
        if line is None:
            return None
        if line and _TRAILER.fullmatch(line) is None:
            raise _malformed("trailer")
        self._ignore(line)
        self.is_done = not line
        return b"", start + len(line) + len(_CRLF)

    def _ignore(self, text: bytes) -> None:
        self._ignored += len(text)
        if self._ignored > MAX_IGNORED:
            raise _malformed("too many chunk extensions or trailers")


def _line(data: bytes, start: int) -> bytes | None:
    """The line that starts there, without its end, if that has come."""
    end = data.find(_CRLF, start)
    line = data[start:] if end < 0 else data[start:end]
    if len(line) > MAX_LINE or b"\n" in line:
        raise _malformed("line between chunks")
    return None if end < 0 else line


def _malformed(reason: str) -> TranscodeError:
    return TranscodeError(INVALID_ARGUMENT, "malformed body", reason=reason)
