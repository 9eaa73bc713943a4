"""A body of many JSON documents, cut into them while it arrives.

Either the elements of one array, or values one after the other: NDJSON, or with nothing in between. Only
where documents begin and end is looked at here; whether they are JSON is for their reader to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from transcoder.errors import INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, TranscodeError

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_BRACKET_OR_QUOTE: Final = re.compile(rb'["{}\[\]]')
_QUOTE_OR_ESCAPE: Final = re.compile(rb'["\\]')
_AFTER_WORD: Final = re.compile(rb'[ \t\r\n,"{}\[\]]')


class _Next(Enum):
    """What may come between documents."""

    FIRST = "a JSON document"
    DOCUMENT = "another JSON document"
    ELEMENT = "an element"
    ELEMENT_OR_END = "an element or `]`"
    COMMA_OR_END = "`,` or `]`"
    NOTHING = "nothing after `]`"


class DocumentSplitter:
    """Takes bytes and gives documents. max_size: bytes of one document."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer = bytearray()
        self._position = 0
        self._next = _Next.FIRST
        self._start: int | None = None
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The documents these bytes complete. Raises TranscodeError (INVALID_ARGUMENT, PAYLOAD_TOO_LARGE)."""
        self._buffer += data
        while self._start is not None or self._begin():
            end = self._end()
            if end is None:
                break
            yield self._cut(end)
        kept = self._start if self._start is not None else min(self._position, len(self._buffer))
        if len(self._buffer) - kept > self._max_size:
            raise TranscodeError(PAYLOAD_TOO_LARGE, f"a message is larger than {self._max_size} bytes")
        del self._buffer[:kept]
        self._position -= kept
        self._start = None if self._start is None else 0

    def finish(self) -> Iterator[bytes]:
        """The rest, when the body is over. Raises TranscodeError (INVALID_ARGUMENT) if it ends too early."""
        if self._start is not None:
            if self._depth or self._in_string:
                raise _malformed("unexpected end")
            yield self._cut(len(self._buffer))
        if self._next in (_Next.ELEMENT, _Next.ELEMENT_OR_END, _Next.COMMA_OR_END):
            raise _malformed(f"unexpected end, expected {self._next.value}")

    def _begin(self) -> bool:
        """Move to the start of the next document; False if it is not there yet."""
        while True:
            space = _SPACE.match(self._buffer, self._position)
            self._position = space.end() if space else self._position
            mark = bytes(self._buffer[self._position : self._position + 1])
            if not mark:
                return False
            if not self._punctuate(mark):
                self._start = self._position
                return True
            self._position += 1

    def _punctuate(self, mark: bytes) -> bool:
        """Whether a mark stands between documents; raises TranscodeError where it must not."""
        state = self._next
        if state is _Next.FIRST and mark == b"[":
            self._next = _Next.ELEMENT_OR_END
        elif state in (_Next.ELEMENT_OR_END, _Next.COMMA_OR_END) and mark == b"]":
            self._next = _Next.NOTHING
        elif state is _Next.COMMA_OR_END and mark == b",":
            self._next = _Next.ELEMENT
        elif state in (_Next.COMMA_OR_END, _Next.NOTHING) or mark in b",]}":
            raise _malformed(f"expected {state.value}")
        else:
            return False
        return True

    def _end(self) -> int | None:
        """Where the document that has begun ends; None if that is not there yet."""
        if self._position == self._start and self._buffer[self._start] not in b'"{[':
            word = _AFTER_WORD.search(self._buffer, self._position)
            return word.start() if word else None
        while found := (_QUOTE_OR_ESCAPE if self._in_string else _BRACKET_OR_QUOTE).search(
            self._buffer, self._position
        ):
            self._position = found.end()
            mark = found[0]
            if mark == b"\\":
                self._position += 1
            elif mark == b'"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if mark in b"{[" else -1
            if self._depth == 0 and not self._in_string:
                return self._position
        self._position = max(self._position, len(self._buffer))
        return None

    def _cut(self, end: int) -> bytes:
        document = bytes(self._buffer[self._start : end])
        self._position = end
        self._start = None
        self._next = _Next.DOCUMENT if self._next in (_Next.FIRST, _Next.DOCUMENT) else _Next.COMMA_OR_END
        return document


def _malformed(problem: str) -> TranscodeError:
    return TranscodeError(INVALID_ARGUMENT, f"malformed JSON: {problem}")
